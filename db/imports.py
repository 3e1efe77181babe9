"""Files that people loaded: the file as it came, what its dry run said, how far it is.

`result` is the API's own document (api/imports.py); here it is text.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from db.connect import Connection
from db.keyset import Keyset, clauses, rows


class ImportRow(NamedTuple):
    """An import without its file."""

    import_id: str
    file_name: str
    file_digest: str
    bytes: int
    mapping_id: str | None
    mapping: str  # JSON
    is_history: bool
    state: str
    author: str
    result: str  # JSON
    problem: str | None
    created_at: dt.datetime
    has_errors: bool
    was_loaded_before: bool


_COLUMNS: Final[LiteralString] = """
SELECT i.import_id, i.file_name, i.file_digest, i.bytes, i.mapping_id, i.mapping::text,
       i.is_history, i.state, i.author, i.result::text, i.problem, i.created_at,
       EXISTS (SELECT FROM import_files f WHERE f.import_id = i.import_id AND f.errors IS NOT NULL),
       EXISTS (SELECT FROM imports o
                WHERE o.file_digest = i.file_digest AND o.mapping::text = i.mapping::text
                  AND o.state = 'done' AND o.created_at < i.created_at)
  FROM imports i"""
CONDITIONS: Final = {"state": "i.state = %(state)s"}

CREATE: Final = """
INSERT INTO imports (import_id, file_name, file_digest, bytes, mapping_id, mapping, is_history,
                     state, author, result)
VALUES (%(import_id)s, %(file_name)s, %(file_digest)s, %(bytes)s, %(mapping_id)s, %(mapping)s::json,
        %(is_history)s, %(state)s, %(author)s, %(result)s::json)"""
KEEP_FILE: Final = "INSERT INTO import_files (import_id, content) VALUES (%s, %s)"
FIND: Final[LiteralString] = f"{_COLUMNS} WHERE i.import_id = %s"
CONTENT: Final = "SELECT content FROM import_files WHERE import_id = %s"
ERRORS: Final = "SELECT errors FROM import_files WHERE import_id = %s"
BEAT: Final = "UPDATE imports SET updated_at = clock_timestamp() WHERE import_id = ANY(%s)"
MOVE: Final = """
UPDATE imports SET state = %(to)s, result = coalesce(%(result)s::json, result),
       problem = %(problem)s, updated_at = clock_timestamp()
 WHERE import_id = %(import_id)s AND state = %(from)s"""
NOTE: Final = """
UPDATE imports SET result = %s::json, updated_at = clock_timestamp() WHERE import_id = %s"""
KEEP_ERRORS: Final = "UPDATE import_files SET errors = %s WHERE import_id = %s"
GIVE_UP: Final = """
UPDATE imports SET state = 'failed', problem = CASE state WHEN 'checking' THEN %s ELSE %s END,
       updated_at = clock_timestamp()
 WHERE state IN ('checking', 'sending')
   AND updated_at < clock_timestamp() - make_interval(secs => %s)"""


def create(conn: Connection, fields: Mapping[str, Any], content: bytes) -> None:
    """A new import with its file; in the caller's transaction."""
    conn.execute(CREATE, fields)
    conn.execute(KEEP_FILE, (fields["import_id"], content))


def find(conn: Connection, import_id: str) -> ImportRow | None:
    """An import by its id."""
    row = conn.execute(FIND, (import_id,)).fetchone()
    return ImportRow(*row) if row else None


def page(conn: Connection, keyset: Keyset, filters: Mapping[str, Any]) -> list[ImportRow]:
    """A page of imports, by when they were made."""
    of = clauses(keyset, ("i.created_at", "i.import_id"), filters=filters, conditions=CONDITIONS)
    return [ImportRow(*row) for row in rows(conn, _COLUMNS, of)]


def content(conn: Connection, import_id: str) -> bytes:
    """The file as it came."""
    row = conn.execute(CONTENT, (import_id,)).fetchone()
    assert row is not None, import_id
    return bytes(row[0])


def errors(conn: Connection, import_id: str) -> bytes | None:
    """The error file; None when no row was refused, or nothing was read yet."""
    row = conn.execute(ERRORS, (import_id,)).fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


def beat(conn: Connection, import_ids: Sequence[str]) -> None:
    """Somebody still works on these, or they wait for him."""
    conn.execute(BEAT, (list(import_ids),))


def note(conn: Connection, import_id: str, result: bytes) -> None:
    """How far it is."""
    conn.execute(NOTE, (result.decode(), import_id))


def move(
    conn: Connection,
    import_id: str,
    *,
    before: str,
    after: str,
    result: bytes | None = None,
    problem: str | None = None,
) -> bool:
    """From one state into another; False when it is in a different one meanwhile."""
    fields = {
        "import_id": import_id,
        "from": before,
        "to": after,
        "result": None if result is None else result.decode(),
        "problem": problem,
    }
    return conn.execute(MOVE, fields).rowcount == 1


def keep_errors(conn: Connection, import_id: str, content: bytes) -> None:
    """The error file."""
    conn.execute(KEEP_ERRORS, (content, import_id))


def give_up(conn: Connection, *, seconds: int, checking: str, sending: str) -> int:
    """Imports that nobody has worked on for so long have failed, for these reasons; how many."""
    return conn.execute(GIVE_UP, (checking, sending, seconds)).rowcount
