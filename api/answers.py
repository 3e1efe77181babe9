"""Answers: encoded once by msgspec, with an ETag where they have a version."""

import hashlib
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.problems import UnknownParameter

JSON: Final = "application/json"
_PRIVATE: Final = "private, no-cache"  # what one person may see, asked again each time


def answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer that nobody keeps."""
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type=JSON,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def versioned(request: Request, body: Any, tag: str) -> Response:
    """A JSON answer with a weak ETag; 304 without a body when the caller has it."""
    return tagged(request, body, f'W/"{tag}"')


def tagged(request: Request, body: Any, etag: str) -> Response:
    """The same with a whole ETag."""
    headers = {"ETag": etag, "Cache-Control": _PRIVATE, "Vary": "Authorization, Cookie"}
    if _has(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(body), media_type=JSON, headers=headers)


def hashed(request: Request, body: Any, *, but: str | None = None) -> Response:
    """A JSON answer with an ETag of its content, for what no version of its own tells apart.

    `but`: a field that is another one in every answer, as the clock is.
    """
    told = body if but is None else msgspec.structs.replace(body, **{but: None})
    digest = hashlib.sha256(msgspec.json.encode(told)).hexdigest()
    return tagged(request, body, f'W/"{digest[:32]}"' if but else f'"{digest[:32]}"')


def only(request: Request, *known: str) -> None:
    """Raises UnknownParameter for a query parameter that is not known here, or given twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known or given.count(name) > 1:
            takes = ", ".join(known) if known else "none"
            raise UnknownParameter(f"'{name[:80]}' cannot be used here; known, once each: {takes}.")


def _has(request: Request, etag: str) -> bool:
    held = request.headers.get("if-none-match", "")
    parts = {part.strip().removeprefix("W/") for part in held.split(",")}
    return held.strip() == "*" or etag.removeprefix("W/") in parts
