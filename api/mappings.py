"""Saved mappings over HTTP: reference data with ETags, so that nobody overwrites unseen changes."""

import re
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import access, reading, signed
from api.answers import answer, hashed, only, tagged
from api.openapi import Document, Example, header, operation
from api.problems import (
    Fault,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
    UnknownParameter,
)
from api.requests import request_id_of
from api.services import services_of
from db import mappings as rows
from db.mappings import Saved
from db.reference_change import reference_change
from ingest.mapping import Mapping, MappingRefused, check
from schemas import limits
from schemas.answers import MappingAnswer, Mappings

router = APIRouter()

_READS: Final = (UnknownParameter, NotSignedIn, NotFound, Unavailable)
_WRITES: Final = (
    *_READS,
    Malformed,
    Forbidden,
    PreconditionFailed,
    PreconditionRequired,
    Invalid,
)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_REMEDY: Final = "Send name, source and the mapping's document; docs/files.md shows one."
_SEEN: Final[Document] = {
    **header("If-Match", 'The ETag of the version that you forget, as "12".'),
    "required": True,
}
_CONDITIONS: Final[tuple[Document, ...]] = (
    header("If-Match", 'The ETag of the version that you change, as "12".'),
    header("If-None-Match", "`*` to create: refused when it is there already."),
)


class MappingSent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping to be saved."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.KEY_LENGTH_MAX)]
    source: str
    document: dict[str, Any]


_EXAMPLE: Final = MappingSent(
    name="ERP orders",
    source="erp",
    document={
        "source": "erp",
        "columns": {
            "key": "Order",
            "revision": "Version",
            "changed_on": "Changed",
            "status": "State",
            "amount": "Net",
            "closed_on": "Won on",
            "owner_key": "Seller",
        },
        "constants": {"currency": "EUR"},
        "values": {"status": {"Gewonnen": "won", "Offen": "open"}},
        "date_formats": ["%d.%m.%Y"],
        "decimal": ",",
        "grouping": ".",
    },
)


@router.get(
    "/v1/mappings",
    operation_id="listMappings",
    summary="Saved mappings",
    tags=["Files"],
    openapi_extra=operation(answers={200: Mappings, 304: None}, problems=_READS),
)
def list_mappings(request: Request) -> Response:
    """How files of each source are read. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        found = rows.mappings(connection)
    return hashed(request, Mappings(rows=tuple(map(_view, found))))


@router.get(
    "/v1/mappings/{mapping_id}",
    operation_id="getMapping",
    summary="A saved mapping",
    tags=["Files"],
    openapi_extra=operation(answers={200: MappingAnswer, 304: None}, problems=_READS),
)
def get_mapping(request: Request, mapping_id: str) -> Response:
    """With its ETag, which a change must name. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        found = rows.mapping(connection, _id(mapping_id))
    if found is None:
        raise NotFound
    return tagged(request, _view(found), _etag(found))


@router.put(
    "/v1/mappings/{mapping_id}",
    operation_id="putMapping",
    summary="Save a mapping",
    tags=["Files"],
    openapi_extra=operation(
        body=MappingSent,
        examples={"one": Example("A file with German headers", _EXAMPLE)},
        answers={200: MappingAnswer, 201: MappingAnswer},
        problems=_WRITES,
        parameters=_CONDITIONS,
    ),
)
async def put_mapping(request: Request, mapping_id: str) -> Response:
    """Create it (`If-None-Match: *`) or change what you have seen (`If-Match`). Audited. For
    admins."""
    only(request)
    body = await request.body()
    return await run_in_threadpool(_put, request, mapping_id, body)


def _put(request: Request, mapping_id: str, body: bytes) -> Response:
    services = services_of(request)
    session = signed.session(request)
    access.require_admin(session)
    name = _id(mapping_id)
    sent = _sent(body)
    with (
        services.pool.connection() as connection,
        reference_change(
            connection,
            actor=session.user_id,
            action="save mapping",
            entity=f"mapping/{name}",
            request_id=request_id_of(request),
        ) as change,
    ):
        before = rows.mapping(connection, name)
        _require_seen(request, before)
        change.put(
            "mappings",
            [
                {
                    "mapping_id": name,
                    "name": sent.name,
                    "source": sent.source,
                    "document": sent.document,
                }
            ],
        )
        found = rows.mapping(connection, name)
    assert found is not None
    tag = {"ETag": _etag(found)}
    return answer(_view(found), status=201 if before is None else 200, headers=tag)


@router.delete(
    "/v1/mappings/{mapping_id}",
    status_code=204,
    operation_id="deleteMapping",
    summary="Forget a mapping",
    tags=["Files"],
    openapi_extra=operation(answers={204: None}, problems=_WRITES, parameters=(_SEEN,)),
)
def delete_mapping(request: Request, mapping_id: str) -> Response:
    """What was loaded by it stays. Audited. For admins."""
    services = services_of(request)
    only(request)
    session = signed.session(request)
    access.require_admin(session)
    name = _id(mapping_id)
    with (
        services.pool.connection() as connection,
        reference_change(
            connection,
            actor=session.user_id,
            action="forget mapping",
            entity=f"mapping/{name}",
            request_id=request_id_of(request),
        ) as change,
    ):
        before = rows.mapping(connection, name)
        if before is None:
            raise NotFound
        _require_seen(request, before)
        change.retire("mappings", [(name,)])
    return Response(status_code=204)


def _sent(body: bytes) -> MappingSent:
    """The mapping, checked as it will be when a file is read. Raises Malformed or Invalid."""
    sent = reading.decoded(body, MappingSent, remedy=_REMEDY)
    try:
        check(msgspec.convert(sent.document, Mapping))
    except (MappingRefused, msgspec.ValidationError) as error:
        fault = Fault(
            code="mapping_refused", detail=str(error), pointer="/document", remedy=_REMEDY
        )
        raise Invalid(f"The mapping cannot be used: {error}.", errors=(fault,)) from error
    if sent.document.get("source") != sent.source or "\\u0000" in body.decode(errors="replace"):
        raise Invalid("`source` and the document's source are the same, printable text.")
    return sent


def _require_seen(request: Request, before: Saved | None) -> None:
    """Raises PreconditionRequired or PreconditionFailed."""
    match = request.headers.get("if-match")
    none_match = request.headers.get("if-none-match")
    if match is None and none_match is None:
        raise PreconditionRequired(
            "Say which version you change: If-Match with the ETag you have seen, or "
            "If-None-Match: * to create."
        )
    if match is not None:
        tags = {part.strip().removeprefix("W/") for part in match.split(",")}
        if before is None or (match.strip() != "*" and _etag(before) not in tags):
            raise PreconditionFailed(
                "It has been changed, or forgotten, since you saw it: read it again, and decide."
            )
    if none_match is not None and before is not None:
        raise PreconditionFailed("There is one under this id already: read it, and change that.")


def _view(found: Saved) -> MappingAnswer:
    return MappingAnswer(
        mapping_id=found.mapping_id,
        name=found.name,
        source=found.source,
        document=msgspec.Raw(found.document.encode()),
        version=found.version,
    )


def _etag(found: Saved) -> str:
    return f'"{found.version}"'


def _id(mapping_id: str) -> str:
    """Raises NotFound for what no mapping is called."""
    if not _ID.fullmatch(mapping_id):
        raise NotFound
    return mapping_id
