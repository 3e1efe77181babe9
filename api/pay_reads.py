"""A payee's statements and their lines, the feed of what changed, and a manager's team."""

import datetime as dt
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, feeds, lists, periods, signed, statements, teams
from api.answers import answer, only, versioned
from api.lists import Listing, Sort
from api.openapi import operation, query
from api.problems import Malformed, NotFound, NotSignedIn, Unavailable, UnknownParameter
from api.requests import request_id_of
from api.services import services_of
from api.sessions import Session
from api.world import World
from schemas.answers import FeedPage, Lines, StatementAnswer, Statements, TeamAnswer
from schemas.ids import PayeeId, PeriodId
from schemas.messages import Role
from schemas.reference import Period

router = APIRouter()

_READS: Final = (Malformed, UnknownParameter, NotSignedIn, NotFound, Unavailable)
LINES: Final = Listing(
    name="lines",
    sorts=(Sort("closed_on", statements.LINE_KEY), Sort("-closed_on", statements.LINE_KEY)),
    filters=(
        lists.text("component", "Of this component of the plan.", example="own_orders"),
        lists.one_of("role", "Credited in this role.", Role),
        lists.flag("is_correction", "Corrections of locked periods, or none of them."),
        lists.text("q", "Whose deal's id, name or customer contains this.", example="SO69393"),
    ),
)
FEED: Final = Listing(
    name="feed",
    sorts=(Sort("-booked_at", (dt.datetime, str)), Sort("booked_at", (dt.datetime, str))),
    filters=(
        lists.one_of("kind", "Of this kind.", feeds.KINDS),
        lists.text("period", "Booked in this period.", example="2014-Q2"),
        *lists.between(lists.instant, "booked_at", "Booked"),
    ),
)


@router.get(
    "/v1/payees/{payee_id}/statements",
    operation_id="listStatements",
    summary="A payee's statements",
    tags=["Pay"],
    openapi_extra=operation(answers={200: Statements}, problems=_READS),
)
def list_statements(request: Request, payee_id: str) -> Response:
    """Periods in which something is booked for him, the newest first."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        payee = access.require_payee(session, payee_id, world)
        found = statements.listed(connection, world, payee)
    _note(request, session, payee, world)
    return answer(found)


@router.get(
    "/v1/payees/{payee_id}/statements/{period}",
    operation_id="getStatement",
    summary="A statement's totals",
    tags=["Pay"],
    openapi_extra=operation(answers={200: StatementAnswer, 304: None}, problems=_READS),
)
def get_statement(request: Request, payee_id: str, period: str) -> Response:
    """Of an open period provisional, of a locked one frozen. The lines sum to it, and so do the
    ledger's entries: what differs is never shown."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        payee = access.require_payee(session, payee_id, world)
        of = _period(world, period)
        found = statements.answer(connection, world, services.locks, payee, of)
    _note(request, session, payee, world)
    return versioned(request, found, f"{payee}.{of.period_id}.{found.version}.{found.is_frozen}")


@router.get(
    "/v1/payees/{payee_id}/statements/{period}/lines",
    operation_id="listStatementLines",
    summary="A statement's lines",
    tags=["Pay"],
    openapi_extra=operation(answers={200: Lines}, problems=_READS, parameters=LINES.parameters()),
)
def list_lines(request: Request, payee_id: str, period: str) -> Response:
    """One line for each credit and component that counts it; each names its deal and its cause."""
    services = services_of(request)
    asked = LINES.asked(request, payee_id, period)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        payee = access.require_payee(session, payee_id, world)
        of = _period(world, period)
        found = statements.page(connection, world, services.locks, payee, of, asked)
    _note(request, session, payee, world)
    return answer(found)


@router.get(
    "/v1/payees/{payee_id}/feed",
    operation_id="listFeed",
    summary="What changed for a payee, and why",
    tags=["Pay"],
    openapi_extra=operation(answers={200: FeedPage}, problems=_READS, parameters=FEED.parameters()),
)
def list_feed(request: Request, payee_id: str) -> Response:
    """Credits, corrections of locked periods, alerts and locks, newest first."""
    services = services_of(request)
    asked = FEED.asked(request, payee_id)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        payee = access.require_payee(session, payee_id, world)
        found = feeds.page(connection, world, payee, asked)
    _note(request, session, payee, world)
    return answer(found)


@router.get(
    "/v1/payees/{payee_id}/team",
    operation_id="getTeam",
    summary="A manager's team",
    tags=["Progress"],
    openapi_extra=operation(
        answers={200: TeamAnswer, 304: None},
        problems=_READS,
        parameters=(
            query("period", "A period's id; else the one of the business date.", example="2014-Q2"),
        ),
    ),
)
def get_team(request: Request, payee_id: str) -> Response:
    """Who reports to him today: open alerts first, then by money short of pace."""
    services = services_of(request)
    only(request, "period")
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        manager = access.require_team(session, payee_id, world)
        wanted = request.query_params.get("period")
        period = periods.current(world) if wanted is None else _period(world, wanted)
        if period is None:
            raise NotFound
        found = teams.answer(connection, world, services.shapes, manager, period)
    _note(request, session, manager, world)
    return versioned(request, found, f"{manager}.{period.period_id}.{found.version}")


def _period(world: World, period_id: str) -> Period:
    found = world.reference.period(PeriodId(period_id))
    if found is None:
        raise NotFound
    return found


def _note(request: Request, session: Session, payee: PayeeId, world: World) -> None:
    services_of(request).views.note(session, payee, world, request_id=request_id_of(request))
