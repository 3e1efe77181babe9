"""What the guards add to every operation of the OpenAPI document, so that no handler repeats it."""

from collections.abc import Iterator
from typing import Any, Final

from api import bodies, idempotency, rates
from api.problems import (
    MEDIA_TYPE,
    ApiError,
    IdempotencyMismatch,
    InProgress,
    Malformed,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
)
from api.requests import REQUEST_ID
from schemas import limits

Document = dict[str, Any]
WITH_BODY: Final = ("post", "put", "patch")
_JSON: Final = "application/json"
_HEADERS: Final[Document] = {
    REQUEST_ID: {
        "description": "The id of this request: the caller's own X-Request-ID, or a new one.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": limits.REQUEST_ID_LENGTH_MAX},
    },
    "Retry-After": {
        "description": "In how many seconds to ask again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Policy": {
        "description": 'The budget: `"writes";q=500;w=10` is 500 at once, refilled in 10 seconds.',
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'What is left of it: `"writes";r=499;t=1` is 499, full again in a second.',
        "required": True,
        "schema": {"type": "string"},
    },
    idempotency.REPLAYED: {
        "description": "`true` where this is the first answer to that key, given again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_KEY: Final[Document] = {
    "name": idempotency.KEY,
    "in": "header",
    "required": False,
    "description": (
        "A new one with each new request, the same with its repetitions: the request has one "
        f"effect, and for {limits.IDEMPOTENCY_HOURS} hours its first answer is given again, with "
        f"`{idempotency.REPLAYED}: true`. It is yours alone. Another request with it is refused "
        "(422), so is a repetition while the first is under way (409: ask again). An answer 429 "
        "or 5xx is not kept."
    ),
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": limits.IDEMPOTENCY_KEY_LENGTH_MAX,
        "pattern": "^[!-~]([ -~]*[!-~])?$",
    },
    "example": "7b2f6a3e-0b1f-4a35-9d7e-2f1c8c1f2a9d",
}


def declare(document: Document) -> None:
    """Add it to the document."""
    document["components"]["headers"] = _HEADERS
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _add_problems(operation, tuple(_of_guards(path, method, operation)))
            if _takes_key(path, method):
                operation.setdefault("parameters", []).append(_KEY)
            _add_headers(path, method, operation)


def _of_guards(path: str, method: str, operation: Document) -> Iterator[type[ApiError]]:
    if path.startswith(rates.LIMITED):
        yield TooManyRequests
    if method in WITH_BODY:
        yield TooLarge
        if _JSON in operation.get("requestBody", {}).get("content", {}) and not _is_file(path):
            yield UnsupportedMediaType
    if _takes_key(path, method):
        yield from (Malformed, IdempotencyMismatch, InProgress, Unavailable)


def _add_problems(operation: Document, kinds: tuple[type[ApiError], ...]) -> None:
    for kind in kinds:
        words = (kind.__doc__ or "").strip()
        answer = operation["responses"].setdefault(
            str(kind.status),
            {
                "description": words,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        )
        if words not in answer["description"]:
            answer["description"] += f" Or: {words}"


def _add_headers(path: str, method: str, operation: Document) -> None:
    is_limited = path.startswith(rates.LIMITED)
    for status, answer in operation["responses"].items():
        names = [REQUEST_ID]
        names += ["RateLimit-Policy", "RateLimit"] if is_limited else []
        names += ["Retry-After"] if status == "429" else []
        is_kept = _takes_key(path, method) and not status.startswith("5") and status != "429"
        names += [idempotency.REPLAYED] if is_kept else []
        own = answer.get("headers", {})
        common = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        answer["headers"] = {**common, **own}


def _takes_key(path: str, method: str) -> bool:
    return method == "post" and path != rates.SIGN_IN


def _is_file(path: str) -> bool:
    return path.startswith(bodies.FILES)
