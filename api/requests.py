"""What every HTTP request passes: its id, its time, the headers of every answer, the last net.

A plain ASGI layer around the application: whatever a handler did not expect becomes a problem
document here, and one log line with the request id.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems, tracing
from api.metrics import Metrics
from api.problems import ApiError

log = structlog.get_logger(__name__)

REQUEST_ID: Final = "X-Request-ID"
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SECURITY: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class Requests:
    """The layer."""

    def __init__(self, app: ASGIApp, metrics: Callable[[], Metrics]) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        id_ = tracing.request_id(request.headers.get(REQUEST_ID))
        scope.setdefault("state", {})["request_id"] = id_
        structlog.contextvars.bind_contextvars(request_id=id_)
        answered = _Answered(send, id_)
        begun = time.perf_counter()
        try:
            await self._app(scope, receive, answered)
        except Exception as error:
            log.error("request.failed", error=type(error).__name__, exc_info=True)
            if answered.status is None:
                response = problems.answer(ApiError(problems.OURS), id_)
                await response(scope, receive, answered)
        finally:
            self._note(scope, answered.status or 500, time.perf_counter() - begun)
            structlog.contextvars.clear_contextvars()

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics().requests.labels(method, route, str(status)).observe(seconds)
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1_000, 2),
        )


class _Answered:
    """Passes messages on, with our headers on the first."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                *SECURITY,
                (REQUEST_ID.lower().encode(), self._request_id.encode()),
            ]
        await self._send(message)


_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def request_id_of(request: Request) -> str:
    """The id of this request."""
    id_: str = request.state.request_id
    return id_
