"""One error format: RFC 9457 problem documents. One tree of errors, mapped to HTTP once.

A refusal to show something does not tell whether the thing exists: NOT_FOUND, same words.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

OURS: Final = "The fault is ours; the request_id leads to its log line."
MEDIA_TYPE: Final = "application/problem+json"
_STEP: Final = re.compile(r"\[(\d+)\]|([^.\[\]$]+)")
TYPE_PREFIX: Final = "/docs#problem-"  # each type's address is its place in the documentation


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong in a request, where, and what to do about it."""

    code: str
    detail: str
    pointer: str | None = None  # JSON pointer into the body, "" is the whole
    parameter: str | None = None  # the name of a query parameter or header
    remedy: str | None = None
    deal_id: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[Fault, ...] = ()


class ApiError(Exception):
    """Base of what a handler raises to answer with a problem."""

    status = 500
    slug = "internal"
    title = "Something went wrong here"
    remedy = (
        "Send it again once. If it stays so, give the `request_id` to whom operates "
        "Paceboard: it leads to the log line."
    )

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[Fault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})


class Malformed(ApiError):
    """The request cannot be read."""

    status, slug, title = 400, "malformed", "The request cannot be read"
    remedy = (
        "Look at `errors`: each names the parameter or the place and what is expected there. "
        "Send what it says; a cursor belongs to the filters it came with."
    )


class UnknownParameter(ApiError):
    """A query parameter that does not exist here: refused, never ignored."""

    status, slug, title = 400, "unknown-parameter", "There is no such query parameter"
    remedy = (
        "Take the parameter out or spell it as the documentation has it; nothing is ever "
        "ignored. Each parameter comes once."
    )


class NotSignedIn(ApiError):
    """No session, or one that cannot be believed."""

    status, slug, title = 401, "not-signed-in", "Sign in first"
    remedy = (
        "Sign in again, or send `Authorization: Bearer TOKEN` with a token that has not "
        "expired (`paceboard token`)."
    )

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(ApiError):
    """Signed in, and not allowed to do that kind of thing at all."""

    status, slug, title = 403, "forbidden", "You may not do that"
    remedy = (
        "Use a token with the scope that the detail names, or ask an administrator. With a "
        "browser's cookie, changes are made from Paceboard's own pages only."
    )


class NotFound(ApiError):
    """It does not exist, or you may not see it: the same answer for both."""

    status, slug, title = 404, "not-found", "There is nothing here for you"
    remedy = (
        "Check the id. If it is right, it is not yours to see: ask your manager or an "
        "administrator. The answer is the same for both, so that it tells nothing."
    )

    def __init__(self) -> None:
        super().__init__("It does not exist, or you may not see it.")


class MethodNotAllowed(ApiError):
    """The address exists, the method does not."""

    status, slug, title = 405, "method-not-allowed", "This address takes another method"
    remedy = "Use the method that the documentation names for this address."


class Conflict(ApiError):
    """What is there now does not allow it: nothing was changed."""

    status, slug, title = 409, "conflict", "It is not so any more"
    remedy = (
        "Read it again: somebody else, or the books, have moved it on. The detail says what "
        "it is now."
    )


class InProgress(ApiError):
    """The first request with this Idempotency-Key has not been answered yet."""

    status, slug, title = 409, "in-progress", "The first request with this key is under way"
    remedy = (
        "Wait for `Retry-After` seconds and send the same request with the same key: you get "
        "the first one's answer."
    )

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class PreconditionFailed(ApiError):
    """What is there is not what the caller has seen last: nothing was changed."""

    status, slug, title = 412, "precondition-failed", "Somebody else was quicker"
    remedy = (
        "Read it again, look at what the other has changed, and send your change with the new ETag."
    )


class TooLarge(ApiError):
    """The body is larger than this address takes."""

    status, slug, title = 413, "too-large", "The body is too large"
    remedy = (
        "Send less at once: fewer deals in a request, a file in parts. The limit is in the detail."
    )


class UnsupportedMediaType(ApiError):
    """The body is of a kind that this address does not read."""

    status, slug, title = 415, "unsupported-media-type", "The body is not JSON"
    remedy = "Send JSON with `Content-Type: application/json`; files go to /v1/imports."


class Invalid(ApiError):
    """The request can be read, but what it says cannot be used."""

    status, slug, title = 422, "invalid", "The request breaks the contract"
    remedy = (
        "Look at `errors`: each has the place (`pointer`), what is wrong and what to do "
        "(`remedy`). Good deals of the same request are not sent when all are refused."
    )


class IdempotencyMismatch(ApiError):
    """The Idempotency-Key was used for another request: nothing was done."""

    status, slug, title = 422, "idempotency-mismatch", "The key belongs to another request"
    remedy = "Use a new key for a new request. For a retry send exactly the same request."


class PreconditionRequired(ApiError):
    """A change must say which version it changes: If-Match, or If-None-Match: * to create."""

    status, slug, title = 428, "precondition-required", "Say which version you change"
    remedy = (
        "Read what is there and send its ETag as `If-Match`; to create, send `If-None-Match: *`."
    )


class TooManyRequests(ApiError):
    """The caller is over his budget of requests; nothing was done."""

    status, slug, title = 429, "too-many-requests", "Too many requests"
    remedy = "Wait for `Retry-After` seconds. `RateLimit` says what is left; send deals in batches."

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Unavailable(ApiError):
    """Something the answer needs cannot be reached; nothing was recorded as done."""

    status, slug, title = 503, "unavailable", "Not available right now"
    remedy = (
        "Try again after `Retry-After` seconds; repeating is harmless. If it stays so, "
        "`paceboard doctor` names what does not answer and what mends it."
    )

    def __init__(
        self, detail: str, *, retry_after_seconds: int, errors: tuple[Fault, ...] = ()
    ) -> None:
        super().__init__(detail, errors=errors, headers={"Retry-After": str(retry_after_seconds)})


KINDS: Final[tuple[type[ApiError], ...]] = (
    Malformed,
    UnknownParameter,
    NotSignedIn,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    InProgress,
    PreconditionFailed,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    IdempotencyMismatch,
    PreconditionRequired,
    TooManyRequests,
    Unavailable,
    ApiError,
)


def problem_of(error: ApiError, request_id: str) -> Problem:
    """The document that tells the caller."""
    return Problem(
        type=TYPE_PREFIX + error.slug,
        title=error.title,
        status=error.status,
        detail=error.detail,
        request_id=request_id,
        errors=error.errors,
    )


def answer(error: ApiError, request_id: str) -> Response:
    """The response that carries it."""
    return Response(
        msgspec.json.encode(problem_of(error, request_id)),
        status_code=error.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **error.headers},
    )


def pointer(place: str) -> str:
    """The JSON pointer of a place as msgspec and domain write it: "$.lines[0].amount" or
    "lines[0].amount" becomes "/lines/0/amount"; "$" is the whole."""
    steps = (index or name for index, name in _STEP.findall(place))
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def of_status(status: int, detail: Any) -> ApiError:
    """The error for a status that the framework itself answers with."""
    text = str(detail)
    match status:
        case 404:
            return NotFound()
        case 405:
            return MethodNotAllowed(text)
        case 413:
            return TooLarge(text)
        case _ if 400 <= status < 500:
            return Malformed(text)
        case _:
            return ApiError(OURS)
