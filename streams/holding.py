"""A lease as its holder uses it: every write of a job renews it in the same transaction."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from db import leases, retries
from db.connect import Connection
from db.leases import Lease

T = TypeVar("T")


class Holding:
    """The connection and the lease under which jobs run."""

    def __init__(self, conn: Connection, lease: Lease) -> None:
        self.conn = conn
        self.lease = lease

    def write(self, work: Callable[[], T]) -> T:
        """`work` in one transaction that only the holder can commit. Raises LeaseLost."""

        def held() -> T:
            leases.renew(self.conn, self.lease)
            return work()

        return retries.run(self.conn, held)


class Job(Protocol):
    """What runs once in an installation, in small steps."""

    @property
    def name(self) -> str:
        """For logs and metrics."""
        ...

    @property
    def pause_s(self) -> float:
        """How long it rests after a step that left nothing to do."""
        ...

    def step(self, holding: Holding) -> bool:
        """Do a bounded piece of work; whether there may be more. Raises LeaseLost."""
        ...
