"""Sign in (in a demo), who is signed in, sign out."""

import datetime as dt
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import sessions, signed, signin
from api.answers import answer, only
from api.openapi import Example, operation
from api.problems import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    NotSignedIn,
    Unavailable,
    UnknownParameter,
)
from api.reading import decoded
from api.services import services_of
from api.sessions import Session, UserRole
from schemas import limits
from schemas.times import Instant

router = APIRouter()

_READS: Final = (UnknownParameter, NotSignedIn)


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which person to be. Only in a demo: there is no password."""

    user_id: str


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in, and until when."""

    user_id: str
    role: UserRole
    payee_id: str | None
    scopes: tuple[str, ...]
    expires_at: Instant


class DemoUser(msgspec.Struct, frozen=True, kw_only=True):
    """A person that the demo lets you be."""

    user_id: str
    name: str
    role: UserRole
    payee_id: str | None
    title: str | None


class DemoUsers(msgspec.Struct, frozen=True, kw_only=True):
    """The people that the demo lets you be."""

    users: tuple[DemoUser, ...]


@router.post(
    "/v1/session",
    operation_id="signIn",
    summary="Sign in as a person of the demo",
    tags=["Session"],
    openapi_extra=operation(
        body=SignIn,
        examples={"person": Example("Be Michael Blythe", SignIn(user_id="ued5e967502a6"))},
        answers={200: SessionView},
        problems=(Malformed, UnknownParameter, Forbidden, NotFound, Invalid, Unavailable),
        is_open=True,
    ),
)
async def sign_in(request: Request) -> Response:
    """Only where PACEBOARD_DEMO=1. The answer sets the browser's HttpOnly cookie."""
    services = services_of(request)
    only(request)
    if not services.is_demo:
        raise NotFound
    if "origin" in request.headers:
        signed.require_own_origin(request)
    wanted = await _wanted(request)
    world = await services.live.world()
    user = world.users.get(wanted.user_id)
    if user is None or not user.demo or user.disabled_at is not None:
        raise NotFound
    token = sessions.mint(
        services.session_key,
        user_id=user.user_id,
        role=UserRole(user.role),
        payee_id=user.payee_id,
        now=dt.datetime.now(dt.UTC),
    )
    response = answer(_view(signin.session_of_token(token, services.session_key)))
    response.set_cookie(
        sessions.COOKIE,
        token,
        max_age=limits.SESSION_SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def _wanted(request: Request) -> SignIn:
    return decoded(await request.body(), SignIn, remedy='Send {"user_id": "..."}.')


@router.get(
    "/v1/session",
    operation_id="getSession",
    summary="Who is signed in",
    tags=["Session"],
    openapi_extra=operation(answers={200: SessionView}, problems=_READS),
)
def get_session(request: Request) -> Response:
    """The session of the cookie or token that came along."""
    only(request)
    return answer(_view(signed.session(request)))


@router.delete(
    "/v1/session",
    status_code=204,
    operation_id="signOut",
    summary="Sign out",
    tags=["Session"],
    openapi_extra=operation(answers={204: None}, problems=(*_READS, Forbidden)),
)
async def sign_out(request: Request) -> Response:
    """Takes the cookie away and closes the session's live sockets."""
    only(request)
    session = signed.session(request)
    services_of(request).hub.close_session(session.session_id)
    response = Response(status_code=204)
    response.delete_cookie(sessions.COOKIE, path="/", httponly=True, samesite="strict")
    return response


@router.get(
    "/v1/demo/users",
    operation_id="listDemoUsers",
    summary="Whom the demo lets you be",
    tags=["Session"],
    openapi_extra=operation(
        answers={200: DemoUsers}, problems=(UnknownParameter, NotFound, Unavailable), is_open=True
    ),
)
def demo_users(request: Request) -> Response:
    """Only where PACEBOARD_DEMO=1."""
    services = services_of(request)
    only(request)
    if not services.is_demo:
        raise NotFound
    world = services.worlds.current()
    return answer(
        DemoUsers(
            users=tuple(
                DemoUser(
                    user_id=user.user_id,
                    name=user.name,
                    role=UserRole(user.role),
                    payee_id=user.payee_id,
                    title=world.title_of(user.payee_id) if user.payee_id else None,
                )
                for user in world.users.values()
                if user.demo and user.disabled_at is None
            )
        )
    )


def _view(session: Session) -> SessionView:
    return SessionView(
        user_id=session.user_id,
        role=session.role,
        payee_id=session.payee_id,
        scopes=session.scopes,
        expires_at=session.expires_at,
    )
