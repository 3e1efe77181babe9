"""The lock of a period over HTTP: its checks, asking for it, and how far it is.

What counts stands in the database; only the step's name and why the last attempt ended are of this
process (api/lock_runs.py).
"""

import datetime as dt
from typing import Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, periods, signed
from api.answers import answer, only
from api.openapi import operation
from api.period_lock import (
    LockCheck,
    Progress,
    check_in,
)
from api.problems import (
    Conflict,
    Malformed,
    NotFound,
    NotSignedIn,
    Unavailable,
    UnknownParameter,
)
from api.services import Services, services_of
from api.world import World
from db import periods as period_rows
from db import statements as statement_rows
from db.connect import Connection
from domain import wording
from domain.calendar import start_of_day
from schemas.answers import LockAnswer, LockCheckRow, QueueMoney
from schemas.ids import PeriodId
from schemas.messages import PeriodState
from schemas.money import text_of
from schemas.reference import Period

log = structlog.get_logger(__name__)
router = APIRouter()

_READS: Final = (Malformed, UnknownParameter, NotSignedIn, NotFound, Unavailable)


@router.get(
    "/v1/periods/{period_id}/lock",
    operation_id="getLock",
    summary="What a lock of a period would freeze, or how far it is",
    tags=["Periods"],
    openapi_extra=operation(answers={200: LockAnswer}, problems=_READS),
)
def get_lock(request: Request, period_id: str) -> Response:
    """The checks, each with count and money; while a lock runs, its step. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        period = _period(world, period_id)
        return answer(_answer(connection, services, world, period))


@router.post(
    "/v1/periods/{period_id}/lock",
    status_code=202,
    operation_id="lockPeriod",
    summary="Lock a period",
    tags=["Periods"],
    openapi_extra=operation(answers={202: LockAnswer}, problems=(*_READS, Conflict)),
)
def lock(request: Request, period_id: str) -> Response:
    """All that was sent is booked first, then its statements are frozen. It cannot be undone; what
    comes later is booked into the first open period. Answers at once: ask GET how far it is. 409
    when a check forbids it, or it is locked. Asking again while it runs changes nothing. For
    admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        access.require_admin(session)
        period = _period(world, period_id)
        found = check_in(connection, world.reference, world.today, period)
        is_under_way = (attempt := services.period_locks.attempt(period_id)) is not None and (
            attempt.progress is not None
        )
        if period.state is PeriodState.LOCKED and not is_under_way:
            raise Conflict(f"{period_id} is locked already.")
        if found.refusal is not None:
            raise Conflict(f"{period_id} cannot be locked: {found.refusal}.")
    services.period_locks.begin(period_id, session.user_id)
    with services.worlds.snapshot() as (connection, world):
        shown = _answer(connection, services, world, _period(world, period_id))
    return answer(shown, status=202)


def _period(world: World, period_id: str) -> Period:
    found = world.reference.period(PeriodId(period_id))
    if found is None:
        raise NotFound
    return found


def _answer(connection: Connection, services: Services, world: World, period: Period) -> LockAnswer:
    found = check_in(connection, world.reference, world.today, period)
    frozen = statement_rows.frozen(connection, period.period_id)
    locks = {one.period_id: one.known_at for one in period_rows.locks(connection)}
    attempt = services.period_locks.attempt(period.period_id)
    under_way = attempt.progress if attempt else None
    is_locked = period.state is PeriodState.LOCKED
    return LockAnswer(
        period=period.period_id,
        period_name=periods.name(period),
        state=period.state,
        may_lock=not is_locked and found.refusal is None and under_way is None,
        checks=() if is_locked else _checks(found, world),
        accounts=found.booked.accounts,
        entries=found.booked.entries,
        earned=text_of(found.booked.earned),
        currency=found.currency,
        step=_step(under_way, is_locked, frozen.frozen < frozen.accounts),
        done=under_way.done if under_way else frozen.frozen,
        of=under_way.of if under_way else frozen.accounts,
        problem=attempt.problem if attempt else None,
        locked_at=locks.get(period.period_id),
        statements_frozen=frozen.frozen,
    )


def _step(under_way: Progress | None, is_locked: bool, is_freezing: bool) -> str | None:
    if under_way is not None:
        return under_way.step
    return "freezing statements" if is_locked and is_freezing else None


def _checks(found: LockCheck, world: World) -> tuple[LockCheckRow, ...]:
    """In the order in which a person would clear them."""
    return (
        _check("order", "blocker", found.refusal)
        if found.refusal
        else _check("order", "ok", "All earlier periods are locked, and a later one stays open"),
        _ended(found),
        _complete(found, world),
        _held(found),
        _dead_letters(found),
    )


def _ended(found: LockCheck) -> LockCheckRow:
    last = found.period.ends_on - dt.timedelta(days=1)
    if found.has_ended:
        return _check("ended", "ok", f"It ended on {last}")
    return _check("ended", "warning", f"It has not ended: its last day is {last}")


def _complete(found: LockCheck, world: World) -> LockCheckRow:
    complete = found.complete_through
    if complete is None:
        return _check(
            "complete", "warning", "Not every source has said how far it is complete", link="/admin"
        )
    shown = complete.astimezone(world.reference.zone).strftime("%Y-%m-%d %H:%M")
    ends = start_of_day(found.period.ends_on, world.reference.zone)
    if complete >= ends:
        return _check("complete", "ok", f"Every source is complete through {shown}")
    return _check(
        "complete",
        "warning",
        f"Sources are complete only through {shown}: what is missing will be booked later",
        link="/admin",
    )


def _held(found: LockCheck) -> LockCheckRow:
    count = sum(held.deals for held in found.held)
    if not count:
        return _check("held", "ok", "Nothing of it is held", count=0)
    return _check(
        "held",
        "warning",
        f"{wording.count(count, 'deal')} of it wait; credited later, they are booked later",
        count=count,
        money=tuple(
            QueueMoney(currency=held.currency, amount=text_of(held.amount)) for held in found.held
        ),
        link="/admin/held",
    )


def _dead_letters(found: LockCheck) -> LockCheckRow:
    if not found.dead_letters:
        return _check("dead_letters", "ok", "No record was refused", count=0)
    return _check(
        "dead_letters",
        "warning",
        f"{wording.count(found.dead_letters, 'record')} refused, of all periods: of which one "
        "cannot be known",
        count=found.dead_letters,
        link="/admin/dead-letters",
    )


def _check(
    name: str,
    state: str,
    words: str,
    *,
    count: int | None = None,
    money: tuple[QueueMoney, ...] = (),
    link: str | None = None,
) -> LockCheckRow:
    sentence = f"{words[:1].upper()}{words[1:].rstrip('.')}."
    return LockCheckRow(
        check=name, words=sentence, state=state, count=count, money=money, link=link
    )
