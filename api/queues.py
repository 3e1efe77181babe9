"""What waits for somebody: held shares, dead letters, deals that are not eligible, sources."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, lists, periods, progress, signed
from api.answers import answer, only
from api.lists import Listing, Sort
from api.openapi import operation
from api.problems import Malformed, NotFound, NotSignedIn, Unavailable, UnknownParameter
from api.services import services_of
from api.sessions import Session
from api.world import World
from db import alert_reads
from db import progress as progress_rows
from db import queues as rows
from db import team as team_rows
from db.connect import Connection
from db.queues import Group, Held, Letter, Source
from domain import wording
from domain.fates import HOLD_WORDS
from schemas import limits
from schemas.answers import (
    AdminAnswer,
    DeadLetterAnswer,
    DeadLetterRow,
    DeadLetters,
    HeldPage,
    HeldView,
    IneligiblePage,
    IneligibleRow,
    Queue,
    QueueGroup,
    QueueMoney,
    Sources,
    SourceView,
)
from schemas.ids import PayeeId
from schemas.messages import PeriodState, RefusalCode
from schemas.money import ZERO, text_of
from schemas.refusals import HOLDS, REMEDIES
from schemas.state import HoldReason
from schemas.text import printable

router = APIRouter()

_READS: Final = (Malformed, UnknownParameter, NotSignedIn, NotFound, Unavailable)
_MINUTE: Final = 60
_Q: Final = "Whose source id begins with this, or whose name contains it."
HELD: Final = Listing(
    name="held",
    sorts=(
        Sort("held_since", (dt.datetime, str, str)),
        Sort("-held_since", (dt.datetime, str, str)),
    ),
    filters=(
        lists.one_of("reason", "Held for this reason.", HoldReason),
        lists.text("payee_id", "Which would be this payee's.", example="p2d84358a80f1"),
        lists.text("source", "Of this source.", example="adventureworks"),
        lists.text("q", _Q, example="SO69393"),
    ),
)
NOT_ELIGIBLE: Final = Listing(
    name="not-eligible",
    sorts=(Sort("-received_at", (dt.datetime, str)), Sort("received_at", (dt.datetime, str))),
    filters=(
        lists.text("rule_id", "Excluded by this rule.", example="online"),
        lists.text("source", "Of this source.", example="adventureworks"),
        lists.text("q", _Q, example="SO43697"),
        *lists.between(lists.date, "closed_on", "Closed"),
    ),
)
DEAD_LETTERS: Final = Listing(
    name="dead-letters",
    sorts=(Sort("-booked_at", (dt.datetime, str)), Sort("booked_at", (dt.datetime, str))),
    filters=(
        lists.one_of("code", "Refused for this reason.", RefusalCode),
        lists.text("q", "Whose key, or source id, begins with this.", example="SO69393"),
    ),
)


# ---- held ----------------------------------------------------------------------------------------


@router.get(
    "/v1/held",
    operation_id="listHeld",
    summary="Held shares",
    tags=["Queues"],
    openapi_extra=operation(answers={200: HeldPage}, problems=_READS, parameters=HELD.parameters()),
)
def list_held(request: Request) -> Response:
    """Shares that wait, of whom you may see; the longest wait first. Credited by themselves as
    soon as the reason is gone."""
    services = services_of(request)
    asked = HELD.asked(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        payee = asked.filters.get("payee_id")
        if payee is not None:
            access.require_payee(session, payee, world)
        found = rows.held(
            connection,
            asked.keyset,
            keys=_keys(session, world),
            filters=asked.filters,
            payee_keys=world.reference.keys_of([PayeeId(payee)]) if payee else (),
        )
        page = asked.page(found, lambda one: (one.held_since, one.deal_id, one.share))
        shown = tuple(_held(one, session, world) for one in page.rows)
    return answer(HeldPage(rows=shown, next_cursor=page.next_cursor))


@router.get(
    "/v1/held/summary",
    operation_id="getHeldSummary",
    summary="Held shares by reason",
    tags=["Queues"],
    openapi_extra=operation(answers={200: Queue}, problems=_READS),
)
def get_held_summary(request: Request) -> Response:
    """Count and money of each reason, of whom you may see."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        return answer(held_queue(connection, session, world))


def held_queue(connection: Connection, session: Session, world: World) -> Queue:
    """The queue of held shares."""
    found = rows.held_groups(connection, keys=_keys(session, world))
    return _queue(
        found,
        words=lambda reason, _: _sentence(HOLD_WORDS[HoldReason(reason)]),
        step=lambda reason: HOLDS[HoldReason(reason)],
    )


def _keys(session: Session, world: World) -> list[str] | None:
    payees = access.payees_seen(session, world)
    return None if payees is None else world.reference.keys_of(payees)


def _held(found: Held, session: Session, world: World) -> HeldView:
    payee = found.payee_key and world.reference.payee_of(found.source, found.payee_key)
    return HeldView(
        deal_id=found.deal_id,
        key=wording.key_of(found.deal_id),
        source=found.source,
        name=found.name,
        share=found.share,
        reason=found.reason,
        reason_words=_sentence(found.detail),
        next_step=HOLDS[found.reason],
        payee=world.ref(payee) if payee else None,
        payee_key=found.payee_key,
        role=found.role,
        amount=text_of(found.amount),
        currency=found.currency,
        closed_on=found.closed_on,
        held_since=found.held_since,
    )


# ---- not eligible --------------------------------------------------------------------------------


@router.get(
    "/v1/not-eligible",
    operation_id="listNotEligible",
    summary="Deals that a rule excludes",
    tags=["Queues"],
    openapi_extra=operation(
        answers={200: IneligiblePage}, problems=_READS, parameters=NOT_ELIGIBLE.parameters()
    ),
)
def list_not_eligible(request: Request) -> Response:
    """Nobody has to act: they are counted and listed so that they can be found. For admins."""
    services = services_of(request)
    asked = NOT_ELIGIBLE.asked(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        found = rows.excluded(connection, asked.keyset, asked.filters)
        page = asked.page(found, lambda one: (one.received_at, one.deal_id))
    shown = tuple(
        IneligibleRow(
            deal_id=one.deal_id,
            key=wording.key_of(one.deal_id),
            name=one.name,
            rule_id=one.rule_id,
            reason=one.reason,
            amount=None if one.amount is None else text_of(one.amount),
            currency=one.currency,
            closed_on=one.closed_on,
            booked_at=one.booked_at,
        )
        for one in page.rows
    )
    return answer(IneligiblePage(rows=shown, next_cursor=page.next_cursor))


@router.get(
    "/v1/not-eligible/summary",
    operation_id="getNotEligibleSummary",
    summary="Deals that are not eligible, by rule",
    tags=["Queues"],
    openapi_extra=operation(answers={200: Queue}, problems=_READS),
)
def get_not_eligible_summary(request: Request) -> Response:
    """Count and money of each rule. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        return answer(not_eligible_queue(connection))


def not_eligible_queue(connection: Connection) -> Queue:
    """Deals that are not eligible, by rule."""
    return _queue(
        rows.excluded_groups(connection),
        words=lambda _, detail: _sentence(detail or "a rule excludes them"),
        step=lambda _: "Nobody has to act.",
    )


# ---- dead letters --------------------------------------------------------------------------------


@router.get(
    "/v1/dead-letters",
    operation_id="listDeadLetters",
    summary="Refused records",
    tags=["Queues"],
    openapi_extra=operation(
        answers={200: DeadLetters}, problems=_READS, parameters=DEAD_LETTERS.parameters()
    ),
)
def list_dead_letters(request: Request) -> Response:
    """What was refused, where it came from, why, and what to do. For admins."""
    services = services_of(request)
    asked = DEAD_LETTERS.asked(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        found = rows.letters(
            connection,
            asked.keyset,
            asked.filters,
            value_bytes_max=limits.LETTER_START_BYTES,
        )
        page = asked.page(found, lambda one: (one.booked_at, one.dead_letter_id))
        shown = tuple(_letter(one, world) for one in page.rows)
    return answer(DeadLetters(rows=shown, next_cursor=page.next_cursor))


@router.get(
    "/v1/dead-letters/summary",
    operation_id="getDeadLetterSummary",
    summary="Refused records by reason",
    tags=["Queues"],
    openapi_extra=operation(answers={200: Queue}, problems=_READS),
)
def get_dead_letter_summary(request: Request) -> Response:
    """How many for each reason; what they were worth cannot be known. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        return answer(dead_letter_queue(connection))


@router.get(
    "/v1/dead-letters/{dead_letter_id}",
    operation_id="getDeadLetter",
    summary="A refused record, whole",
    tags=["Queues"],
    openapi_extra=operation(answers={200: DeadLetterAnswer}, problems=_READS),
)
def get_dead_letter(request: Request, dead_letter_id: str) -> Response:
    """The record as it was received, as text. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        found = (
            None
            if "\x00" in dead_letter_id
            else rows.letter(connection, dead_letter_id, value_bytes_max=limits.BODY_BYTES_MAX)
        )
        if found is None:
            raise NotFound
        return answer(DeadLetterAnswer(letter=_letter(found, world), value=printable(found.value)))


def dead_letter_queue(connection: Connection) -> Queue:
    """Refused records by reason."""
    return _queue(
        rows.letter_groups(connection),
        words=lambda reason, _: _sentence(reason.replace("_", " ")),
        step=lambda reason: REMEDIES[RefusalCode(reason)],
    )


def _letter(found: Letter, world: World) -> DeadLetterRow:
    from_start = printable(found.value[: limits.LETTER_START_BYTES])
    return DeadLetterRow(
        dead_letter_id=found.dead_letter_id,
        code=found.code,
        source_key=found.source_key,
        where=found.place,
        problem=found.problem,
        next_step=found.remedy,
        topic=found.topic,
        partition=found.partition,
        offset=found.offset,
        value_start=from_start,
        value_bytes=found.value_bytes,
        booked_at=found.booked_at,
        business_at=world.now.at(found.booked_at).business,
    )


# ---- sources, and the admin's first page ---------------------------------------------------------


@router.get(
    "/v1/sources",
    operation_id="listSources",
    summary="Where deals come from, and how far each is complete",
    tags=["Queues"],
    openapi_extra=operation(answers={200: Sources}, problems=_READS),
)
def list_sources(request: Request) -> Response:
    """Those registered and those heard of, with what became of their deals. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        return answer(Sources(rows=source_views(connection, world)))


@router.get(
    "/v1/admin",
    operation_id="getAdmin",
    summary="The admin's first page",
    tags=["Queues"],
    openapi_extra=operation(answers={200: AdminAnswer}, problems=_READS),
)
def get_admin(request: Request) -> Response:
    """All queues by count and money, the sources, and the period whose lock is next: one state."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        access.require_admin(session)
        complete_seconds = progress_rows.complete_seconds(connection)
        mark = team_rows.mark(connection)
        return answer(
            AdminAnswer(
                version=progress.version(world, mark, complete_seconds),
                clock=world.now.frame,
                business_date=world.today,
                held=held_queue(connection, session, world),
                dead_letters=dead_letter_queue(connection),
                not_eligible=not_eligible_queue(connection),
                sources=source_views(connection, world),
                period=_next_to_lock(world),
                alerts_open=alert_reads.open_count(connection),
            )
        )


def source_views(connection: Connection, world: World) -> tuple[SourceView, ...]:
    """All sources, by name."""
    return tuple(_source(one, world) for one in rows.sources(connection))


def _source(found: Source, world: World) -> SourceView:
    return SourceView(
        source=found.source,
        description=found.description,
        complete_through=found.complete_through,
        business_behind=_behind(found.complete_through, world.now.business),
        last_booked_at=found.last_booked_at,
        deals=found.deals,
        credited=found.credited,
        held=found.held,
        not_eligible=found.not_eligible,
        not_counted=found.not_counted,
        refused=found.refused,
    )


def _behind(complete: dt.datetime | None, now: dt.datetime) -> str | None:
    """ "2 h behind" by the business clock; None when not known."""
    if complete is None:
        return None
    minutes = int((now - complete).total_seconds()) // _MINUTE
    if minutes < 1:
        return "up to date"
    if minutes < _MINUTE:
        return f"{minutes} min behind"
    hours = minutes // _MINUTE
    return f"{hours} h behind" if hours < 48 else f"{hours // 24} days behind"


def _next_to_lock(world: World) -> str:
    """The first open period; when none is open, the current one."""
    ordered = sorted(world.reference.rows.periods, key=lambda period: period.starts_on)
    found = next((one for one in ordered if one.state is PeriodState.OPEN), None)
    shown = found or periods.current(world)
    assert shown is not None, "an installation has periods"
    return shown.period_id


# ---- queues --------------------------------------------------------------------------------------


def _queue(
    found: Iterable[Group],
    *,
    words: Callable[[str, str | None], str],
    step: Callable[[str], str],
) -> Queue:
    """A queue by reason: most money first, in the currency that has most of it; then by count."""
    by_reason: dict[str, list[Group]] = defaultdict(list)
    for one in found:
        by_reason[one.reason].append(one)
    groups = [
        QueueGroup(
            reason=reason,
            reason_words=words(reason, of[0].detail),
            next_step=step(reason),
            count=sum(one.total for one in of),
            money=_money(of),
            oldest=min((one.oldest for one in of if one.oldest), default=None),
        )
        for reason, of in by_reason.items()
    ]
    groups.sort(key=lambda group: (-_most(by_reason[group.reason]), -group.count, group.reason))
    everything = [one for of in by_reason.values() for one in of]
    return Queue(
        count=sum(one.total for one in everything), money=_money(everything), groups=tuple(groups)
    )


def _most(groups: Iterable[Group]) -> Decimal:
    return max((abs(one.amount) for one in groups if one.amount is not None), default=ZERO)


def _money(groups: Iterable[Group]) -> tuple[QueueMoney, ...]:
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for one in groups:
        if one.currency is not None and one.amount is not None:
            sums[one.currency] += one.amount
    return tuple(
        QueueMoney(currency=currency, amount=text_of(amount))
        for currency, amount in sorted(sums.items())
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
