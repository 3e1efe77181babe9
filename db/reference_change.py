"""A change of reference data: one transaction behind the exclusive turnstile.

    with reference_change(conn, actor="ada", action="set quotas", entity="2024-Q1") as change:
        change.put("quotas", [{"payee_id": "p1", "period_id": "2024-Q1", "amount": amount}])
        change.announce(QuotaSet(..., reference_version=change.version, known_at=change.known_at))

On leaving the block the reference version is raised by one and an audit line says what changed.
When nothing changed nothing is written, announcements included.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from db import audit, bitemporal, turnstile
from db.bitemporal import SHAPES, Key, Row, Shape
from db.connect import Connection
from db.installation import NotInstalled
from schemas.ids import digest
from schemas.limits import AUDIT_ROWS_MAX
from schemas.messages import BINDINGS, Message

CHANNEL: Final = "paceboard_reference"
PERSONAL: Final = {"people": ("name", "title")}  # never in the audit: people can be erased
IN_PEOPLE: Final = "(in people)"

NEXT_VERSION: Final = """
    SELECT reference_version + 1,
           greatest(
               clock_timestamp(),
               sealed_to + interval '1 microsecond',
               reference_known_at + interval '1 microsecond'
           )
    FROM installation
"""
RAISE_VERSION: Final = """
    UPDATE installation SET reference_version = %s, reference_known_at = %s
"""
ANNOUNCE: Final = """
    INSERT INTO reference_outbox (message_type, message_key, message, reference_version)
    VALUES (%s, %s, %s, %s)
"""
NOTIFY: Final = f"SELECT pg_notify('{CHANNEL}', %s)"


class Overlap(ValueError):
    """Two rows of one subject would be effective on the same day."""


class Counts(NamedTuple):
    """What a `put` did."""

    new: int
    changed: int
    unchanged: int


class Edit(NamedTuple):
    """One key's row before and after; None where there was or is none."""

    table: str
    key: Key
    before: Row | None
    after: Row | None


class Change:
    """What is changed inside the block; `version` and `known_at` are those it will have."""

    def __init__(self, conn: Connection, version: int, known_at: dt.datetime) -> None:
        self._conn = conn
        self.version = version
        self.known_at = known_at
        self.edits: list[Edit] = []
        self._messages: list[Message] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed so far."""
        return not self.edits

    def put(self, table: str, rows: Iterable[Mapping[str, Any]]) -> Counts:
        """Make these the known rows of their keys; a column left out is NULL, equal rows stay.

        Raises ValueError or TypeError when a row does not fit the table or a key comes twice.
        """
        shape = SHAPES[table]
        wanted = _by_key(shape, rows)
        known = bitemporal.known(self._conn, shape, wanted)
        changed = [key for key in known if known[key].values != wanted[key]]
        added = [key for key in wanted if key not in known]
        self._replace(shape, [known[key].row_id for key in changed])
        self._add(shape, [wanted[key] for key in (*changed, *added)])
        self.edits += [Edit(table, key, known[key].values, wanted[key]) for key in changed]
        self.edits += [Edit(table, key, None, wanted[key]) for key in added]
        return Counts(len(added), len(changed), len(known) - len(changed))

    def retire(self, table: str, keys: Iterable[Sequence[Any]]) -> int:
        """From now on nothing is known under these keys (values in the key's order); how many."""
        shape = SHAPES[table]
        known = bitemporal.known(self._conn, shape, {tuple(key) for key in keys})
        self._replace(shape, [row.row_id for row in known.values()])
        self.edits += [Edit(table, key, row.values, None) for key, row in known.items()]
        return len(known)

    def announce(self, message: Message) -> None:
        """Put a message into the outbox, for the relay to publish once this has committed."""
        assert type(message) in BINDINGS, f"{type(message).__name__} travels on no topic"
        self._messages.append(message)

    def _replace(self, shape: Shape, row_ids: Sequence[int]) -> None:
        bitemporal.close(self._conn, shape, row_ids, self.known_at)

    def _add(self, shape: Shape, rows: Sequence[Row]) -> None:
        bitemporal.add(self._conn, shape, rows, self.known_at, self.version)

    def _refuse_overlaps(self) -> None:
        """At the end, so that a row may be cut short and its successor added in either order."""
        for table in {edit.table for edit in self.edits}:
            keys = [edit.key for edit in self.edits if edit.table == table]
            found = bitemporal.overlapping(self._conn, SHAPES[table], keys)
            if found:
                *subject, first, second = found
                raise Overlap(
                    f"{table}: the row of {', '.join(map(str, subject))} that begins {first} is "
                    f"still effective on {second}, where the next begins: end it there"
                )

    def _finish(self) -> None:
        self._refuse_overlaps()
        self._conn.execute(RAISE_VERSION, (self.version, self.known_at))
        for message in self._messages:
            binding = BINDINGS[type(message)]
            body = audit.json_or_null(message)
            self._conn.execute(ANNOUNCE, (binding.type, binding.key(message), body, self.version))
        self._conn.execute(NOTIFY, (str(self.version),))


@contextmanager
def reference_change(
    conn: Connection, *, actor: str, action: str, entity: str, request_id: str | None = None
) -> Iterator[Change]:
    """The transaction of a change; `conn` must not be in one. Raises NotInstalled, Overlap."""
    with turnstile.exclusively(conn):
        row = conn.execute(NEXT_VERSION).fetchone()
        if row is None:
            raise NotInstalled
        change = Change(conn, *row)
        yield change
        if change.is_empty:
            raise psycopg.Rollback
        change._finish()
        before, after = summary(change.edits)
        audit.record(
            conn,
            actor=actor,
            action=action,
            entity=entity,
            before=before,
            after=after,
            request_id=request_id,
            reference_version=change.version,
        )


def summary(edits: Sequence[Edit]) -> tuple[object, object]:
    """What the audit keeps: a small change's rows; of a large one counts, keys and a digest too."""
    shown = edits[:AUDIT_ROWS_MAX]
    before, after = _rows(shown, "before"), _rows(shown, "after")
    if len(edits) <= AUDIT_ROWS_MAX:
        return before or None, after or None
    return (
        {"first_rows": before, **_extent(edits, "before")},
        {"first_rows": after, **_extent(edits, "after")},
    )


def _rows(edits: Sequence[Edit], side: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for edit in edits:
        row = getattr(edit, side)
        if row is not None:
            found.setdefault(edit.table, []).append(_without_names(edit.table, row))
    return found


def _extent(edits: Sequence[Edit], side: str) -> dict[str, object]:
    rows = [
        (edit.table, _without_names(edit.table, row))
        for edit in edits
        if (row := getattr(edit, side)) is not None
    ]
    keys: dict[str, list[Key]] = {}
    for edit in edits:
        if getattr(edit, side) is not None:
            keys.setdefault(edit.table, []).append(edit.key)
    return {
        "counts": {table: len(found) for table, found in keys.items()},
        "keys": keys,
        "digest": digest(*(msgspec.json.encode(row, order="deterministic").hex() for row in rows)),
    }


def _without_names(table: str, row: Row) -> Row:
    hidden = PERSONAL.get(table, ())
    return {n: IN_PEOPLE if n in hidden and v is not None else v for n, v in row.items()}


def _by_key(shape: Shape, rows: Iterable[Mapping[str, Any]]) -> dict[Key, Row]:
    wanted: dict[Key, Row] = {}
    for given in rows:
        row = bitemporal.checked(shape, given)
        key = shape.key_of(row)
        if key in wanted:
            raise ValueError(f"{shape.table}: the key {key} comes twice")
        wanted[key] = row
    return wanted
