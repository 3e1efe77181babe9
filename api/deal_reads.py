"""Deals as they stand: one opened, lists, credits as booked, and what became of what was sent."""

import datetime as dt
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, deal_answers, fates, lists, signed
from api.answers import answer, hashed, only
from api.lists import Asked, Listing, Sort
from api.openapi import operation, query
from api.problems import Malformed, NotFound, NotSignedIn, Unavailable, UnknownParameter
from api.requests import request_id_of
from api.services import Services, services_of
from api.sessions import Session
from api.world import World
from db import deals as rows
from db.deals import Seen
from schemas import limits
from schemas.answers import Credits, DealAnswer, DealFate, Deals, Fate, Fates
from schemas.ids import PayeeId, PeriodId
from schemas.messages import DealStatus
from schemas.state import DealOutcome

router = APIRouter()

_READS: Final = (Malformed, UnknownParameter, NotSignedIn, NotFound, Unavailable)
_SHOWN: Final = tuple(
    fate for fate in Fate if fate.value in {outcome.value for outcome in DealOutcome}
)
_PAYEE: Final = lists.text("payee_id", "Of this payee.", example="p2d84358a80f1")
_PERIOD: Final = lists.text("period", "Of this period.", example="2014-Q2")
DEALS: Final = Listing(
    name="deals",
    sorts=(
        Sort("-received_at", (dt.datetime, str)),
        Sort("received_at", (dt.datetime, str)),
        Sort("deal_id", (str,)),
    ),
    filters=(
        _PAYEE,
        lists.text("period", "Closed in this period.", example="2014-Q2"),
        lists.one_of("fate", "What became of it.", [fate.value for fate in _SHOWN]),
        lists.one_of("status", "Where it stands in its source.", DealStatus),
        lists.text("source", "Of this source.", example="adventureworks"),
        lists.text(
            "q",
            "Whose source id begins with this, or whose name or customer contains it.",
            example="SO69393",
        ),
        *lists.between(lists.date, "closed_on", "Closed"),
        *lists.between(lists.instant, "booked_at", "Booked", ends=("gte",)),
    ),
)
CREDITS: Final = Listing(
    name="credits",
    sorts=(Sort("-booked_at", (dt.datetime, str)), Sort("booked_at", (dt.datetime, str))),
    filters=(
        _PAYEE,
        lists.text("deal_id", "Of this deal.", example="adventureworks:SO69393"),
        _PERIOD,
        *lists.between(lists.instant, "booked_at", "Booked"),
    ),
)


@router.get(
    "/v1/deals",
    operation_id="listDeals",
    summary="Deals as they stand",
    tags=["Deals"],
    openapi_extra=operation(answers={200: Deals}, problems=_READS, parameters=DEALS.parameters()),
)
def list_deals(request: Request) -> Response:
    """Deals that concern whom you may see: credited to him now or before, held for him, or naming
    him. To look at another's is written to the audit."""
    services = services_of(request)
    asked = DEALS.asked(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        filters, parameters = _meant(asked, session, world)
        found = rows.deals(
            connection,
            asked.keyset,
            asked.sort.name,
            seen=_seen(session, world),
            filters=filters,
            parameters=parameters,
        )
        page = asked.page(found, _deal_key(asked))
        shown = tuple(deal_answers.row(deal, session, world) for deal in page.rows)
    _note(services, session, asked, world, request)
    return answer(Deals(rows=shown, next_cursor=page.next_cursor))


@router.get(
    "/v1/deals/{deal_id:path}",
    operation_id="getDeal",
    summary="A deal opened to its receipt",
    tags=["Deals"],
    openapi_extra=operation(answers={200: DealAnswer, 304: None}, problems=_READS),
)
def get_deal(request: Request, deal_id: str) -> Response:
    """What became of it, what it pays whom you may see and why, its credits and its revisions.

    A deal that names nobody, as an online order, has an outline for everyone who is signed in.
    """
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        found = deal_answers.deal_answer(connection, world, session, _id(deal_id))
        if found is None:
            raise NotFound
    # By content: what a deal pays depends on every other deal of the account.
    return hashed(request, found, but="clock")


@router.get(
    "/v1/credits",
    operation_id="listCredits",
    summary="Credits and reversals as booked",
    tags=["Deals"],
    openapi_extra=operation(
        answers={200: Credits}, problems=_READS, parameters=CREDITS.parameters()
    ),
)
def list_credits(request: Request) -> Response:
    """Of the payees whom you may see, newest first."""
    services = services_of(request)
    asked = CREDITS.asked(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        filters: dict[str, Any] = dict(asked.filters)
        if "payee_id" in filters:
            payee = access.require_payee(session, filters["payee_id"], world)
            filters["payee_id"] = [payee]
        found = rows.credits(
            connection,
            asked.keyset,
            payees=access.payees_seen(session, world),
            filters=filters,
        )
        page = asked.page(found, lambda one: (one.booked_at, one.credit.credit_id))
        shown = tuple(deal_answers.credit_view(one, session, world) for one in page.rows)
    _note(services, session, asked, world, request)
    return answer(Credits(rows=shown, next_cursor=page.next_cursor))


@router.get(
    "/v1/tracking/{tracking_id}",
    operation_id="getFate",
    summary="What became of what was sent",
    tags=["Deals"],
    openapi_extra=operation(answers={200: DealFate}, problems=_READS),
)
def get_fate(request: Request, tracking_id: str) -> Response:
    """By the tracking id that `POST /v1/deals` answered with, or that the record carries.

    Who posts deals may ask for any; people for those of deals that they may see.
    """
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        found = fates.of_tracking(connection, world, session, services.postings, _id(tracking_id))
        if found is None:
            raise NotFound
        fate, deal = found
        if not access.may_ask_fates(session) and not fates.may_ask(
            connection, world, session, deal
        ):
            raise NotFound
    return answer(fate)


@router.get(
    "/v1/tracking",
    operation_id="listFates",
    summary="All that was sent of one deal",
    tags=["Deals"],
    openapi_extra=operation(
        answers={200: Fates},
        problems=_READS,
        parameters=(
            {
                **query(
                    "deal_id",
                    "The deal's id.",
                    example="adventureworks:SO69393",
                    schema={"type": "string", "minLength": 1},
                ),
                "required": True,
            },
        ),
    ),
)
def list_fates(request: Request) -> Response:
    """Its revisions and its refused records, newest first, each with what became of it."""
    services = services_of(request)
    only(request, "deal_id")
    deal_id = request.query_params.get("deal_id")
    if not deal_id:
        raise Malformed("Say which deal: ?deal_id=source:key.")
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        found = fates.of_deal(connection, world, session, _id(deal_id))
        if not access.may_ask_fates(session):
            deal = rows.deal(connection, deal_id)
            if not fates.may_ask(connection, world, session, deal):
                raise NotFound
        if not found:
            raise NotFound
    return answer(Fates(rows=found))


def _id(given: str) -> str:
    """An id as it may stand in the database. Raises NotFound for what cannot."""
    if not given or len(given) > 2 * limits.KEY_LENGTH_MAX or "\x00" in given:
        raise NotFound
    return given


def _deal_key(asked: Asked) -> Any:
    if asked.sort.name == "deal_id":
        return lambda deal: (deal.deal_id,)
    return lambda deal: (deal.received_at, deal.deal_id)


def _seen(session: Session, world: World) -> Seen | None:
    payees = access.payees_seen(session, world)
    return None if payees is None else _of(payees, world)


def _of(payees: tuple[PayeeId, ...], world: World) -> Seen:
    return Seen(payees, tuple(world.reference.keys_of(payees)))


def _meant(asked: Asked, session: Session, world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """The filters, and what the database needs to know of them. Raises NotFound."""
    filters: dict[str, Any] = dict(asked.filters)
    more: dict[str, Any] = {}
    if "payee_id" in filters:
        payee = access.require_payee(session, filters["payee_id"], world)
        filters["payee_id"] = [payee]
        more["payee_keys"] = world.reference.keys_of([payee])
    if "period" in filters:
        period = world.reference.period(PeriodId(filters["period"]))
        if period is None:
            raise NotFound
        more |= {"period_starts": period.starts_on, "period_ends": period.ends_on}
    return filters, more


def _note(
    services: Services, session: Session, asked: Asked, world: World, request: Request
) -> None:
    """To look at another's deals is to look at his page."""
    payee = asked.filters.get("payee_id")
    if payee is not None:
        services.views.note(session, PayeeId(payee), world, request_id=request_id_of(request))
