"""`WS /v1/live`: authenticate, watch, be told. The frames are in schemas/live.py.

A browser's cookie comes along with the handshake, and then its Origin must be this host. A machine
sends `authenticate` with its bearer token as the first frame. No token ever stands in an address.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, assert_never

import msgspec
import structlog
from fastapi import APIRouter, WebSocket
from psycopg import Error
from psycopg_pool import PoolTimeout
from starlette.websockets import WebSocketDisconnect

from api import access, channels, signin
from api.hub import GONE, Subscriber
from api.problems import NotSignedIn
from api.rates import Bucket
from api.services import Services, services_of
from api.sessions import Session
from api.world import World
from db.installation import NotInstalled
from schemas import limits
from schemas.ids import PayeeId
from schemas.live import (
    CLOSE_REASONS,
    Authenticate,
    ClientFrame,
    CloseCode,
    Hello,
    Refused,
    Unwatch,
    Unwatched,
    Watch,
)

log = structlog.get_logger(__name__)
router = APIRouter()

_FRAME: Final = msgspec.json.Decoder(ClientFrame)
_BROKEN: Final = (Error, PoolTimeout, NotInstalled)


@router.websocket("/v1/live")
async def live(socket: WebSocket) -> None:
    """One connection, from handshake to close."""
    services = services_of(socket)
    await socket.accept()
    try:
        if not signin.is_own_origin(socket):
            return await _close(socket, CloseCode.POLICY)
        try:
            async with asyncio.timeout(limits.LIVE_AUTHENTICATE_SECONDS):
                session = await _authenticated(socket, services)
                world = await services.live.world()
                session = access.in_force(session, world)
        except (TimeoutError, NotSignedIn):
            return await _close(socket, CloseCode.NOT_AUTHENTICATED)
        except _BROKEN as error:
            log.warning("live.no_world", error=type(error).__name__)
            return await _close(socket, CloseCode.GOING_AWAY)
        await _serve(socket, services, session, world)
    except (WebSocketDisconnect, RuntimeError):
        return  # the other side has gone; Starlette raises RuntimeError when we then send


async def _authenticated(socket: WebSocket, services: Services) -> Session:
    """By the cookie of the handshake or its Authorization header, else by the first frame."""
    if signin.token_of(socket) is not None:
        return signin.session_of(socket, services.session_key)
    frame = _decoded(await socket.receive())
    if not isinstance(frame, Authenticate):
        raise NotSignedIn("The first frame must be `authenticate`.")
    return signin.session_of_token(frame.token, services.session_key)


async def _serve(socket: WebSocket, services: Services, session: Session, world: World) -> None:
    subscriber = Subscriber(session)
    hub = services.hub
    if not hub.has_room(session.user_id):
        return await _close(socket, CloseCode.TOO_FAST)
    hub.join(subscriber)
    subscriber.mailbox.put_notice(channels.encoded(_hello(session, world)))
    reading = asyncio.create_task(_read_all(socket, services, subscriber))
    sending = asyncio.create_task(hub.pump(subscriber, socket.send_text))
    try:
        done, _ = await asyncio.wait((reading, sending), return_when=asyncio.FIRST_COMPLETED)
        code = sending.result() if sending in done else reading.result()
        if code is not None:
            await _close(socket, code)
    finally:
        hub.leave(subscriber)
        for task in (reading, sending):
            task.cancel()
        await asyncio.gather(reading, sending, return_exceptions=True)


async def _read_all(
    socket: WebSocket, services: Services, subscriber: Subscriber
) -> CloseCode | None:
    """Frames of the client, one after the other, until it goes or sends too many."""
    bucket = Bucket(services.budgets.frames, time.monotonic())
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        frame = _decoded(message)
        if not bucket.take(time.monotonic(), _cost(frame)).is_within:
            return CloseCode.TOO_FAST
        await _take(frame, services, subscriber)


def _cost(frame: ClientFrame | None) -> int:
    """What a frame takes of the socket's budget: one, and one for each channel it names."""
    if isinstance(frame, Watch | Unwatch):
        return 1 + min(len(frame.channels), limits.WATCHED_CHANNELS_MAX + 1)
    return 1


async def _take(frame: ClientFrame | None, services: Services, subscriber: Subscriber) -> None:
    match frame:
        case None:
            _refuse(
                subscriber,
                "This frame is not known",
                "Send one JSON text frame of type authenticate, watch or unwatch.",
            )
        case Authenticate():
            _renew(services, subscriber, frame.token)
        case Watch():
            await _watch(services, subscriber, frame.channels)
        case Unwatch():
            for channel in frame.channels:
                services.hub.unwatch(subscriber, channel)
                gone = Unwatched(channel=channel, reason="You asked for it.")
                subscriber.mailbox.put_notice(channels.encoded(gone))
        case _:
            assert_never(frame)


def _renew(services: Services, subscriber: Subscriber, token: str) -> None:
    """A newer token of the same user, so that a long session needs no new connection."""
    try:
        session = signin.session_of_token(token, services.session_key)
    except NotSignedIn as error:
        return _refuse(subscriber, "The session was not renewed", error.detail)
    if session.user_id != subscriber.session.user_id:
        return _refuse(subscriber, "The session was not renewed", "The token is of another user.")
    subscriber.session = session


async def _watch(services: Services, subscriber: Subscriber, wanted: tuple[str, ...]) -> None:
    try:
        world = await services.live.world()
        for channel in wanted[: limits.WATCHED_CHANNELS_MAX + 1]:
            if channel not in subscriber.channels and (
                len(subscriber.channels) >= limits.WATCHED_CHANNELS_MAX
            ):
                return _refuse(
                    subscriber,
                    "Too many channels",
                    f"A connection watches at most {limits.WATCHED_CHANNELS_MAX} channels.",
                    channel,
                )
            await _watch_one(services, subscriber, channel, world)
    except _BROKEN as error:
        log.warning("live.no_world", error=type(error).__name__)
        _refuse(subscriber, "Not available right now", "Ask again in a few seconds.")


async def _watch_one(
    services: Services, subscriber: Subscriber, channel: str, world: World
) -> None:
    if not access.may_watch(subscriber.session, channel, world):
        return _refuse(subscriber, "There is nothing here for you", GONE, channel)
    kind, _, subject = channel.partition(":")
    if kind in (channels.PAYEE, channels.TEAM):
        session = access.in_force(subscriber.session, world)
        note = services.views.note
        await asyncio.to_thread(note, session, PayeeId(subject), world)
        if not services.live.may_watch(subscriber.session, channel):  # it took a moment
            return _refuse(subscriber, "There is nothing here for you", GONE, channel)
    services.hub.watch(subscriber, channel)


def _decoded(message: Mapping[str, Any]) -> ClientFrame | None:
    """The frame, or None: binary, no JSON, no known type, a field too many."""
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(code=1005)
    text = message.get("text")
    if not isinstance(text, str):
        return None
    try:
        frame: ClientFrame = _FRAME.decode(text)
        return frame
    except (msgspec.DecodeError, RecursionError):
        return None


def _hello(session: Session, world: World) -> Hello:
    return Hello(
        user_id=session.user_id,
        payee_id=session.payee_id,
        role=session.role.value,
        timeline=world.timeline,
        heartbeat_seconds=limits.LIVE_HEARTBEAT_SECONDS,
        clock=world.now.frame,
    )


def _refuse(subscriber: Subscriber, title: str, detail: str, channel: str | None = None) -> None:
    frame = Refused(title=title, detail=detail, channel=channel)
    subscriber.mailbox.put_notice(channels.encoded(frame))


async def _close(socket: WebSocket, code: CloseCode) -> None:
    await socket.close(code=int(code), reason=CLOSE_REASONS[code])
