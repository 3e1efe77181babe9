"""What the relay reads of the reference outbox, and what it remembers of its own.

Rows of an outbox become visible out of order, so which were sent is remembered, not the highest.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from db.connect import Connection
from schemas.ids import AccountId, DealId
from schemas.messages import BINDINGS, BY_TYPE, Message

Offsets = Mapping[int, int]  # partition of the deals topic -> offset after the last record written


class OutboxRow(NamedTuple):
    """A row of the reference outbox that was not sent yet."""

    id: int
    message: Message


class Recredit(NamedTuple):
    """How far held deals were sent to be credited again under a reference version."""

    reference_version: int
    after_deal: DealId
    offsets: Offsets
    deals: int
    is_finished: bool


# ---- the reference outbox ----

UNSENT: Final = """
SELECT o.id, o.message_type, o.message::text
  FROM reference_outbox o
 WHERE NOT EXISTS (SELECT FROM relay_sent s WHERE s.outbox_id = o.id)
 ORDER BY o.id LIMIT %s"""


def unsent(conn: Connection, rows_max: int) -> list[OutboxRow]:
    """What is to be sent, in id order."""
    return [
        OutboxRow(id_, msgspec.json.decode(message, type=BY_TYPE[type_].struct))
        for id_, type_, message in conn.execute(UNSENT, (rows_max,))
    ]


NOTE_SENT: Final = """
INSERT INTO relay_sent (outbox_id, offsets, sent_at)
SELECT id, offsets, clock_timestamp() FROM unnest(%s::bigint[], %s::json[]) AS u(id, offsets)
    ON CONFLICT (outbox_id) DO NOTHING"""


def note_sent(conn: Connection, sent: Sequence[tuple[int, Offsets]]) -> None:
    """Remember rows as sent, with what they came to on the deals topic ({} for other topics)."""
    conn.execute(NOTE_SENT, ([id_ for id_, _ in sent], [_json(offsets) for _, offsets in sent]))


PUT: Final = """
INSERT INTO reference_outbox (message_type, message_key, message, reference_version)
SELECT %s, %s, %s::json, reference_version FROM installation
RETURNING id"""


def put(conn: Connection, message: Message) -> int:
    """A command into the outbox, on its own; its id."""
    binding = BINDINGS[type(message)]
    text = msgspec.json.encode(message).decode()
    row = conn.execute(PUT, (binding.type, binding.key(message), text)).fetchone()
    assert row is not None, "the installation has no row"
    return int(row[0])


SENT_OFFSETS: Final = "SELECT offsets::text FROM relay_sent WHERE outbox_id = %s"


def sent_offsets(conn: Connection, outbox_id: int) -> Offsets | None:
    """Where a row stands on the deals topic; None while it was not sent."""
    row = conn.execute(SENT_OFFSETS, (outbox_id,)).fetchone()
    return None if row is None else _offsets(row[0])


# ---- how far the processors are ----

BEHIND: Final = """
SELECT u.partition
  FROM unnest(%s::int[], %s::bigint[]) AS u(partition, upto)
  LEFT JOIN partitions p ON p.topic = %s AND p.partition = u.partition
 WHERE coalesce({column}, 0) < u.upto
 ORDER BY 1"""


def not_applied(conn: Connection, topic: str, offsets: Offsets) -> list[int]:
    """The partitions whose commands up to there are not done; `topic` is its full name."""
    return _behind(conn, topic, offsets, BEHIND.format(column="p.next_offset"))


def not_published(conn: Connection, topic: str, offsets: Offsets) -> list[int]:
    """The partitions of which what was booked up to there is not published everywhere."""
    return _behind(conn, topic, offsets, BEHIND.format(column="p.published_to"))


def _behind(conn: Connection, topic: str, offsets: Offsets, statement: str) -> list[int]:
    rows = conn.execute(statement.encode(), (list(offsets), list(offsets.values()), topic))
    return [partition for (partition,) in rows]


# ---- held deals ----

HELD_DEALS: Final = "SELECT DISTINCT deal_id FROM holds WHERE deal_id > %s ORDER BY 1 LIMIT %s"


def held_deals(conn: Connection, after: DealId, deals_max: int) -> list[DealId]:
    """Deals of which a share waits, in order, after that one."""
    return [DealId(deal) for (deal,) in conn.execute(HELD_DEALS, (after, deals_max))]


READ_RECREDIT: Final = """
SELECT i.reference_version, coalesce(r.after_deal, ''), coalesce(r.offsets::text, '{}'),
       coalesce(r.deals, 0), r.finished_at
  FROM installation i LEFT JOIN recredits r USING (reference_version)"""


def read_recredit(conn: Connection) -> Recredit | None:
    """How far the reference version in force is; None before the installation has a row."""
    row = conn.execute(READ_RECREDIT).fetchone()
    if row is None:
        return None
    version, after, offsets, deals, finished_at = row
    return Recredit(version, DealId(after), _offsets(offsets), deals, finished_at is not None)


NOTE_RECREDIT: Final = """
INSERT INTO recredits (reference_version, after_deal, offsets, deals, finished_at)
VALUES (%s, %s, %s::json, %s, CASE WHEN %s THEN clock_timestamp() END)
    ON CONFLICT (reference_version) DO UPDATE
   SET after_deal = excluded.after_deal, offsets = excluded.offsets, deals = excluded.deals,
       finished_at = excluded.finished_at"""


def note_recredit(conn: Connection, recredit: Recredit) -> None:
    """Remember how far it is."""
    version, after, offsets, deals, is_finished = recredit
    conn.execute(NOTE_RECREDIT, (version, after, _json(offsets), deals, is_finished))


# ---- accounts ----

ACCOUNTS: Final = "SELECT account_id FROM accounts WHERE account_id > %s ORDER BY 1 LIMIT %s"


def accounts(conn: Connection, after: AccountId, accounts_max: int) -> list[AccountId]:
    """Accounts in order, after that one."""
    return [AccountId(account) for (account,) in conn.execute(ACCOUNTS, (after, accounts_max))]


# ---- old chunks ----

DROP_OLD: Final = "SELECT drop_old_chunks(%s, %s)"


def drop_old(conn: Connection, history: str, older_than: dt.datetime) -> None:
    """Retention of a history that is not money."""
    conn.execute(DROP_OLD, (history, older_than))


def _json(offsets: Offsets) -> str:
    return msgspec.json.encode({str(n): offset for n, offset in offsets.items()}).decode()


def _offsets(text: str) -> dict[int, int]:
    return msgspec.json.decode(text, type=dict[int, int])
