"""What answers rest on beside money: reference data, names, users, the business clock.

Kept per reference version. An answer calls `within` in its own REPEATABLE READ transaction, so the
quotas, names and dates it shows are of the same committed state as its amounts.
"""

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from psycopg import IsolationLevel

from db import clock, health, installation, reference, users
from db.connect import Connection, Pool
from db.users import NameRow, TerritoryRow, UserRow
from domain.calendar import business_date
from domain.clock import business_at
from domain.reference import Reference
from schemas import limits
from schemas.clock import ClockRow
from schemas.live import Clock, PayeeRef
from schemas.money import ONE, text_of

FORMER: Final = "Former colleague"  # whose name was erased


D = TypeVar("D", NameRow, TerritoryRow)


class Now(NamedTuple):
    """The business clock as the database has it, at one real instant."""

    rows: tuple[ClockRow, ...]
    zone: ZoneInfo
    real: dt.datetime

    @property
    def business(self) -> dt.datetime:
        """The business time."""
        return business_at(self.rows, self.real)

    @property
    def today(self) -> dt.date:
        """The business date."""
        return business_date(self.business, self.zone)

    @property
    def frame(self) -> Clock:
        """As frames carry it."""
        begun = [row for row in self.rows if row.real <= self.real]
        return Clock(business_at=self.business, rate=text_of(begun[-1].rate if begun else ONE))

    def at(self, real: dt.datetime) -> "Now":
        """The same clock at another real instant."""
        return self._replace(real=real)


class World(NamedTuple):
    """Reference data of one version, with names and users, at one business time."""

    reference: Reference
    timeline: int
    now: Now
    today: dt.date  # the business date
    people: dict[str, tuple[NameRow, ...]]
    territories: dict[str, tuple[TerritoryRow, ...]]
    users: dict[str, UserRow]

    def name_of(self, payee_id: str) -> str:
        """What a payee is called today; his last name when he has left."""
        rows = self.people.get(payee_id, ())
        return (_in_force(rows, self.today) or rows[-1]).name if rows else FORMER

    def ref(self, payee_id: str) -> PayeeRef:
        """A payee as answers name him; who may be named is decided before."""
        return PayeeRef(payee_id=payee_id, name=self.name_of(payee_id))

    def title_of(self, payee_id: str) -> str | None:
        """A payee's title today."""
        row = _in_force(self.people.get(payee_id, ()), self.today)
        return row.title if row else None

    def territory_of(self, payee_id: str) -> str | None:
        """The territory a payee holds today."""
        row = _in_force(self.territories.get(payee_id, ()), self.today)
        return row.territory if row else None


class Worlds:
    """The newest World; safe to use from several threads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._known: World | None = None
        self._mark: object = None
        self._deals_partitions: int | None = None

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Connection, World]]:
        """One committed state: a read-only REPEATABLE READ transaction, and the world in it."""
        with self._pool.connection() as connection, _one_state(connection):
            yield connection, self.within(connection)

    def current(self) -> World:
        """The world as it is now."""
        with self.snapshot() as (_, world):
            return world

    def is_booking(self) -> bool:
        """Whether a worker books what comes in."""
        with self._pool.connection() as connection:
            return health.is_booking(
                connection, silent_seconds_max=limits.BOOKING_SECONDS_SILENT_MAX
            )

    def last(self) -> World | None:
        """The world as it was last read, without asking the database; None before the first."""
        return self._known

    def deals_partitions(self) -> int | None:
        """How many partitions the deals topic must have, as last read; None before the first."""
        return self._deals_partitions

    def within(self, connection: Connection) -> World:
        """The world as the connection's transaction sees it. Raises NotInstalled."""
        installed = installation.read(connection)
        self._deals_partitions = installed.deals_partitions
        zone = ZoneInfo(installed.time_zone)
        now = Now(clock.rows(connection), zone, dt.datetime.now(dt.UTC))
        mark = (installed.reference_version, installed.timeline, users.users_mark(connection))
        with self._lock:
            known, known_mark = self._known, self._mark
        if known is None or known_mark != mark:
            known = _read(connection, installed.timeline, now)
            with self._lock:
                self._known, self._mark = known, mark
        return known._replace(now=now, today=now.today)


@contextmanager
def _one_state(connection: Connection) -> Iterator[None]:
    """One committed state for every statement inside."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection.transaction():
            yield
    finally:
        if not connection.closed:
            connection.isolation_level = None
            connection.read_only = None


def _read(connection: Connection, timeline: int, now: Now) -> World:
    return World(
        reference=Reference(reference.read_within(connection)),
        timeline=timeline,
        now=now,
        today=now.today,
        people=_by_payee(users.names(connection)),
        territories=_by_payee(users.territories(connection)),
        users={user.user_id: user for user in users.users(connection)},
    )


def _by_payee(rows: Sequence[D]) -> dict[str, tuple[D, ...]]:
    return {payee_id: tuple(found) for payee_id, found in groupby(rows, key=attrgetter("payee_id"))}


def _in_force(rows: Sequence[D], day: dt.date) -> D | None:
    """The row in force on a day; of several the one that starts last."""
    found = [r for r in rows if r.starts_on <= day and (r.ends_on is None or day < r.ends_on)]
    return found[-1] if found else None
