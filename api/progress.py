"""A payee's progress in a period: one committed state, composed of what domain/ says.

Its version is a sum of counters that only rise: the versions of his accounts and alerts, how often
these were acknowledged, the reference version, the seconds sources are complete through, and the
business date (the clock's settings count more than any date, so that a clock set back still raises
it). So it rises whenever the answer may differ, also when only a day turns; it is the same in every
process; and it stays below 2^53, so that JavaScript reads it exactly.

Of an open period, amounts are its positions; of a locked one, what was booked into it: it never
changes. What a late deal changes in a locked period is booked into an open one, and stands there as
`corrections`.
"""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from api import alertviews, periods
from api.curves import Shapes
from api.world import World
from db import progress as rows
from db import standings
from db.connect import Connection
from db.progress import Booked, Raised
from domain import pace
from domain.exact import exact_arithmetic
from domain.progress import Attainment, attainment
from domain.terms import terms_of
from schemas.ids import PayeeId, account_id
from schemas.live import ComponentProgress, PayeeProgress
from schemas.messages import PeriodState
from schemas.money import ZERO, text_of
from schemas.reference import Period
from schemas.state import AccountState, Position

_DAYS_FROM: Final = dt.date(1990, 1, 1)
_CLOCK_SETTING: Final = 100_000  # more days than there are between the years 1990 and 2100


class ProgressAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A payee's progress and its version; of two answers the greater version is the newer."""

    version: int
    progress: PayeeProgress


class _Money(NamedTuple):
    """The cells of the period, and what else was booked into it."""

    account: AccountState
    corrections: Decimal


def answer(
    connection: Connection, world: World, shapes: Shapes, payee_id: PayeeId, period: Period
) -> ProgressAnswer:
    """Call it in one REPEATABLE READ transaction, with the world of the same."""
    counted = rows.versions(connection, [payee_id])[payee_id]
    with exact_arithmetic():
        progress = _progress(connection, world, shapes, payee_id, period)
    complete_seconds = rows.complete_seconds(connection)
    return ProgressAnswer(version=version(world, counted, complete_seconds), progress=progress)


def version(world: World, counted: int, complete_seconds: int) -> int:
    """The version of a payee whose accounts and alerts have versions that sum to `counted`."""
    days = (world.today - _DAYS_FROM).days
    clock = len(world.now.rows) * _CLOCK_SETTING + days
    return counted + world.reference.version + complete_seconds + clock


def _progress(
    connection: Connection, world: World, shapes: Shapes, payee_id: PayeeId, period: Period
) -> PayeeProgress:
    money = _money(connection, world, payee_id, period)
    account = money.account
    reached = attainment(account, period.period_id, terms_of(account, world.reference))
    expected = shapes.expected(connection, world, period)
    ahead = None if expected is None or reached.ratio is None else _pace(reached.ratio, expected)
    to_go = pace.to_go(
        reached.credited,
        reached.quota or ZERO,
        period,
        world.today,
        world.reference.rows.calendar,
    )
    components = _components(world, account, period)
    earned = sum((cell.earned for cell in account.positions), ZERO) + money.corrections
    is_final = period.state is PeriodState.LOCKED
    return PayeeProgress(
        payee_id=payee_id,
        name=world.name_of(payee_id),
        stamps=periods.stamps(
            world,
            period.period_id,
            complete_through=standings.complete_through(connection),
            currency=account.currency,
        ),
        account_id=account.account_id,
        account_version=account.version,
        credited=text_of(reached.credited),
        quota=_text(reached.quota),
        attainment_ratio=_text(reached.ratio),
        gap_to_quota=_if_quota(reached, to_go.gap_to_quota),
        expected_share=_text(expected.share) if expected else None,
        curve=expected.curve if expected else None,
        pace_ratio=_text(ahead),
        working_days_left=to_go.working_days_left,
        required_per_remaining_working_day=_if_quota(reached, to_go.required_per_day),
        earned_provisional="0" if is_final else text_of(earned),
        earned_final=text_of(earned) if is_final else "0",
        components=components,
        alerts=tuple(map(alertviews.view, _raised(connection, payee_id, period))),
        corrections=text_of(money.corrections),
    )


def _raised(connection: Connection, payee_id: PayeeId, period: Period) -> tuple[Raised, ...]:
    return rows.raised_alerts(connection, [payee_id], period.period_id)


def _pace(reached: Decimal, expected: pace.Expected) -> Decimal | None:
    return pace.pace_ratio(reached, expected)


def _money(connection: Connection, world: World, payee_id: PayeeId, period: Period) -> _Money:
    whole = rows.account(connection, account_id(payee_id, period.plan_year)) or AccountState(
        account_id=account_id(payee_id, period.plan_year),
        payee_id=payee_id,
        plan_year=period.plan_year,
        currency=world.reference.currency,
    )
    cells = tuple(cell for cell in whole.positions if cell.period_id == period.period_id)
    booked = (
        rows.booked(connection, payee_id, period.period_id) if periods.has_locked(world) else ()
    )
    if period.state is PeriodState.LOCKED:
        cells = _as_locked(cells, whole, period, booked)
    corrections = sum((row.earned for row in booked if row.origin_period != period.period_id), ZERO)
    return _Money(msgspec.structs.replace(whole, positions=cells), corrections)


def _as_locked(
    cells: Iterable[Position], account: AccountState, period: Period, booked: Iterable[Booked]
) -> tuple[Position, ...]:
    """The cells as they were when the period was locked; counts of credits are those of now."""
    counts = {(cell.segment, cell.component): cell.credits for cell in cells}
    return tuple(
        Position(
            segment=row.segment,
            component=row.component,
            period_id=row.origin_period,
            credited=row.credited,
            credits=counts.get((row.segment, row.component), row.credits),
            earned=row.earned,
        )
        for row in booked
        if row.account_id == account.account_id and row.origin_period == period.period_id
    )


def _components(
    world: World, account: AccountState, period: Period
) -> tuple[ComponentProgress, ...]:
    """Each component of the plan in force, also those nothing has come to yet."""
    sums = dict.fromkeys(_planned(world, account.payee_id, period), (ZERO, 0, ZERO))
    for cell in account.positions:
        credited, credits, earned = sums.get(cell.component, (ZERO, 0, ZERO))
        sums[cell.component] = (
            credited + cell.credited,
            credits + cell.credits,
            earned + cell.earned,
        )
    return tuple(
        ComponentProgress(
            component=component,
            credited=text_of(credited),
            credits=credits,
            earned=text_of(earned),
        )
        for component, (credited, credits, earned) in sums.items()
    )


def _planned(world: World, payee_id: PayeeId, period: Period) -> list[str]:
    day = min(max(world.today, period.starts_on), period.ends_on - dt.timedelta(days=1))
    assignment = world.reference.assignment_on(payee_id, day)
    plan = world.reference.plan_of(assignment, period) if assignment else None
    return [part.component for part in plan.components] if plan else []


def _text(value: Decimal | None) -> str | None:
    return None if value is None else text_of(value)


def _if_quota(reached: Attainment, value: Decimal | None) -> str | None:
    """Without a quota there is no gap to it."""
    return None if reached.quota is None else _text(value)
