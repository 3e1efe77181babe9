"""A payee's progress, and the company's periods."""

import datetime as dt

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, periods, progress, signed
from api.answers import hashed, only, versioned
from api.openapi import operation, query
from api.problems import NotFound, NotSignedIn, Unavailable, UnknownParameter
from api.progress import ProgressAnswer
from api.requests import request_id_of
from api.services import services_of
from api.world import World
from schemas.ids import PeriodId
from schemas.messages import PeriodState
from schemas.reference import Period

router = APIRouter()

_READS = (UnknownParameter, NotSignedIn, Unavailable)


class PeriodView(msgspec.Struct, frozen=True, kw_only=True):
    """A period of the company's calendar; `ends_on` is the first day after it."""

    period_id: str
    plan_year: str
    name: str
    starts_on: dt.date
    ends_on: dt.date
    state: PeriodState
    is_current: bool


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """The company's periods, in order."""

    periods: tuple[PeriodView, ...]


@router.get(
    "/v1/payees/{payee_id}/progress",
    operation_id="getProgress",
    summary="A payee's progress in a period",
    tags=["Progress"],
    openapi_extra=operation(
        answers={200: ProgressAnswer, 304: None},
        problems=(*_READS, NotFound),
        parameters=(
            query("period", "A period's id; else the one of the business date.", example="2014-Q2"),
        ),
    ),
)
def get_progress(request: Request, payee_id: str) -> Response:
    """Attainment, pace and earned money, all of one committed state.

    Money of an open period is provisional, of a locked one final. A payee sees himself, a manager
    all below him today, an admin everyone; looking at another's page is written to the audit.
    """
    services = services_of(request)
    only(request, "period")
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        payee = access.require_payee(session, payee_id, world)
        period = _period(request, world)
        found = progress.answer(connection, world, services.shapes, payee, period)
    services.views.note(session, payee, world, request_id=request_id_of(request))
    return versioned(request, found, f"{payee}.{period.period_id}.{found.version}")


def _period(request: Request, world: World) -> Period:
    wanted = request.query_params.get("period")
    reference = world.reference
    found = periods.current(world) if wanted is None else reference.period(PeriodId(wanted))
    if found is None:
        raise NotFound
    return found


@router.get(
    "/v1/periods",
    operation_id="listPeriods",
    summary="The company's periods",
    tags=["Progress"],
    openapi_extra=operation(answers={200: Periods, 304: None}, problems=_READS),
)
def list_periods(request: Request) -> Response:
    """In order, with their states."""
    only(request)
    world = services_of(request).worlds.current()
    signed.session_in(request, world)
    current = periods.current(world)
    rows = sorted(world.reference.rows.periods, key=lambda period: period.starts_on)
    return hashed(
        request,
        Periods(
            periods=tuple(
                PeriodView(
                    period_id=period.period_id,
                    plan_year=period.plan_year,
                    name=periods.name(period),
                    starts_on=period.starts_on,
                    ends_on=period.ends_on,
                    state=period.state,
                    is_current=period == current,
                )
                for period in rows
            )
        ),
    )
