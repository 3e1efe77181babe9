"""Alerts for people: the list, one with its history, what was said of it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

import msgspec

from db.connect import Connection
from db.keyset import Keyset, clauses, rows
from schemas.ids import PayeeId
from schemas.messages import Alert


class AlertState(NamedTuple):
    """An alert as it stands; `first_raised_at` never changes."""

    alert_id: str
    payee_id: PayeeId | None
    manager_id: PayeeId | None
    state: str  # raised, cleared
    is_acknowledged: bool
    raised_on: dt.date | None  # None: cleared
    period_id: str
    version: int
    first_raised_at: dt.datetime
    alert: Alert


class Said(NamedTuple):
    """An acknowledgement or a note."""

    at: dt.datetime
    author: str
    is_acknowledgement: bool
    text: str


class Happened(NamedTuple):
    """A step in an alert's life."""

    event: str
    alert: Alert


_ALERT: Final = msgspec.json.Decoder(Alert)
_ACKNOWLEDGED: Final = """(a.state = 'raised' AND EXISTS (
    SELECT FROM alert_acknowledgements k
     WHERE k.alert_id = a.alert_id AND k.raised_on = a.raised_on))"""
_SELECT: Final = f"""
SELECT a.alert_id, a.payee_id, a.manager_id, a.state, {_ACKNOWLEDGED}, a.raised_on, a.period_id,
       a.version, f.at, a.content::text
  FROM alerts a
  JOIN LATERAL (SELECT min(e.booked_at) AS at FROM alert_events e
                 WHERE e.alert_id = a.alert_id AND e.event = 'raised') f ON f.at IS NOT NULL"""
_CONDITIONS: Final[dict[str, str]] = {
    "state": f"""CASE WHEN a.state <> 'raised' THEN 'cleared'
                      WHEN {_ACKNOWLEDGED} THEN 'acknowledged' ELSE 'open' END = %(state)s""",
    "payee_id": "a.payee_id = %(payee_id)s",
    "kind": "a.kind = %(kind)s",
    "period": "a.period_id = %(period)s",
}


def alerts(
    connection: Connection,
    keyset: Keyset,
    *,
    payees: Sequence[str] | None,
    filters: Mapping[str, Any],
) -> list[AlertState]:
    """A page of alerts that were ever raised, by (first_raised_at, alert_id)."""
    found = clauses(
        keyset,
        ("f.at", "a.alert_id"),
        filters=filters,
        conditions=_CONDITIONS,
        always=("a.content IS NOT NULL", *_seen(payees)),
        parameters={} if payees is None else {"seen": list(payees)},
    )
    return [_state(row) for row in rows(connection, _SELECT, found)]


def alert(connection: Connection, alert_id: str) -> AlertState | None:
    """One alert, if it was ever raised."""
    text = f"{_SELECT} WHERE a.alert_id = %(alert_id)s AND a.content IS NOT NULL"
    row = connection.execute(text.encode(), {"alert_id": alert_id}).fetchone()
    return None if row is None else _state(row)


OPEN: Final = f"""
SELECT count(*) FROM alerts a
 WHERE a.state = 'raised' AND a.content IS NOT NULL AND NOT {_ACKNOWLEDGED}"""


def open_count(connection: Connection) -> int:
    """How many stand raised and nobody has acknowledged."""
    row = connection.execute(OPEN.encode()).fetchone()
    assert row is not None
    return int(row[0])


EVENTS: Final[LiteralString] = """
SELECT event, content::text FROM alert_events WHERE alert_id = %(alert_id)s
 ORDER BY booked_at DESC LIMIT %(most)s
"""


def events(connection: Connection, alert_id: str, rows_max: int) -> list[Happened]:
    """What happened to it, newest first."""
    found = connection.execute(EVENTS, {"alert_id": alert_id, "most": rows_max})
    return [Happened(event, _ALERT.decode(content)) for event, content in found]


SAID: Final[LiteralString] = """
SELECT * FROM (
    SELECT written_at, author, true, text FROM alert_acknowledgements WHERE alert_id = %(alert_id)s
    UNION ALL
    SELECT written_at, author, false, text FROM notes WHERE subject = 'alert/' || %(alert_id)s
) s ORDER BY written_at DESC LIMIT %(most)s
"""


def said(connection: Connection, alert_id: str, rows_max: int) -> list[Said]:
    """What people said of it, newest first."""
    found = connection.execute(SAID, {"alert_id": alert_id, "most": rows_max})
    return [Said(*row) for row in found]


ACKNOWLEDGE: Final[LiteralString] = """
INSERT INTO alert_acknowledgements (alert_id, raised_on, author, payee_id, text)
SELECT a.alert_id, a.raised_on, %(author)s, a.payee_id, %(text)s
  FROM alerts a
 WHERE a.alert_id = %(alert_id)s AND a.state = 'raised'
   AND NOT EXISTS (SELECT FROM alert_acknowledgements k
                    WHERE k.alert_id = a.alert_id AND k.raised_on = a.raised_on)
RETURNING raised_on
"""
ONE_AT_A_TIME: Final[LiteralString] = """
SELECT pg_advisory_xact_lock(hashtextextended('alert/' || %(alert_id)s, 0))
"""


def acknowledge(connection: Connection, alert_id: str, *, author: str, text: str) -> dt.date | None:
    """Acknowledge this raising, once; None when it is cleared or somebody was quicker."""
    given = {"alert_id": alert_id, "author": author, "text": text}
    connection.execute(ONE_AT_A_TIME, given)
    row = connection.execute(ACKNOWLEDGE, given).fetchone()
    return None if row is None else row[0]


NOTE: Final[LiteralString] = """
INSERT INTO notes (subject, author, text) VALUES ('alert/' || %(alert_id)s, %(author)s, %(text)s)
"""


def note(connection: Connection, alert_id: str, *, author: str, text: str) -> None:
    """Say something of it."""
    connection.execute(NOTE, {"alert_id": alert_id, "author": author, "text": text})


def _seen(payees: Sequence[str] | None) -> tuple[str, ...]:
    return () if payees is None else ("a.payee_id = ANY(%(seen)s)",)


def _state(row: tuple[Any, ...]) -> AlertState:
    return AlertState._make((*row[:9], _ALERT.decode(row[9])))
