"""A manager's team: who needs him first, and totals that reconcile with the list.

The team is all who report to him today, directly or not, and himself for deals of his own. A row
counts the person's own deals (owner and splits), so that each deal is in one row once; the
manager's own ledger counts the roll-up of each. What differs is said in words.

The version rises with everything that is booked anywhere, so it never falls when people move.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from api import alertviews, periods, progress
from api.curves import Shapes
from api.world import World
from db import progress as progress_rows
from db import standings
from db import team as rows
from db.connect import Connection
from db.team import Own
from domain import pace, wording
from domain.exact import exact_arithmetic
from domain.pace import Expected
from schemas.answers import TeamAnswer
from schemas.ids import PayeeId
from schemas.live import AlertView, TeamRow, TeamState
from schemas.messages import Role
from schemas.money import ZERO, exact, ratio, text_of
from schemas.reference import Period

NOTHING = Own(ZERO, ZERO, None)


def version(world: World, mark: int, complete_seconds: int) -> int:
    """The version of every team at that mark."""
    return progress.version(world, mark, complete_seconds)


def answer(
    connection: Connection, world: World, shapes: Shapes, manager: PayeeId, period: Period
) -> TeamAnswer:
    """Call it in one REPEATABLE READ transaction, with the world of the same."""
    mark = rows.mark(connection)
    complete_seconds = progress_rows.complete_seconds(connection)
    with exact_arithmetic():
        team = _team(connection, world, shapes, manager, period)
    return TeamAnswer(version=version(world, mark, complete_seconds), team=team)


def _members(world: World, manager: PayeeId) -> list[PayeeId]:
    """Who is with the company today and reports to him, and himself."""
    reference = world.reference
    return [
        PayeeId(payee)
        for payee in sorted(world.people)
        if reference.person_on(PayeeId(payee), world.today) is not None
        and (payee == manager or manager in reference.managers_above(PayeeId(payee), world.today))
    ]


def _team(
    connection: Connection, world: World, shapes: Shapes, manager: PayeeId, period: Period
) -> TeamState:
    members = _members(world, manager)
    expected = shapes.expected(connection, world, period)
    own = rows.own_deals(connection, members, period.period_id)
    alerts = _alerts(connection, members, period)
    held = _held(connection, world, members)
    found = [
        _row(
            world,
            period,
            expected,
            payee,
            own=own.get(payee, NOTHING),
            alerts=alerts.get(payee, ()),
            held=held.get(payee, 0),
            is_lead=payee == manager,
        )
        for payee in members
    ]
    found = [row for row in found if not (row.is_lead and _is_empty(row))]
    found.sort(key=_needs_me)
    of_manager = own.get(manager, NOTHING)
    return _state(connection, world, period, expected, manager, found, of_manager)


def _needs_me(row: TeamRow) -> tuple[bool, bool, Decimal, str]:
    """Open alerts first, then acknowledged ones, then by money short of pace."""
    is_open = any(not alert.is_acknowledged for alert in row.alerts)
    return not is_open, not row.alerts, -exact(row.short_of_pace or "0"), row.name


def _is_empty(row: TeamRow) -> bool:
    """A manager without deals or a quota of his own is no row of his list."""
    return exact(row.credited) == ZERO and row.quota is None and not row.alerts


def _alerts(
    connection: Connection, members: Sequence[PayeeId], period: Period
) -> dict[PayeeId, tuple[AlertView, ...]]:
    found: dict[PayeeId, tuple[AlertView, ...]] = {}
    for raised in progress_rows.raised_alerts(connection, members, period.period_id):
        found[raised.payee_id] = (*found.get(raised.payee_id, ()), alertviews.view(raised))
    return found


def _held(connection: Connection, world: World, members: Sequence[PayeeId]) -> dict[PayeeId, int]:
    keys = {key: payee for payee in members for key in world.reference.keys_of([payee])}
    found: dict[PayeeId, int] = {}
    for key, count in rows.held(connection, list(keys)).items():
        found[keys[key]] = found.get(keys[key], 0) + count
    return found


def own_quota(world: World, payee: PayeeId, period: Period) -> Decimal | None:
    """A payee's quota of a period where it is for deals of his own and not for a whole team's."""
    day = min(max(world.today, period.starts_on), period.ends_on - dt.timedelta(days=1))
    assignment = world.reference.assignment_on(payee, day)
    plan = world.reference.plan_of(assignment, period) if assignment else None
    headline = [part for part in plan.components if part.counts_for_attainment] if plan else []
    if any(Role.ROLLUP in part.measure.roles for part in headline):
        return None
    return world.reference.quota_of(payee, period.period_id)


def _row(
    world: World,
    period: Period,
    expected: Expected | None,
    payee: PayeeId,
    *,
    own: Own,
    alerts: tuple[AlertView, ...],
    held: int,
    is_lead: bool,
) -> TeamRow:
    quota = own_quota(world, payee, period)
    reached = None if not quota else ratio(own.own, quota)
    ahead = pace.pace_ratio(reached, expected) if reached is not None and expected else None
    calendar = world.reference.rows.calendar
    to_go = None if quota is None else pace.to_go(own.own, quota, period, world.today, calendar)
    short = None
    if quota is not None and expected is not None:
        short = pace.short_of_pace(own.own, quota, expected.share)
    return TeamRow(
        payee_id=payee,
        name=world.name_of(payee),
        title=world.title_of(payee),
        territory=world.territory_of(payee),
        is_lead=is_lead,
        credited=text_of(own.own),
        quota=_text(quota),
        attainment_ratio=_text(reached),
        pace_ratio=_text(ahead),
        gap_to_quota=None if to_go is None else text_of(to_go.gap_to_quota),
        short_of_pace=_text(short),
        required_per_remaining_working_day=None if to_go is None else _text(to_go.required_per_day),
        last_credit_on=own.last_on,
        held=held,
        alerts=alerts,
    )


def _state(
    connection: Connection,
    world: World,
    period: Period,
    expected: Expected | None,
    manager: PayeeId,
    found: Sequence[TeamRow],
    of_manager: Own,
) -> TeamState:
    credited = sum((exact(row.credited) for row in found), ZERO)
    quotas = [exact(row.quota) for row in found if row.quota is not None]
    quota = sum(quotas, ZERO) if quotas else None
    reached = None if not quota else ratio(credited, quota)
    calendar = world.reference.rows.calendar
    to_go = pace.to_go(credited, quota or ZERO, period, world.today, calendar)
    ahead = pace.pace_ratio(reached, expected) if reached is not None and expected else None
    ledger = of_manager.own + of_manager.team
    return TeamState(
        manager=world.ref(manager),
        stamps=periods.stamps(
            world,
            period.period_id,
            complete_through=standings.complete_through(connection),
            currency=world.reference.currency,
        ),
        business_date=world.today,
        rows=tuple(found),
        total_credited=text_of(credited),
        total_quota=_text(quota),
        total_ratio=_text(reached),
        total_gap=None if quota is None else text_of(to_go.gap_to_quota),
        total_short_of_pace=text_of(
            sum((exact(row.short_of_pace) for row in found if row.short_of_pace), ZERO)
        ),
        required_per_remaining_working_day=None if quota is None else _text(to_go.required_per_day),
        working_days_left=to_go.working_days_left,
        expected_share=_text(expected.share) if expected else None,
        curve=expected.curve if expected else None,
        pace_ratio=_text(ahead),
        ledger_credited=text_of(ledger),
        not_in_rows=text_of(ledger - credited),
        reconciliation=_reconciled(world, manager, len(found), credited, ledger),
        open_alerts=sum(not alert.is_acknowledged for row in found for alert in row.alerts),
    )


def _reconciled(
    world: World, manager: PayeeId, count: int, credited: Decimal, ledger: Decimal
) -> str:
    """How the total of the list and the manager's own ledger go together."""
    people = wording.count(count, "row")
    rows_are = f"The {people} sum to {wording.money(credited)}"
    name = world.name_of(manager)
    if ledger == credited:
        return f"{rows_are}, which is what {name}'s own ledger has for the team."
    if ledger > credited:
        why = "credited by people who were in the team on the deal's date and are not today"
        return (
            f"{rows_are}. {name}'s own ledger has {wording.money(ledger)}: "
            f"{wording.money(ledger - credited)} more, {why}."
        )
    return (
        f"{rows_are}. {name}'s own ledger has {wording.money(ledger)}: "
        f"{wording.money(credited - ledger)} less, credited before they came to the team."
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else text_of(value)
