"""Locking a period: drain, lock, freeze. Runs where it is asked for, with the API's rights.

    1. refuse what cannot be locked
    2. drain, two rounds: a Drain behind every command so far, until all before it is published; the
       second round for what came back down from the first
    3. through the turnstile: look again, supersede the period's row, announce it, write the audit
    4. wait until the worker that holds the lease has frozen every statement

The lock decides by booking, not by draining: what comes later is booked into the first open period.
"""

import datetime as dt
import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from db import clock, periods, reference, relay, standings
from db import statements as statement_rows
from db.connect import Connection
from db.periods import Booked, HeldMoney
from db.statements import Frozen
from domain.calendar import business_date
from domain.clock import business_at
from domain.reference import Reference
from schemas import limits
from schemas.ids import PeriodId
from schemas.messages import Drain, PeriodLocked, PeriodState
from schemas.reference import Period
from schemas.settings import Settings
from schemas.topics import DEALS

ROUNDS: Final = (1, 2)


class LockRefused(Exception):
    """A business "no", in words a person can act on."""


class DrainTimedOut(Exception):
    """The processors did not catch up in time: the period is not locked."""


class FreezeTimedOut(Exception):
    """The period is locked; its statements are not all frozen yet."""


class Progress(NamedTuple):
    """Where a lock stands, for whoever watches."""

    step: str  # in words
    done: int
    of: int


Watch = Callable[[Progress], None]


class LockResult(NamedTuple):
    """A locked period with its frozen statements."""

    period_id: PeriodId
    was_locked_already: bool
    reference_version: int
    frozen: Frozen


class LockCheck(NamedTuple):
    """What a lock would freeze, and why it would be refused, if it would."""

    period: Period
    refusal: str | None
    has_ended: bool
    complete_through: dt.datetime | None  # None: not every source has said so
    booked: Booked
    held: tuple[HeldMoney, ...]
    dead_letters: int
    currency: str


def check(conn: Connection, period_id: str) -> LockCheck:
    """What would be frozen. Raises LockRefused for a period that does not exist."""
    known = Reference(reference.read(conn))
    today = business_date(business_at(clock.rows(conn), dt.datetime.now(dt.UTC)), known.zone)
    return check_in(conn, known, today, _known(known, period_id))


def check_in(conn: Connection, known: Reference, today: dt.date, period: Period) -> LockCheck:
    """The same of a period under reference data, on a business date."""
    return LockCheck(
        period=period,
        refusal=refusal(known, period),
        has_ended=period.ends_on <= today,
        complete_through=standings.complete_through(conn),
        booked=periods.booked(conn, period.period_id),
        held=tuple(periods.held(conn, period)),
        dead_letters=periods.dead_letters(conn),
        currency=known.currency,
    )


def lock_period(
    conn: Connection,
    settings: Settings,
    period_id: str,
    *,
    actor: str,
    watch: Watch = lambda progress: None,
    drain_seconds: float = limits.DRAIN_SECONDS_MAX,
    freeze_seconds: float = limits.FREEZE_SECONDS_MAX,
) -> LockResult:
    """Lock it and wait for its statements; a period that is locked already is waited for only.

    Raises LockRefused, DrainTimedOut, FreezeTimedOut.
    """
    known = Reference(reference.read(conn))
    period = _known(known, period_id)
    is_locked = period.state is PeriodState.LOCKED
    if not is_locked:
        _refuse(known, period)  # 1
        topic = DEALS.full_name(settings.topic_prefix)
        drain_id = f"lock.{period_id}.{secrets.token_hex(8)}"
        for number in ROUNDS:  # 2
            watch(Progress("draining", number, len(ROUNDS)))
            _drain(conn, topic, Drain(drain_id=drain_id, round=number), drain_seconds)
        watch(Progress("locking", 1, 1))
        is_locked = not _lock(conn, period_id, actor)  # 3
    frozen = _frozen(conn, period.period_id, watch, freeze_seconds)  # 4
    return LockResult(period.period_id, is_locked, reference.version(conn), frozen)


def refusal(known: Reference, period: Period) -> str | None:
    """Why an open period cannot be locked now; None when it can, or is locked already."""
    if period.state is PeriodState.LOCKED:
        return None
    others = [
        row
        for row in sorted(known.rows.periods, key=lambda row: row.starts_on)
        if row.state is PeriodState.OPEN and row.period_id != period.period_id
    ]
    earlier = [row.period_id for row in others if row.starts_on < period.starts_on]
    if earlier:
        return (
            f"{', '.join(earlier)} {'is' if len(earlier) == 1 else 'are'} still open: periods are "
            f"locked in order; lock {earlier[0]} first"
        )
    if not others:
        return (
            f"no period would stay open after {period.period_id}, and late deals need somewhere to "
            "be booked: add the next period first"
        )
    return None


def _known(known: Reference, period_id: str) -> Period:
    period = known.period(PeriodId(period_id))
    if period is None:
        names = ", ".join(row.period_id for row in known.rows.periods) or "none yet"
        raise LockRefused(f"there is no period {period_id}; the periods are: {names}")
    return period


def _refuse(known: Reference, period: Period) -> None:
    why_not = refusal(known, period)
    if why_not is not None:
        raise LockRefused(f"{period.period_id} cannot be locked: {why_not}")


def _drain(conn: Connection, topic: str, drain: Drain, seconds: float) -> None:
    """One round: until all that stood before this command is published in every partition."""
    until = time.monotonic() + seconds
    outbox_id = relay.put(conn, drain)
    while (offsets := relay.sent_offsets(conn, outbox_id)) is None:
        _wait(until, "no worker has sent the drain command: is one running? `paceboard status`")
    while behind := relay.not_published(conn, topic, offsets):
        _wait(until, f"partitions {behind} of {topic} are behind: is every worker running?")


def _wait(until: float, problem: str) -> None:
    if time.monotonic() > until:
        raise DrainTimedOut(f"{problem}. The period is not locked; try again.")
    time.sleep(limits.LOCK_POLL_SECONDS)


def _lock(conn: Connection, period_id: str, actor: str) -> bool:
    """Behind the turnstile; whether it was this call that locked it. Raises LockRefused."""
    with reference.reference_change(
        conn, actor=actor, action="lock period", entity=period_id
    ) as change:
        known = Reference(reference.read_within(conn))
        period = _known(known, period_id)
        _refuse(known, period)
        locked = msgspec.structs.replace(period, state=PeriodState.LOCKED)
        change.put("periods", [msgspec.structs.asdict(locked)])
        change.announce(
            PeriodLocked(
                entity=f"period/{period_id}",
                period=period_id,
                reference_version=change.version,
                known_at=change.known_at,
            )
        )
        return not change.is_empty


def _frozen(conn: Connection, period_id: PeriodId, watch: Watch, seconds: float) -> Frozen:
    began = time.monotonic()
    while True:
        frozen = statement_rows.frozen(conn, period_id)
        watch(Progress("freezing statements", frozen.frozen, frozen.accounts))
        if frozen.frozen >= frozen.accounts:
            return frozen
        if time.monotonic() - began > seconds:
            raise FreezeTimedOut(
                f"{period_id} is locked, and {frozen.frozen} of {frozen.accounts} statements are "
                "frozen: see the log of the worker that holds the lease; ask again to wait on"
            )
        pause = limits.LOCK_POLL_SECONDS + limits.LOCK_POLL_SHARE * (time.monotonic() - began)
        time.sleep(min(pause, limits.LOCK_POLL_SECONDS_MAX))
