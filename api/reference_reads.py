"""People, quotas and plans as they are known now: whom you may see, with an ETag of the content.

So a program can keep them, and ask whether they changed at the price of a comparison.
"""

import datetime as dt

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, signed
from api.answers import hashed, only
from api.openapi import operation
from api.problems import NotSignedIn, Unavailable, UnknownParameter
from api.services import services_of
from api.world import World
from schemas.ids import PayeeId
from schemas.live import PayeeRef
from schemas.money import Booked, text_of
from schemas.plan import PlanDocument
from schemas.reference import Assignment, Plan

router = APIRouter()

_READS = (UnknownParameter, NotSignedIn, Unavailable)


class SourceKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """By which key a source names a person."""

    source: str
    key: str


class PersonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person whom you may see, as he is on the business date; `None`: not on that day."""

    payee_id: str
    name: str
    title: str | None
    role: str | None
    territory: str | None
    manager: PayeeRef | None  # the nearest above him
    keys: tuple[SourceKeyView, ...]


class People(msgspec.Struct, frozen=True, kw_only=True):
    """The people whom you may see, by name."""

    people: tuple[PersonRecord, ...]


class QuotaView(msgspec.Struct, frozen=True, kw_only=True):
    """A payee's quota of a period."""

    payee: PayeeRef
    period: str
    amount: Booked
    currency: str


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """The quotas of whom you may see, by period and name."""

    quotas: tuple[QuotaView, ...]


class AssignmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payee's to a plan, over [starts_on, ends_on); `rate`: his own, where he has one."""

    payee: PayeeRef
    starts_on: dt.date
    ends_on: dt.date | None
    rate: str | None


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a plan, and who of those you may see is paid by the plan."""

    plan_id: str
    starts_on: dt.date
    ends_on: dt.date | None
    document: PlanDocument
    assignments: tuple[AssignmentView, ...]


class Plans(msgspec.Struct, frozen=True, kw_only=True):
    """The plans of whom you may see, each in all its versions; of an admin all plans."""

    plans: tuple[PlanView, ...]


@router.get(
    "/v1/people",
    operation_id="listPeople",
    summary="The people you may see",
    tags=["Reference"],
    openapi_extra=operation(answers={200: People, 304: None}, problems=_READS),
)
def list_people(request: Request) -> Response:
    """Yourself, all below you today, or everyone: with role, manager and the sources' keys.

    `If-None-Match` with the ETag of the answer you hold: 304 while nothing has changed.
    """
    world, seen, _ = _seen(request)
    keys: dict[str, list[SourceKeyView]] = {}
    for row in world.reference.rows.payee_keys:
        keys.setdefault(row.payee_id, []).append(SourceKeyView(source=row.source, key=row.key))
    return hashed(
        request,
        People(people=tuple(_person(world, payee, keys.get(payee, [])) for payee in seen)),
    )


@router.get(
    "/v1/quotas",
    operation_id="listQuotas",
    summary="The quotas of whom you may see",
    tags=["Reference"],
    openapi_extra=operation(answers={200: Quotas, 304: None}, problems=_READS),
)
def list_quotas(request: Request) -> Response:
    """One for each payee and period that has one, in the company's currency."""
    world, seen, _ = _seen(request)
    place = {payee: index for index, payee in enumerate(seen)}
    found = [row for row in world.reference.rows.quotas if row.payee_id in place]
    found.sort(key=lambda row: (row.period_id, place[row.payee_id]))
    return hashed(
        request,
        Quotas(
            quotas=tuple(
                QuotaView(
                    payee=world.ref(row.payee_id),
                    period=row.period_id,
                    amount=text_of(row.amount),
                    currency=world.reference.currency,
                )
                for row in found
            )
        ),
    )


@router.get(
    "/v1/plans",
    operation_id="listPlans",
    summary="The plans of whom you may see",
    tags=["Reference"],
    openapi_extra=operation(answers={200: Plans, 304: None}, problems=_READS),
)
def list_plans(request: Request) -> Response:
    """Each version of each plan by which somebody you may see is paid; an admin sees all.

    A payee reads here the rates by which he is paid, and nobody else's.
    """
    world, seen, are_all = _seen(request)
    known = frozenset(seen)
    mine: dict[str, list[Assignment]] = {}
    for row in world.reference.rows.assignments:
        if row.payee_id in known:
            mine.setdefault(row.plan_id, []).append(row)
    plans = [row for row in world.reference.rows.plans if are_all or row.plan_id in mine]
    plans.sort(key=lambda row: (row.plan_id, row.starts_on))
    return hashed(
        request,
        Plans(plans=tuple(_plan(world, row, mine.get(row.plan_id, [])) for row in plans)),
    )


def _seen(request: Request) -> tuple[World, list[PayeeId], bool]:
    """The world, whom the caller may see, by name, and whether that is everybody."""
    only(request)
    world = services_of(request).worlds.current()
    session = signed.session_in(request, world)
    allowed = access.payees_seen(session, world)
    seen = [PayeeId(one) for one in world.people] if allowed is None else list(allowed)
    return world, sorted(seen, key=lambda one: (world.name_of(one), one)), allowed is None


def _person(world: World, payee: PayeeId, keys: list[SourceKeyView]) -> PersonRecord:
    person = world.reference.person_on(payee, world.today)
    above = world.reference.managers_above(payee, world.today)
    return PersonRecord(
        payee_id=payee,
        name=world.name_of(payee),
        title=world.title_of(payee),
        role=person.role.value if person else None,
        territory=world.territory_of(payee),
        manager=world.ref(above[0]) if above else None,
        keys=tuple(sorted(keys, key=lambda one: (one.source, one.key))),
    )


def _plan(world: World, plan: Plan, assignments: list[Assignment]) -> PlanView:
    rows = sorted(assignments, key=lambda one: (world.name_of(one.payee_id), one.starts_on))
    return PlanView(
        plan_id=plan.plan_id,
        starts_on=plan.starts_on,
        ends_on=plan.ends_on,
        document=plan.document,
        assignments=tuple(
            AssignmentView(
                payee=world.ref(one.payee_id),
                starts_on=one.starts_on,
                ends_on=one.ends_on,
                rate=None if one.rate is None else text_of(one.rate),
            )
            for one in rows
        ),
    )
