"""Keys of POSTs: the first answer to a request, for whoever sends it again.

A row without a status is a request under way; `created_at` is what its holder knows it by, so that
one whose key was taken over keeps nothing.
"""

import datetime as dt
from typing import Final, LiteralString, NamedTuple

import msgspec
from psycopg.types.json import Json

from db.connect import Connection

HeaderPairs = tuple[tuple[str, str], ...]


class Kept(NamedTuple):
    """What stands under a key; `status` is None while the request is under way."""

    fingerprint: str
    status: int | None
    headers: HeaderPairs
    body: bytes


TAKE: Final[LiteralString] = """
INSERT INTO idempotency_keys AS k (caller, key, fingerprint)
VALUES (%(caller)s, %(key)s, %(fingerprint)s)
    ON CONFLICT (caller, key) DO UPDATE
   SET fingerprint = excluded.fingerprint, status = NULL, headers = NULL, body = NULL,
       created_at = clock_timestamp()
 WHERE k.created_at < clock_timestamp() - make_interval(hours => %(hours)s)
    OR (k.status IS NULL AND k.fingerprint = excluded.fingerprint
        AND k.created_at < clock_timestamp() - make_interval(secs => %(stuck_seconds)s))
RETURNING created_at
"""
FIND: Final[LiteralString] = """
SELECT fingerprint, status, headers::text, body
  FROM idempotency_keys WHERE caller = %(caller)s AND key = %(key)s
"""


def take(
    conn: Connection, caller: str, key: str, fingerprint: str, *, hours: int, stuck_seconds: int
) -> dt.datetime | Kept:
    """The instant by which the caller holds the key from now on, or what stands under it.

    A key older than `hours` is free, and one under way for longer than `stuck_seconds` is taken
    over by the same request.
    """
    given = {
        "caller": caller,
        "key": key,
        "fingerprint": fingerprint,
        "hours": hours,
        "stuck_seconds": stuck_seconds,
    }
    while True:
        taken = conn.execute(TAKE, given).fetchone()
        if taken is not None:
            at: dt.datetime = taken[0]
            return at
        found = conn.execute(FIND, given).fetchone()
        if found is not None:  # else it was freed meanwhile
            fingerprint_, status, headers, body = found
            return Kept(fingerprint_, status, _pairs(headers), bytes(body or b""))


KEEP: Final[LiteralString] = """
UPDATE idempotency_keys SET status = %(status)s, headers = %(headers)s, body = %(body)s
 WHERE caller = %(caller)s AND key = %(key)s AND created_at = %(at)s
"""


def keep(
    conn: Connection,
    caller: str,
    key: str,
    at: dt.datetime,
    *,
    status: int,
    headers: HeaderPairs,
    body: bytes,
) -> bool:
    """Keep the answer under the key; False when it was taken over meanwhile."""
    given = {
        "caller": caller,
        "key": key,
        "at": at,
        "status": status,
        "headers": Json(headers),
        "body": body,
    }
    return conn.execute(KEEP, given).rowcount == 1


FREE: Final[LiteralString] = """
DELETE FROM idempotency_keys
 WHERE caller = %(caller)s AND key = %(key)s AND created_at = %(at)s AND status IS NULL
"""


def free(conn: Connection, caller: str, key: str, at: dt.datetime) -> None:
    """The key may be used again."""
    conn.execute(FREE, {"caller": caller, "key": key, "at": at})


REMOVE_OLD: Final[LiteralString] = """
DELETE FROM idempotency_keys WHERE (caller, key) IN (
    SELECT caller, key FROM idempotency_keys
     WHERE created_at < clock_timestamp() - make_interval(hours => %(hours)s)
     ORDER BY created_at LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED)
"""


def remove_old(conn: Connection, *, hours: int, rows_max: int) -> int:
    """Forget keys older than that; how many."""
    return conn.execute(REMOVE_OLD, {"hours": hours, "rows_max": rows_max}).rowcount


def _pairs(headers: str | None) -> HeaderPairs:
    return msgspec.json.decode(headers or "[]", type=HeaderPairs)
