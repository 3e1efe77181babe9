"""Alerts: the list, one with its evidence and history, acknowledged with a note."""

import asyncio
import datetime as dt
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, alertviews, channels, lists, periods, reading, signed
from api.answers import answer, only
from api.lists import Listing, Sort
from api.openapi import Example, operation
from api.problems import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    NotSignedIn,
    Unavailable,
    UnknownParameter,
)
from api.requests import request_id_of
from api.services import Services, services_of
from api.sessions import Session, UserRole
from api.world import World
from db import alert_reads as rows
from db import audit, feed
from db.alert_reads import AlertState, Happened, Said
from db.connect import Connection
from db.feed import DealName
from domain import wording
from domain.alerts import CLEAR_ABOVE
from domain.clock import business_at
from domain.exact import exact_arithmetic
from schemas import limits
from schemas.answers import (
    AlertAnswer,
    AlertDeal,
    AlertEvent,
    AlertNote,
    AlertRow,
    Alerts,
)
from schemas.ids import PayeeId, PeriodId
from schemas.live import PayeeRef
from schemas.messages import Alert, AlertKind
from schemas.money import ONE, exact, ratio, text_of

router = APIRouter()

_READS: Final = (Malformed, UnknownParameter, NotSignedIn, NotFound, Unavailable)
_WRITES: Final = (*_READS, Forbidden, Conflict, Invalid)
_HUNDRED: Final = Decimal(100)
_REMEDY: Final = f'Send {{"text": "..."}} of 1 to {limits.NOTE_LENGTH_MAX} characters.'
_EVENTS: Final = {"raised": "Raised", "updated": "Still so", "cleared": "Cleared"}
STATES: Final = ("open", "acknowledged", "cleared")
ALERTS: Final = Listing(
    name="alerts",
    sorts=(
        Sort("-first_raised_at", (dt.datetime, str)),
        Sort("first_raised_at", (dt.datetime, str)),
    ),
    filters=(
        lists.one_of("state", "Where it stands.", STATES),
        lists.text("payee_id", "About this payee.", example="p2d84358a80f1"),
        lists.one_of("kind", "Of this kind.", AlertKind),
        lists.text("period", "Of this period.", example="2014-Q2"),
    ),
)


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says of an alert."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.NOTE_LENGTH_MAX)]


@router.get(
    "/v1/alerts",
    operation_id="listAlerts",
    summary="Alerts about whom you may see",
    tags=["Alerts"],
    openapi_extra=operation(answers={200: Alerts}, problems=_READS, parameters=ALERTS.parameters()),
)
def list_alerts(request: Request) -> Response:
    """Open, acknowledged and cleared ones; by when each was raised first, the newest first."""
    services = services_of(request)
    asked = ALERTS.asked(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        if "payee_id" in asked.filters:
            access.require_payee(session, asked.filters["payee_id"], world)
        found = rows.alerts(
            connection,
            asked.keyset,
            payees=access.payees_seen(session, world),
            filters=asked.filters,
        )
        page = asked.page(found, lambda one: (one.first_raised_at, one.alert_id))
        with exact_arithmetic():
            shown = tuple(_row(one, session, world) for one in page.rows)
    return answer(Alerts(rows=shown, next_cursor=page.next_cursor))


@router.get(
    "/v1/alerts/{alert_id}",
    operation_id="getAlert",
    summary="An alert with its evidence",
    tags=["Alerts"],
    openapi_extra=operation(answers={200: AlertAnswer}, problems=_READS),
)
def get_alert(request: Request, alert_id: str) -> Response:
    """What was credited, what is expected by now and by which curve, what each day left must
    bring, the last deals; what happened, and what people said."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        found = _seen(connection, session, world, alert_id)
        shown = _answer(connection, found, session, world)
    if found.payee_id is not None:
        services.views.note(session, found.payee_id, world, request_id=request_id_of(request))
    return answer(shown)


@router.post(
    "/v1/alerts/{alert_id}/acknowledge",
    operation_id="acknowledgeAlert",
    summary="Acknowledge an alert",
    tags=["Alerts"],
    openapi_extra=operation(
        body=Told,
        examples={"one": Example("With a note", Told(text="We talk on Friday about Acme."))},
        answers={200: AlertAnswer},
        problems=_WRITES,
    ),
)
async def acknowledge(request: Request, alert_id: str) -> Response:
    """Say that you know, and what you do. It stays raised until the numbers clear it; when it is
    raised anew it is open again. For who leads the payee today, and admins; 409 when it is cleared
    or acknowledged already."""
    return await _told(request, alert_id, is_acknowledgement=True)


@router.post(
    "/v1/alerts/{alert_id}/notes",
    operation_id="noteAlert",
    summary="Write a note to an alert",
    tags=["Alerts"],
    openapi_extra=operation(
        body=Told,
        examples={"one": Example("A note", Told(text="Two offers are out."))},
        answers={200: AlertAnswer},
        problems=_WRITES,
    ),
)
async def add_note(request: Request, alert_id: str) -> Response:
    """For who leads the payee today, and admins. The payee reads it."""
    return await _told(request, alert_id, is_acknowledgement=False)


async def _told(request: Request, alert_id: str, *, is_acknowledgement: bool) -> Response:
    services = services_of(request)
    only(request)
    told = reading.decoded(await request.body(), Told, remedy=_REMEDY)
    if not told.text.strip() or "\x00" in told.text:
        raise Invalid("The note is empty.")
    shown, payee = await asyncio.to_thread(_write, request, alert_id, told, is_acknowledgement)
    if payee is not None:
        services.hub.hint(channels.channel(channels.PAYEE, payee))
        for manager in services.live.teams_of(payee):
            services.hub.hint(channels.channel(channels.TEAM, manager))
    return answer(shown)


def _write(
    request: Request, alert_id: str, told: Told, is_acknowledgement: bool
) -> tuple[AlertAnswer, PayeeId | None]:
    services = services_of(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        found = _seen(connection, session, world, alert_id)
    if not _may_acknowledge(session, found):
        raise Forbidden("Who leads the payee acknowledges an alert and writes notes to it.")
    _record(services, request, session, found, told, is_acknowledgement)
    with services.worlds.snapshot() as (connection, world):
        now = _seen(connection, session, world, alert_id)
        return _answer(connection, now, session, world), found.payee_id


def _record(
    services: Services,
    request: Request,
    session: Session,
    found: AlertState,
    told: Told,
    is_acknowledgement: bool,
) -> None:
    """The note and its line in the audit, in one transaction."""
    said = {"author": session.user_id, "text": told.text.strip()}
    with services.pool.connection() as connection, connection.transaction():
        if is_acknowledgement:
            if rows.acknowledge(connection, found.alert_id, **said) is None:
                raise Conflict(
                    "It is cleared, or somebody has acknowledged it already: look again, and write "
                    "a note if there is something to add."
                )
        else:
            rows.note(connection, found.alert_id, **said)
        audit.record(
            connection,
            actor=session.user_id,
            action="acknowledge alert" if is_acknowledgement else "note alert",
            entity=f"alert/{found.alert_id}",
            after={"raised_on": found.raised_on, "version": found.version},
            request_id=request_id_of(request),
        )


def _seen(connection: Connection, session: Session, world: World, alert_id: str) -> AlertState:
    """The alert, if it may be seen. Raises NotFound."""
    found = rows.alert(connection, alert_id) if "\x00" not in alert_id else None
    if found is None:
        raise NotFound
    is_of_seen = found.payee_id is not None and access.may_see_payee(session, found.payee_id, world)
    if not is_of_seen and session.role is not UserRole.ADMIN:
        raise NotFound
    return found


def _may_acknowledge(session: Session, found: AlertState) -> bool:
    """Who sees it and is not the one it is about."""
    is_own = found.payee_id is not None and session.payee_id == found.payee_id
    return session.role is not UserRole.REP and not is_own


# ---- as people read it ---------------------------------------------------------------------------


def _row(found: AlertState, session: Session, world: World) -> AlertRow:
    alert = found.alert
    period = world.reference.period(PeriodId(found.period_id))
    name = world.name_of(found.payee_id) if found.payee_id else alert.subject
    standing = "cleared" if found.state != "raised" else "open"
    return AlertRow(
        alert_id=found.alert_id,
        kind=alert.kind.value,
        severity=alert.severity.value,
        state="acknowledged" if found.is_acknowledged else standing,
        payee=PayeeRef(payee_id=found.payee_id, name=name),
        manager=_manager(found, session, world),
        period=found.period_id,
        period_name=periods.name(period) if period else found.period_id,
        raised_on=found.raised_on or alert.raised_on or alert.business_date,
        first_raised_at=found.first_raised_at,
        last_change_on=alert.business_date,
        version=found.version,
        words=f"{name} is off pace" if found.state == "raised" else f"{name} is back on pace",
        pace_ratio=alert.pace_ratio,
        short_of_pace=alertviews.short_of(alert),
        currency=alert.currency,
    )


def _manager(found: AlertState, session: Session, world: World) -> PayeeRef | None:
    if found.manager_id is None:
        return None
    return world.ref(found.manager_id)


def _answer(
    connection: Connection, found: AlertState, session: Session, world: World
) -> AlertAnswer:
    alert = found.alert
    names = feed.names(connection, [deal.deal_id for deal in alert.last_deals])
    happened = rows.events(connection, found.alert_id, limits.ALERT_EVENTS_SHOWN_MAX)
    said = rows.said(connection, found.alert_id, limits.ALERT_NOTES_SHOWN_MAX)
    with exact_arithmetic():
        expected = exact(alert.quota) * exact(alert.expected_share)
        return AlertAnswer(
            alert=_row(found, session, world),
            first_value=alert.first_value,
            threshold=alert.threshold,
            clears_above=text_of(CLEAR_ABOVE),
            credited=alert.credited,
            quota=alert.quota,
            attainment_ratio=alert.attainment_ratio,
            expected_share=alert.expected_share,
            expected_now=alert.expected_now or text_of(expected),
            curve=alert.curve,
            working_days_left=alert.working_days_left or 0,
            required_per_remaining_working_day=alert.required_per_remaining_working_day,
            last_deals=tuple(
                AlertDeal(
                    deal_id=deal.deal_id,
                    key=wording.key_of(deal.deal_id),
                    name=names.get(deal.deal_id, DealName(None, None, None, None)).name,
                    closed_on=deal.closed_on,
                    credited=deal.credited,
                )
                for deal in alert.last_deals
            ),
            deal_count=alert.deal_count or len(alert.last_deals),
            suggested_action=alert.suggested_action,
            may_acknowledge=found.state == "raised"
            and not found.is_acknowledged
            and _may_acknowledge(session, found),
            may_note=_may_acknowledge(session, found),
            events=tuple(map(_event, happened)),
            notes=tuple(_note(one, world) for one in said),
        )


def _event(happened: Happened) -> AlertEvent:
    alert: Alert = happened.alert
    percent = ratio(exact(alert.pace_ratio) * _HUNDRED, ONE, places=1)
    return AlertEvent(
        event=happened.event,
        business_date=alert.business_date,
        pace_ratio=alert.pace_ratio,
        words=f"{_EVENTS[happened.event]} at {percent} % of what was expected",
    )


def _note(said: Said, world: World) -> AlertNote:
    user = world.users.get(said.author)
    return AlertNote(
        at=said.at,
        business_at=business_at(world.now.rows, said.at),
        by=user.name if user else said.author,
        is_acknowledgement=said.is_acknowledgement,
        text=said.text,
    )
