"""The OpenAPI document: FastAPI's routes, with schemas and examples from the declared Structs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import recorded
from api.declared import declare
from api.problems import MEDIA_TYPE, ApiError, Problem
from schemas.json_schema import components

Document = dict[str, Any]
VERSION: Final = "1.0.0"
_REF: Final = "#/components/schemas/{name}"
_DESCRIPTION: Final = (
    "Deals go in, standings and progress come out. Amounts are strings, dates are dates, instants "
    "are RFC 3339 in UTC. Every error is a problem document (RFC 9457). An unknown query parameter "
    "is refused. `WS /v1/live` is described in asyncapi.yaml."
)
_SECURITY: Final[Document] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A machine's token, made by `paceboard token`.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "paceboard_session",
        "description": "A browser's session. Unsafe methods need an Origin of this host.",
    },
}
_types: dict[str, Any] = {"Problem": Problem}


class Example:
    """A named example of a body."""

    def __init__(self, summary: str, value: Any) -> None:
        self.summary = summary
        self.value = msgspec.to_builtins(value)


def operation(
    *,
    answers: Mapping[int, Any],
    problems: Sequence[type[ApiError]] = (),
    body: Any = None,
    examples: Mapping[str, Example] | None = None,
    parameters: Sequence[Document] = (),
    is_open: bool = False,
    media_types: Sequence[str] = ("application/json",),
) -> Document:
    """What stands in `openapi_extra` of a route; `answers` are {status: type, None: no body}."""
    found: Document = {
        "responses": {
            **{str(status): _answer(kind, media_types) for status, kind in answers.items()},
            **_problems(problems),
        },
        "security": [] if is_open else [{"bearer": []}, {"cookie": []}],
    }
    if parameters:
        found["parameters"] = list(parameters)
    if body is not None:
        content: Document = {"schema": _schema(body)}
        if examples:
            content["examples"] = {
                name: {"summary": example.summary, "value": example.value}
                for name, example in examples.items()
            }
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def query(
    name: str, description: str, *, example: Any = None, schema: Document | None = None
) -> Document:
    """An optional query parameter; text when no schema says otherwise."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
        **({} if example is None else {"example": example}),
    }


def header(name: str, description: str, *, values: Sequence[str] = ()) -> Document:
    """An optional request header."""
    schema: Document = {"type": "string", **({"enum": list(values)} if values else {})}
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
    }


def install(app: FastAPI) -> None:
    """Let the application answer with this document."""

    def document() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = made(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def made(app: FastAPI) -> Document:
    """The document of the application's routes."""
    document = get_openapi(
        title="Paceboard", version=VERSION, description=_DESCRIPTION, routes=app.routes
    )
    _, schemas = components(list(_types.values()), ref_template=_REF)
    document["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": _SECURITY,
    }
    for path in document["paths"].values():
        for operation_ in path.values():
            _drop_frameworks_own(operation_)
    declare(document)
    recorded.add(document)
    return document


def _drop_frameworks_own(operation_: Document) -> None:
    """FastAPI declares its own 422 for every parameter; ours are problems."""
    answers = operation_["responses"]
    content = answers.get("422", {}).get("content", {})
    if "HTTPValidationError" in str(content.get("application/json")):
        del content["application/json"]
        if not content:
            del answers["422"]


def _answer(kind: Any, media_types: Sequence[str]) -> Document:
    if kind is None:
        return {"description": "No body."}
    description = (kind.__doc__ or "").strip().partition("\n")[0] or "The answer."
    return {
        "description": description,
        "content": {one: {"schema": _schema(kind)} for one in media_types},
    }


def _problems(kinds: Sequence[type[ApiError]]) -> Document:
    by_status: dict[int, list[type[ApiError]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {
        str(status): {
            "description": " Or: ".join((kind.__doc__ or "").strip() for kind in found),
            "content": {MEDIA_TYPE: {"schema": _schema(Problem)}},
        }
        for status, found in by_status.items()
    }


def _schema(kind: Any) -> Document:
    if kind is str:
        return {"type": "string"}
    if isinstance(kind, dict):
        return kind
    _types[kind.__name__] = kind
    return {"$ref": _REF.format(name=kind.__name__)}


def one_or_many(kind: Any, *, count_max: int) -> Document:
    """A body that is one of these or a list of them."""
    return {
        "oneOf": [
            _schema(kind),
            {"type": "array", "items": _schema(kind), "minItems": 1, "maxItems": count_max},
        ]
    }
