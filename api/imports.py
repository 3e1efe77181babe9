"""Files that people have, over HTTP: look at the columns, try it out, load it, get the errors."""

import datetime as dt
import hashlib
import secrets
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import access, lists, signed
from api.answers import answer, only
from api.import_runs import Result
from api.lists import Listing, Sort
from api.openapi import Document, operation, query
from api.problems import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    NotSignedIn,
    TooLarge,
    Unavailable,
    UnknownParameter,
)
from api.requests import request_id_of
from api.services import services_of
from api.world import World
from db import audit
from db import imports as rows
from db import mappings as mapping_rows
from db.connect import Connection
from db.imports import ImportRow
from ingest import files, guessing, template
from ingest.mapping import Mapping, MappingRefused, columns_of, read_mapping
from ingest.tables import FileRefused
from schemas import limits
from schemas.answers import Columns, ImportAnswer, Imports, ImportState

router = APIRouter()

_READS: Final = (Malformed, UnknownParameter, NotSignedIn, NotFound, Unavailable)
_WRITES: Final = (*_READS, Forbidden, TooLarge, Conflict, Invalid)
_RETRY_SECONDS: Final = 10
_FILE: Final[Document] = {"type": "string", "format": "binary"}
_FILE_NAME: Final = query(
    "file_name", "What the file is called; shown in the history.", example="orders.csv"
)
_FORMS: Final = (files.CSV, files.XLSX)
_FILE_TYPES: Final = tuple(kind.partition(";")[0] for kind in files.MEDIA_TYPES.values())
IMPORTS: Final = Listing(
    name="imports",
    sorts=(Sort("-created_at", (dt.datetime, str)), Sort("created_at", (dt.datetime, str))),
    filters=(lists.one_of("state", "Which stand so.", ImportState),),
)


def _file_body(found: Document) -> Document:
    """The body is a file: CSV or a workbook."""
    content = {kind: {"schema": _FILE} for kind in _FILE_TYPES}
    return {**found, "requestBody": {"required": True, "content": content}}


@router.post(
    "/v1/imports/columns",
    operation_id="guessColumns",
    summary="What the columns of a file look like",
    tags=["Files"],
    openapi_extra=_file_body(
        operation(answers={200: Columns}, problems=_WRITES, parameters=(_FILE_NAME,))
    ),
)
async def columns(request: Request) -> Response:
    """Its header, its first rows, the mapping that would fit best with what is doubtful about it,
    and the saved mappings that fit. Nothing is kept. For admins."""
    only(request, "file_name")
    access.require_admin(signed.session(request))
    content = await request.body()
    return await run_in_threadpool(_columns, request, content)


def _columns(request: Request, content: bytes) -> Response:
    services = services_of(request)
    name = _file_name(request)
    try:
        looked = guessing.look(files.in_memory(name, content))
    except FileRefused as error:
        raise _refused(str(error)) from error
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        saved = mapping_rows.mappings(connection)
    found = guessing.guess(
        looked, source=guessing.source_of(name), currency=world.reference.currency
    )
    fitting = [
        one.mapping_id
        for one in saved
        if set(columns_of(read_mapping(one.document.encode()))) <= set(looked.header)
    ]
    return answer(
        Columns(
            header=looked.header,
            sheet=looked.sheet,
            sheets=looked.sheets,
            sample=tuple(tuple(map(str, row.cells)) for row in looked.rows),
            guess=msgspec.Raw(msgspec.json.encode(found.document)),
            doubts=found.doubts,
            saved=tuple(fitting),
        )
    )


@router.post(
    "/v1/imports/deals",
    status_code=202,
    operation_id="importDeals",
    summary="Try a file of deals out",
    tags=["Files"],
    openapi_extra=_file_body(
        operation(
            answers={202: ImportAnswer},
            problems=_WRITES,
            parameters=(
                _FILE_NAME,
                query("mapping_id", "A saved mapping.", example="erp-orders"),
                query("mapping", "Or the mapping's document, as JSON."),
                query(
                    "history",
                    "`true` marks the deals as history: nobody is told of each.",
                    schema={"type": "boolean"},
                ),
            ),
        )
    ),
)
async def import_deals(request: Request) -> Response:
    """The body is the file. It is kept and tried out: how many rows are new, changed, unchanged or
    refused, and what they would do to whose money. Nothing is sent before it is committed. For
    admins."""
    only(request, "file_name", "mapping_id", "mapping", "history")
    access.require_admin(signed.session(request))
    content = await request.body()
    return await run_in_threadpool(_import, request, content)


def _import(request: Request, content: bytes) -> Response:
    services = services_of(request)
    given = request.query_params
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        access.require_admin(session)
        mapping_id, document = _mapping(connection, given.get("mapping_id"), given.get("mapping"))
    _require_file(_file_name(request), content)
    if not services.imports.has_room():
        raise _busy()
    import_id = secrets.token_hex(16)
    fields = {
        "import_id": import_id,
        "file_name": _file_name(request),
        "file_digest": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "mapping_id": mapping_id,
        "mapping": document,
        "is_history": _flag(given.get("history")),
        "state": ImportState.CHECKING.value,
        "author": session.user_id,
        "result": msgspec.json.encode(Result()).decode(),
    }
    with services.pool.connection() as connection, connection.transaction():
        rows.create(connection, fields, content)
        audit.record(
            connection,
            actor=session.user_id,
            action="upload file",
            entity=f"import/{import_id}",
            after={"file_digest": fields["file_digest"], "bytes": len(content)},
            request_id=request_id_of(request),
        )
    if not services.imports.check(import_id):
        with services.pool.connection() as connection:
            rows.move(
                connection,
                import_id,
                before=ImportState.CHECKING.value,
                after=ImportState.FAILED.value,
                problem="Too many files were waiting: nothing was read. Send it again.",
            )
        raise _busy()
    with services.worlds.snapshot() as (connection, world):
        return answer(_view(_found(connection, import_id), world), status=202)


@router.get(
    "/v1/imports",
    operation_id="listImports",
    summary="Files that were loaded",
    tags=["Files"],
    openapi_extra=operation(
        answers={200: Imports}, problems=_READS, parameters=IMPORTS.parameters()
    ),
)
def list_imports(request: Request) -> Response:
    """Who loaded what, and what came of it, the newest first. For admins."""
    services = services_of(request)
    asked = IMPORTS.asked(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        found = rows.page(connection, asked.keyset, asked.filters)
        page = asked.page(found, lambda one: (one.created_at, one.import_id))
        shown = tuple(_view(one, world) for one in page.rows)
    return answer(Imports(rows=shown, next_cursor=page.next_cursor))


@router.get(
    "/v1/imports/template",
    operation_id="getImportTemplate",
    summary="A file to begin with: a header and one valid row",
    tags=["Files"],
    openapi_extra=operation(
        answers={200: _FILE},
        problems=_READS,
        parameters=(
            query("form", "csv or xlsx.", example="csv", schema={"type": "string", "enum": _FORMS}),
        ),
        media_types=_FILE_TYPES,
    ),
    response_class=Response,
)
def get_template(request: Request) -> Response:
    """Columns are named as the fields are; docs/files.md says what each means. For admins."""
    only(request, "form")
    services = services_of(request)
    access.require_admin(signed.session_in(request, services.worlds.current()))
    form = request.query_params.get("form", files.CSV)
    if form not in _FORMS:
        raise Malformed(f"'form' is one of {', '.join(_FORMS)}.")
    return _download(template.made(form), f"paceboard-deals.{form}", files.MEDIA_TYPES[form])


@router.get(
    "/v1/imports/{import_id}",
    operation_id="getImport",
    summary="An import: what the file says and would do",
    tags=["Files"],
    openapi_extra=operation(answers={200: ImportAnswer}, problems=_READS),
)
def get_import(request: Request, import_id: str) -> Response:
    """While it is read or sent, `done_rows` says how far it is. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        return answer(_view(_found(connection, import_id), world))


@router.get(
    "/v1/imports/{import_id}/errors",
    operation_id="getImportErrors",
    summary="The refused rows, to be mended and loaded again",
    tags=["Files"],
    openapi_extra=operation(answers={200: _FILE}, problems=_READS, media_types=_FILE_TYPES),
    response_class=Response,
)
def get_errors(request: Request, import_id: str) -> Response:
    """The same rows and columns in the file's own form, with row, column, code, message and what
    is expected. For admins."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        access.require_admin(signed.session_in(request, world))
        found = _found(connection, import_id)
        content = rows.errors(connection, import_id)
    if content is None:
        raise NotFound
    form = files.form_of(files.in_memory(found.file_name, content))
    stem = found.file_name.rpartition(".")[0] or found.file_name
    return _download(content, f"{stem}.errors.{form}", files.MEDIA_TYPES[form])


@router.post(
    "/v1/imports/{import_id}/commit",
    status_code=202,
    operation_id="commitImport",
    summary="Send an import's good rows",
    tags=["Files"],
    openapi_extra=operation(answers={202: ImportAnswer}, problems=(*_READS, Conflict)),
)
def commit(request: Request, import_id: str) -> Response:
    """Once: asking again changes nothing. 409 for one that is not tried out yet, or has failed.
    For admins."""
    services = services_of(request)
    only(request)
    session = signed.session(request)
    access.require_admin(session)
    with services.pool.connection() as connection:
        found = _found(connection, import_id)
        state = ImportState(found.state)
        if state in (ImportState.CHECKING, ImportState.FAILED):
            raise Conflict("It is not tried out, or has failed: look at it, and send it again.")
        if state is ImportState.CHECKED:
            if not services.imports.has_room():
                raise _busy()
            _begin(connection, request, session.user_id, import_id)
    with services.worlds.snapshot() as (connection, world):
        return answer(_view(_found(connection, import_id), world), status=202)


def _begin(connection: Connection, request: Request, actor: str, import_id: str) -> None:
    with connection.transaction():
        is_mine = rows.move(
            connection,
            import_id,
            before=ImportState.CHECKED.value,
            after=ImportState.SENDING.value,
        )
        if is_mine:
            audit.record(
                connection,
                actor=actor,
                action="load file",
                entity=f"import/{import_id}",
                request_id=request_id_of(request),
            )
    if is_mine and not services_of(request).imports.send(import_id):
        rows.move(
            connection,
            import_id,
            before=ImportState.SENDING.value,
            after=ImportState.CHECKED.value,
        )
        raise _busy()


# ---- reading what was asked ----------------------------------------------------------------------


def _found(connection: Connection, import_id: str) -> ImportRow:
    found = rows.find(connection, import_id) if "\x00" not in import_id else None
    if found is None:
        raise NotFound
    return found


def _mapping(
    connection: Connection, mapping_id: str | None, document: str | None
) -> tuple[str | None, str]:
    """The mapping's id and document. Raises Malformed, NotFound or Invalid."""
    if (mapping_id is None) == (document is None):
        raise Malformed("Name a saved mapping (mapping_id) or send one (mapping), one of the two.")
    if mapping_id is not None:
        saved = mapping_rows.mapping(connection, mapping_id) if "\x00" not in mapping_id else None
        if saved is None:
            raise NotFound
        return mapping_id, saved.document
    assert document is not None
    try:
        found: Mapping = read_mapping(document.encode())
    except MappingRefused as error:
        fault = Fault(
            code="mapping_refused",
            detail=str(error),
            parameter="mapping",
            remedy="See docs/files.md; POST /v1/imports/columns guesses one.",
        )
        raise Invalid(f"The mapping cannot be used: {error}.", errors=(fault,)) from error
    return None, msgspec.json.encode(found).decode()


def _require_file(name: str, content: bytes) -> None:
    """Raises Invalid for what is no file of rows at all."""
    if not content:
        raise _refused("the file is empty")
    try:
        files.form_of(files.in_memory(name, content))
    except FileRefused as error:
        raise _refused(str(error)) from error


def _refused(problem: str) -> Invalid:
    fault = Fault(
        code="file_refused",
        detail=problem,
        pointer="",
        remedy="Send a CSV file or a workbook (.xlsx) with a header row.",
    )
    return Invalid(f"The file cannot be read: {problem}.", errors=(fault,))


def _busy() -> Unavailable:
    return Unavailable(
        "Other files are being read; try again in a moment.", retry_after_seconds=_RETRY_SECONDS
    )


def _file_name(request: Request) -> str:
    """As the history shows it: the last part, printable."""
    given = request.query_params.get("file_name", "deals")
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join(one for one in last if one.isprintable() and one not in '"\r\n')
    return shown[: limits.KEY_LENGTH_MAX] or "deals"


def _flag(given: str | None) -> bool:
    if given not in (None, "true", "false"):
        raise Malformed("'history' is 'true' or 'false'.")
    return given == "true"


def _download(content: bytes, name: str, media_type: str) -> Response:
    plain = "".join(one if one.isascii() and one.isprintable() else "_" for one in name)
    return Response(
        content,
        media_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{plain}"',
            "Cache-Control": "no-store",
        },
    )


def _view(found: ImportRow, world: World) -> ImportAnswer:
    result = msgspec.json.decode(found.result, type=Result)
    user = world.users.get(found.author)
    fields: dict[str, Any] = {name: getattr(result, name) for name in Result.__struct_fields__}
    return ImportAnswer(
        import_id=found.import_id,
        file_name=found.file_name,
        file_digest=found.file_digest,
        bytes=found.bytes,
        state=ImportState(found.state),
        by=user.name if user else found.author,
        created_at=found.created_at,
        mapping_id=found.mapping_id,
        is_history=found.is_history,
        has_error_file=found.has_errors,
        problem=found.problem,
        was_loaded_before=found.was_loaded_before,
        **fields,
    )
