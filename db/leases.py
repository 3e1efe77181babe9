"""Leases: what must run once runs in the worker that holds a lease; any worker can take over.

Time is the database's. A token is the fencing number: whoever writes renews by it in the same
transaction, so a holder that lost its lease cannot commit.
"""

from typing import Final, NamedTuple

from db import retries
from db.connect import Connection
from schemas import limits


class Lease(NamedTuple):
    """A lease as its holder has it."""

    name: str
    owner: str
    token: int


class LeaseLost(Exception):
    """Another worker holds the lease now: stop at once."""


TAKE: Final = """
INSERT INTO leases AS l (lease, owner, token, held_until)
VALUES (%(lease)s, %(owner)s, nextval('lease_tokens'),
        clock_timestamp() + make_interval(secs => %(seconds)s))
    ON CONFLICT (lease) DO UPDATE
   SET owner = excluded.owner, token = excluded.token, held_until = excluded.held_until
 WHERE l.held_until < clock_timestamp() OR l.owner = excluded.owner
RETURNING token"""
RENEW: Final = """
UPDATE leases
   SET held_until = greatest(held_until, clock_timestamp() + make_interval(secs => %(seconds)s))
 WHERE lease = %(lease)s AND token = %(token)s
RETURNING token"""
RELEASE: Final = """
UPDATE leases SET held_until = clock_timestamp()
 WHERE lease = %(lease)s AND token = %(token)s"""


def take(
    conn: Connection, name: str, owner: str, *, seconds: float = limits.LEASE_SECONDS
) -> Lease | None:
    """The lease, where nobody else holds it; None where another does. Waits for a holder's write.

    `owner` is one process's own: after a lost connection it need not wait for its own lease.
    """
    parameters = {"lease": name, "owner": owner, "seconds": seconds}
    row = retries.run(conn, lambda: conn.execute(TAKE, parameters).fetchone())
    return None if row is None else Lease(name, owner, row[0])


def renew(conn: Connection, lease: Lease, *, seconds: float = limits.LEASE_SECONDS) -> None:
    """Hold it on; in a transaction that writes, nobody takes it over before that has ended.

    Raises LeaseLost.
    """
    parameters = {"lease": lease.name, "token": lease.token, "seconds": seconds}
    if conn.execute(RENEW, parameters).fetchone() is None:
        raise LeaseLost(f"lease {lease.name}: token {lease.token} is not in force any more")


def release(conn: Connection, lease: Lease) -> None:
    """Give it back, so that another need not wait for its end; nothing when it is lost already."""
    conn.execute(RELEASE, {"lease": lease.name, "token": lease.token})
