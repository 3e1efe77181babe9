"""Alerts: a state machine per (subject, kind, period), its events, and the outbox they leave by."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from db.batch_reads import CREDIT_COLUMNS, in_force
from db.connect import Connection
from schemas.ids import AccountId, AlertId, PayeeId, PeriodId
from schemas.messages import (
    BINDINGS,
    BY_TYPE,
    Alert,
    AlertCleared,
    AlertKind,
    AlertRaised,
    AlertUpdated,
    Message,
    Role,
)
from schemas.state import Credit, RunningState

EVENTS: Final[dict[type[Message], str]] = {
    AlertRaised: "raised",
    AlertUpdated: "updated",
    AlertCleared: "cleared",
}


class Subject(NamedTuple):
    """Whose account is looked at, and who leads him today."""

    account_id: AccountId
    alert_id: AlertId
    payee_id: PayeeId
    manager_id: PayeeId | None


class Memory(NamedTuple):
    """What is remembered of a subject, and the business date it was last looked at."""

    running: RunningState
    evaluated_on: dt.date | None


class Looked(NamedTuple):
    """A subject after a look."""

    subject: Subject
    running: RunningState
    evaluated_on: dt.date
    events: Sequence[Alert]


_RUNNING: Final = msgspec.json.Decoder(RunningState)

LAST_EVALUATED: Final = "SELECT max(evaluated_on) FROM alerts WHERE kind = %s"


def last_evaluated(conn: Connection, kind: AlertKind) -> dt.date | None:
    """The last business date on which anybody was looked at."""
    row = conn.execute(LAST_EVALUATED, (kind.value,)).fetchone()
    assert row is not None
    found: dt.date | None = row[0]
    return found


CREATE: Final = """
INSERT INTO alerts (subject, kind, period_id, alert_id, payee_id, manager_id, state, version,
                    memory)
SELECT subject, %s, %s, alert_id, payee_id, manager_id, 'watching', 0, '{}'
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    AS u(subject, alert_id, payee_id, manager_id)
 ORDER BY subject
    ON CONFLICT (subject, kind, period_id) DO NOTHING"""
LOCK: Final = """
SELECT a.subject, a.memory::text, a.evaluated_on
  FROM unnest(%s::text[]) AS u(subject)
  JOIN alerts a ON a.subject = u.subject AND a.kind = %s AND a.period_id = %s
 ORDER BY a.subject FOR UPDATE OF a"""


def lock(
    conn: Connection, kind: AlertKind, period_id: PeriodId, subjects: Sequence[Subject]
) -> dict[AccountId, Memory]:
    """What is remembered of each, locked in order until the transaction ends."""
    columns = [list(column) for column in zip(*subjects, strict=True)]
    conn.execute(CREATE, (kind.value, period_id, *columns))
    rows = conn.execute(LOCK, (columns[0], kind.value, period_id))
    return {account: Memory(_RUNNING.decode(memory), day) for account, memory, day in rows}


WRITE: Final = """
UPDATE alerts a
   SET memory = u.memory::json, version = u.version, state = u.state,
       content = coalesce(u.content::json, a.content), raised_on = u.raised_on,
       evaluated_on = u.evaluated_on, manager_id = u.manager_id
  FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::date[],
              %s::date[], %s::text[])
    AS u(subject, memory, version, state, content, raised_on, evaluated_on, manager_id)
 WHERE a.subject = u.subject AND a.kind = %s AND a.period_id = %s"""
WRITE_EVENTS: Final = """
INSERT INTO alert_events (booked_at, alert_id, event, subject, kind, period_id, payee_id,
                          business_date, content)
SELECT clock_timestamp(), u.*
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::date[],
              %s::json[]) AS u"""
WRITE_OUTBOX: Final = """
INSERT INTO alert_outbox (message_type, message_key, message)
SELECT u.* FROM unnest(%s::text[], %s::text[], %s::json[]) AS u"""


def write(conn: Connection, kind: AlertKind, period_id: PeriodId, looked: Sequence[Looked]) -> None:
    """The subjects after their looks, their events, and what is to be told; rows are locked."""
    columns = [list(column) for column in zip(*map(_columns, looked), strict=True)]
    conn.execute(WRITE, (*columns, kind.value, period_id))
    events = [event for subject in looked for event in subject.events]
    if not events:
        return
    texts = [msgspec.json.encode(event).decode() for event in events]
    shown = [list(column) for column in zip(*map(_event_columns, events), strict=True)]
    conn.execute(WRITE_EVENTS, (*shown, texts))
    bindings = [BINDINGS[type(event)] for event in events]
    keys = [binding.key(event) for binding, event in zip(bindings, events, strict=True)]
    conn.execute(WRITE_OUTBOX, ([binding.type for binding in bindings], keys, texts))


def _columns(looked: Looked) -> tuple[object, ...]:
    running, last = looked.running, looked.events[-1] if looked.events else None
    return (
        looked.subject.account_id,
        msgspec.json.encode(running).decode(),
        running.version,
        "raised" if running.raised_on else "cleared" if running.version else "watching",
        None if last is None else msgspec.json.encode(last).decode(),
        running.raised_on,
        looked.evaluated_on,
        looked.subject.manager_id,
    )


def _event_columns(event: Alert) -> tuple[object, ...]:
    return (
        event.alert_id,
        EVENTS[type(event)],
        event.subject,
        event.kind.value,
        event.period,
        event.payee_id,
        event.business_date,
    )


# ---- the outbox ----

UNSENT: Final = """
SELECT id, message_type, message::text FROM alert_outbox
 WHERE sent_at IS NULL ORDER BY id LIMIT %s"""
NOTE_SENT: Final = "UPDATE alert_outbox SET sent_at = clock_timestamp() WHERE id = ANY(%s)"


def unsent(conn: Connection, rows_max: int) -> list[tuple[int, Message]]:
    """Rows not sent yet, in id order."""
    return [
        (id_, msgspec.json.decode(message, type=BY_TYPE[type_].struct))
        for id_, type_, message in conn.execute(UNSENT, (rows_max,))
    ]


def note_sent(conn: Connection, ids: Sequence[int]) -> None:
    """Remember rows as sent."""
    conn.execute(NOTE_SENT, (list(ids),))


# ---- the credits behind what is looked at ----


class CreditedLater(NamedTuple):
    """What an account has credited for deals closed on a day, by segment, role and type."""

    account_id: AccountId
    payee_id: PayeeId
    segment: str
    role: str
    credit_type: str
    closed_on: dt.date
    amount: Decimal


CREDITED_AFTER: Final = """
SELECT c.account_id, c.payee_id, c.segment, c.role, c.credit_type, c.closed_on, sum(c.amount)
  FROM unnest(%s::text[], %s::bigint[]) AS u(account_id, version)
  JOIN credits c ON c.account_id = u.account_id AND c.account_version <= u.version
 WHERE c.origin_period = %s AND c.closed_on > %s
 GROUP BY 1, 2, 3, 4, 5, 6"""


def credited_after(
    conn: Connection, versions: Mapping[AccountId, int], period_id: PeriodId, day: dt.date
) -> list[CreditedLater]:
    """What stood credited in a period for deals closed after a day, at those versions."""
    rows = conn.execute(CREDITED_AFTER, (*_columns_of(versions), period_id, day))
    return [CreditedLater(*row) for row in rows]


CREDITS: Final = f"""
SELECT {CREDIT_COLUMNS}
  FROM unnest(%s::text[], %s::bigint[]) AS u(account, version)
  JOIN credits c ON c.account_id = u.account AND c.account_version <= u.version
 WHERE c.origin_period = %s AND c.role = ANY(%s)"""


def credits(
    conn: Connection,
    versions: Mapping[AccountId, int],
    period_id: PeriodId,
    roles: Collection[Role],
) -> list[Credit]:
    """The credits of a period in those roles that stood in force at those versions."""
    rows = conn.execute(CREDITS, (*_columns_of(versions), period_id, sorted(roles)))
    return in_force(rows.fetchall())


def _columns_of(versions: Mapping[AccountId, int]) -> tuple[list[AccountId], list[int]]:
    return list(versions), list(versions.values())
