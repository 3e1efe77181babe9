"""Idempotency-Key: a POST that is sent again has one effect and gets its first answer.

A layer under the sign-in and above every handler, so that each POST has it, those to come too. The
key is the caller's own (his user id's), kept IDEMPOTENCY_HOURS. While the first request is under
way a second one is told to come again (409) and not held: whoever waits would hold a connection. An
answer that says "not now" (5xx, 429) is not kept. Without the header nothing here asks the
database.

What a process that died had begun stays taken for IDEMPOTENCY_STUCK_SECONDS; then the same request
may try again, and whether the first had its effect nobody knows: handlers absorb a repetition, as
deals do by their revision.
"""

import asyncio
import datetime as dt
import hashlib
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import structlog
from psycopg import Error
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Fault, IdempotencyMismatch, InProgress, Malformed, Unavailable
from db import idempotency
from db.connect import AWAY, Connection, Pool
from db.idempotency import HeaderPairs, Kept
from schemas import limits

log = structlog.get_logger(__name__)
T = TypeVar("T")

KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
# In a request's state: its answer is of the moment, and whoever asks again is served anew.
PASSING: Final = "is_passing"
RETRY_SECONDS: Final = 1
AWAY_RETRY_SECONDS: Final = 2
_KEY: Final = re.compile(rf"[\x20-\x7e]{{1,{limits.IDEMPOTENCY_KEY_LENGTH_MAX}}}")
_OURS: Final = "paceboard-"  # our own headers change what a request means
_KEPT: Final = frozenset(
    (
        *("cache-control", "content-disposition", "content-language", "content-type"),
        *("etag", "last-modified", "link", "location", "vary", "www-authenticate"),
    )
)


class Held(NamedTuple):
    """A key that this request holds."""

    caller: str
    key: str
    at: dt.datetime


class Gone(Exception):
    """The caller hung up before his body was whole."""


class Idempotency:
    """Runs what has a key once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, caller: str, key: str
    ) -> None:
        """One request with a key: run, or answered as before.

        Raises InProgress, IdempotencyMismatch, Unavailable, and Gone.
        """
        parts, fingerprint = await _read(scope, receive)
        found = await self._taken(caller, key, fingerprint)
        if isinstance(found, Kept):
            return await _replay(found, fingerprint, send)
        held = Held(caller, key, found)
        answered = Answered(scope)
        try:
            await app(scope, Parts(parts, receive).receive, answered.send)
        except Exception:
            await self._end(held, None)
            raise
        await self._end(held, answered)
        for message in answered.messages:
            await send(message)

    async def sweep(self) -> None:
        """Forget old keys, until cancelled."""
        while True:
            try:
                while await run_in_threadpool(self._swept) == limits.IDEMPOTENCY_SWEEP_ROWS_MAX:
                    pass
            except (Error, PoolTimeout) as error:
                log.warning("idempotency.not_swept", error=type(error).__name__)
            await asyncio.sleep(limits.IDEMPOTENCY_SWEEP_SECONDS)

    async def _taken(self, caller: str, key: str, fingerprint: str) -> dt.datetime | Kept:
        def take(conn: Connection) -> dt.datetime | Kept:
            return idempotency.take(
                conn,
                caller,
                key,
                fingerprint,
                hours=limits.IDEMPOTENCY_HOURS,
                stuck_seconds=limits.IDEMPOTENCY_STUCK_SECONDS,
            )

        try:
            return await run_in_threadpool(self._asked, take)
        except AWAY as error:
            log.warning("database.away", error=type(error).__name__)
            raise Unavailable(
                f"Whether this {KEY} was used cannot be looked up right now: nothing was done.",
                retry_after_seconds=AWAY_RETRY_SECONDS,
            ) from error

    async def _end(self, held: Held, answered: "Answered | None") -> None:
        """Keep the answer, or free the key. The request is done either way: what fails is logged,
        and the key stays taken until IDEMPOTENCY_STUCK_SECONDS have passed."""

        def end(conn: Connection) -> bool:
            if answered is None or not answered.is_lasting:
                idempotency.free(conn, *held)
                return True
            return idempotency.keep(
                conn,
                *held,
                status=answered.status,
                headers=answered.kept_headers,
                body=answered.body,
            )

        try:
            if not await run_in_threadpool(self._asked, end):
                log.warning("idempotency.taken_over")
        except AWAY as error:
            log.warning("idempotency.not_kept", error=type(error).__name__)

    def _asked(self, ask: Callable[[Connection], T]) -> T:
        with self._pool.connection(timeout=limits.IDEMPOTENCY_WAIT_SECONDS) as conn:
            return ask(conn)

    def _swept(self) -> int:
        with self._pool.connection() as conn:
            return idempotency.remove_old(
                conn, hours=limits.IDEMPOTENCY_HOURS, rows_max=limits.IDEMPOTENCY_SWEEP_ROWS_MAX
            )


def key_of(headers: Headers) -> str | None:
    """The key that came along, if any. Raises Malformed."""
    given = headers.getlist(KEY)
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        detail = (
            f"{KEY} is one header of 1 to {limits.IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII "
            "characters."
        )
        fault = Fault(
            code="idempotency_key",
            parameter=KEY,
            detail=detail,
            remedy="Send a new random UUID with each new request, and the same one with its "
            "repetitions.",
        )
        raise Malformed(detail, errors=(fault,))
    return given[0]


class Parts:
    """A body that was read already, given again; then whatever comes."""

    def __init__(self, parts: deque[Message], receive: Receive) -> None:
        self._parts = parts
        self._receive = receive

    async def receive(self) -> Message:
        """The next part; each is held until it is asked for."""
        return self._parts.popleft() if self._parts else await self._receive()


class Answered:
    """An answer that is kept back until it is in the database."""

    def __init__(self, scope: Scope) -> None:
        self.messages: list[Message] = []
        self._state: dict[str, Any] = scope.setdefault("state", {})

    async def send(self, message: Message) -> None:
        """One message of the answer."""
        self.messages.append(message)

    @property
    def status(self) -> int:
        """Its status."""
        status: int = self.messages[0]["status"]
        return status

    @property
    def is_lasting(self) -> bool:
        """Whether whoever asks again is to hear the same."""
        is_passing = self._state.get(PASSING, False)
        return bool(self.messages) and self.status < 500 and self.status != 429 and not is_passing

    @property
    def kept_headers(self) -> HeaderPairs:
        """Those that belong to the answer and not to the connection, the session or the moment."""
        return tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self.messages[0].get("headers", ())
            if name.lower().decode("latin-1") in _KEPT
        )

    @property
    def body(self) -> bytes:
        """Its body."""
        return b"".join(message.get("body", b"") for message in self.messages[1:])


async def _read(scope: Scope, receive: Receive) -> tuple[deque[Message], str]:
    """The body's parts, and the fingerprint of the request. Raises what `receive` raises, Gone."""
    digest = _head(scope)
    parts: deque[Message] = deque()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message)
        digest.update(message.get("body", b""))
        if not message.get("more_body", False):
            return parts, digest.hexdigest()


def _head(scope: Scope) -> "hashlib._Hash":
    """SHA-256 of method, path, query and the headers that change what the request means."""
    headers = Headers(scope=scope)
    meant = sorted(
        (name, value)
        for name, value in headers.items()
        if name in ("content-type", "content-encoding") or name.startswith(_OURS)
    )
    told = (scope["method"], scope["path"], scope["query_string"].decode("latin-1"), meant)
    return hashlib.sha256(f"{told!r}\n".encode())


async def _replay(kept: Kept, fingerprint: str, send: Send) -> None:
    _require_same(kept, fingerprint)
    if kept.status is None:
        raise InProgress(
            f"The first request with this {KEY} has not been answered yet; ask again.",
            retry_after_seconds=RETRY_SECONDS,
        )
    headers = [
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers),
        (b"content-length", str(len(kept.body)).encode()),
        (REPLAYED.lower().encode(), b"true"),
    ]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})


def _require_same(kept: Kept, fingerprint: str) -> None:
    if kept.fingerprint != fingerprint:
        raise IdempotencyMismatch(
            f"This {KEY} came with another request (method, address, query, kind or body) within "
            f"the last {limits.IDEMPOTENCY_HOURS} hours: nothing was done. Use a new key for a new "
            "request."
        )
