"""`GET /v1/me`: who you are, what time it is in the business, whose pages you may open."""

import datetime as dt

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, signed
from api.answers import answer, only
from api.openapi import operation
from api.problems import NotSignedIn, Unavailable, UnknownParameter
from api.services import Services, services_of
from api.sessions import Session, UserRole
from api.world import World
from schemas import limits
from schemas.ids import PayeeId
from schemas.live import Clock
from schemas.times import Instant

router = APIRouter()


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """A payee whose page you may open."""

    payee_id: str
    name: str
    title: str | None
    territory: str | None
    role: str | None  # None: not with the company today
    manager_id: str | None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who you are, what time it is in the business, and whose pages you may open."""

    user_id: str
    name: str | None
    role: UserRole
    payee_id: str | None
    scopes: tuple[str, ...]
    expires_at: Instant
    company: str
    currency: str
    time_zone: str
    clock: Clock
    business_date: dt.date
    is_demo: bool
    people: tuple[PersonView, ...]


@router.get(
    "/v1/me",
    operation_id="getMe",
    summary="Who you are, and whose pages you may open",
    tags=["Session"],
    openapi_extra=operation(
        answers={200: Me}, problems=(UnknownParameter, NotSignedIn, Unavailable)
    ),
)
def get_me(request: Request) -> Response:
    """At most LIST_ROWS_MAX people are listed; a page may be opened that is not."""
    services = services_of(request)
    only(request)
    world = services.worlds.current()
    return answer(_me(services, signed.session_in(request, world), world))


def _me(services: Services, session: Session, world: World) -> Me:
    user = world.users.get(session.user_id)
    seen = [
        payee_id
        for payee_id in world.people
        if access.may_see_payee(session, PayeeId(payee_id), world)
    ]
    return Me(
        user_id=session.user_id,
        name=user.name if user else None,
        role=session.role,
        payee_id=session.payee_id,
        scopes=session.scopes,
        expires_at=session.expires_at,
        company=world.reference.rows.company.name,
        currency=world.reference.currency,
        time_zone=world.reference.rows.company.time_zone,
        clock=world.now.frame,
        business_date=world.today,
        is_demo=services.is_demo,
        people=tuple(_person(PayeeId(id_), world) for id_ in seen[: limits.LIST_ROWS_MAX]),
    )


def _person(payee_id: PayeeId, world: World) -> PersonView:
    person = world.reference.person_on(payee_id, world.today)
    above = world.reference.managers_above(payee_id, world.today)
    return PersonView(
        payee_id=payee_id,
        name=world.name_of(payee_id),
        title=world.title_of(payee_id),
        territory=world.territory_of(payee_id),
        role=person.role if person else None,
        manager_id=above[0] if above else None,
    )
