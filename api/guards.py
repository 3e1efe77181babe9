"""What stands before every handler: budgets, the body's size and kind, Idempotency-Key.

A layer inside `Requests`, in this order, each as cheap as it can be: a caller over his budget is
told so before anything of his body is read, and before the database is asked.
"""

import time
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import access, idempotency, problems, rates, signed
from api.bodies import Body
from api.idempotency import Gone
from api.problems import ApiError
from api.rates import Taken
from api.requests import request_id_of
from api.services import Services

POST: Final = "POST"


class Guards:
    """The layer."""

    def __init__(self, app: ASGIApp, services: Callable[[], Services]) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        taken = self._services().rates.take(request, time.monotonic())
        body = Body(scope, receive)
        answer = _Answer(send, taken, body)
        try:
            if taken is not None:
                rates.require(taken)
            body.check()
            if body.is_file:  # nobody else makes us hold one
                access.require_admin(signed.session(request))
            await self._run(request, body.receive, answer.send)
        except Gone:
            return
        except ApiError as error:
            await answer.refuse(error, request)
        else:
            if body.is_too_large:  # whatever the handler made of it
                await answer.refuse(body.refusal(), request)

    async def _run(self, request: Request, receive: Receive, send: Send) -> None:
        caller = _caller(request) if request.method == POST else None
        key = None if caller is None else idempotency.key_of(Headers(scope=request.scope))
        if caller is None or key is None:
            return await self._app(request.scope, receive, send)
        await self._services().idempotency.run(
            self._app, request.scope, receive, send, caller=caller, key=key
        )


def _caller(request: Request) -> str | None:
    """Whose key it would be; nobody's where nobody is signed in, and then the handler refuses."""
    if request.url.path == rates.SIGN_IN:
        return None
    try:
        return signed.session(request).user_id
    except ApiError:
        return None


class _Answer:
    """Passes the answer on with what is left of the budget; nothing of one to a body too large."""

    def __init__(self, send: Send, taken: Taken | None, body: Body) -> None:
        self._send = send
        self._taken = taken
        self._body = body
        self._is_begun = False

    async def send(self, message: Message) -> None:
        """One message of the handler's answer."""
        if self._body.is_too_large and not self._is_begun:
            return
        await self._pass(message)

    async def refuse(self, error: ApiError, request: Request) -> None:
        """Answer with a problem, if nothing was answered yet."""
        if not self._is_begun:
            response = problems.answer(error, request_id_of(request))
            await response(request.scope, request.receive, self._pass)

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_begun = True
            if self._taken is not None:
                message["headers"] = [*message.get("headers", ()), *self._taken.headers]
        await self._send(message)
