"""The audit: who did what to what, over pseudonymous ids. Append-only by grant."""

from typing import Final

import msgspec
from psycopg.types.json import Json

from db.connect import Connection

RECORD: Final = """
    INSERT INTO audit (actor, action, entity, before, after, request_id, reference_version)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def record(
    conn: Connection,
    *,
    actor: str,
    action: str,
    entity: str,
    before: object = None,
    after: object = None,
    request_id: str | None = None,
    reference_version: int | None = None,
) -> None:
    """Append a line in the caller's transaction. No names: ids only."""
    conn.execute(
        RECORD,
        (
            actor,
            action,
            entity,
            json_or_null(before),
            json_or_null(after),
            request_id,
            reference_version,
        ),
    )


def json_or_null(value: object) -> Json | None:
    """A JSON parameter of anything msgspec encodes (Decimals become strings); None is NULL."""
    return None if value is None else Json(value, dumps=_dumps)


def _dumps(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
