"""Boards: which rows a standing is made of, and its state with its versions."""

import datetime as dt
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from db.batch_reads import read_accounts
from db.connect import SNAPSHOT, Connection
from schemas.ids import AccountId, BoardId, ComponentId, PayeeId, PeriodId
from schemas.messages import StandingsChanged
from schemas.state import AccountState


class BoardState(NamedTuple):
    """A board's row. A standing whose version is above `published_version` may not be known."""

    version: int = 0
    period_id: PeriodId | None = None
    business_date: dt.date | None = None
    opening_ranks: dict[PayeeId, int] | None = None
    standing: StandingsChanged | None = None
    published_version: int = 0


class Credited(NamedTuple):
    """What a payee has credited in a period, by assignment segment and component."""

    payee_id: PayeeId
    segment: str
    component: ComponentId
    amount: Decimal
    account_version: int


_STANDING: Final = msgspec.json.Decoder(StandingsChanged)
_RANKS: Final = msgspec.json.Decoder(dict[PayeeId, int])

CREATE: Final = """
INSERT INTO board_states (board_id, version) VALUES (%s, 0) ON CONFLICT (board_id) DO NOTHING"""
LOCK: Final = """
SELECT version, period_id, business_date, opening_ranks::text, standing::text, published_version
  FROM board_states WHERE board_id = %s FOR UPDATE"""


def lock(conn: Connection, board_id: BoardId) -> BoardState:
    """The board's state, locked until the transaction ends; made where there is none."""
    conn.execute(CREATE, (board_id,))
    row = conn.execute(LOCK, (board_id,)).fetchone()
    assert row is not None
    version, period, day, ranks, standing, published = row
    return BoardState(
        version,
        period,
        day,
        None if ranks is None else _RANKS.decode(ranks),
        None if standing is None else _STANDING.decode(standing),
        published,
    )


WRITE: Final = """
UPDATE board_states
   SET version = %s, period_id = %s, business_date = %s, opening_ranks = %s::json,
       standing = %s::json, computed_at = clock_timestamp()
 WHERE board_id = %s"""


def write(conn: Connection, board_id: BoardId, state: BoardState) -> None:
    """The board as it is now; its row is locked."""
    conn.execute(
        WRITE,
        (
            state.version,
            state.period_id,
            state.business_date,
            msgspec.json.encode(state.opening_ranks or {}).decode(),
            None if state.standing is None else msgspec.json.encode(state.standing).decode(),
            board_id,
        ),
    )


NOTE_PUBLISHED: Final = """
UPDATE board_states SET published_version = greatest(published_version, %s) WHERE board_id = %s"""


def note_published(conn: Connection, board_id: BoardId, version: int) -> None:
    """All rows up to that version are on the topic."""
    conn.execute(NOTE_PUBLISHED, (version, board_id))


CREDITED: Final = """
SELECT a.payee_id, p.segment, p.component, sum(p.credited), max(a.version)
  FROM positions p JOIN accounts a USING (account_id)
 WHERE p.period_id = %(period)s AND p.component = ANY(%(components)s)
   AND (%(accounts)s::text[] IS NULL OR p.account_id = ANY(%(accounts)s))
 GROUP BY 1, 2, 3"""


def credited(
    conn: Connection,
    period_id: PeriodId,
    components: Sequence[ComponentId],
    accounts: Collection[AccountId] | None = None,
) -> list[Credited]:
    """What those components have credited in a period, of those accounts or of all.

    One statement, so one committed state.
    """
    chosen = None if accounts is None else list(accounts)
    parameters = {"period": period_id, "components": list(components), "accounts": chosen}
    return [Credited(*row) for row in conn.execute(CREDITED, parameters)]


COMPLETE_THROUGH: Final = """
WITH heard AS (SELECT source FROM sources WHERE known_to IS NULL
               UNION SELECT source FROM source_states)
SELECT h.source, count(s.partition), min(s.complete_through), i.deals_partitions
  FROM heard h CROSS JOIN installation i
  LEFT JOIN source_states s ON s.source = h.source AND s.partition < i.deals_partitions
 GROUP BY h.source, i.deals_partitions"""


def complete_through(conn: Connection) -> dt.datetime | None:
    """Up to when all sources have sent everything, those registered and those heard of.

    A source or a partition without a word counts as nothing: None.
    """
    rows = conn.execute(COMPLETE_THROUGH).fetchall()
    if not rows or any(count < partitions for _, count, _, partitions in rows):
        return None
    stamp: dt.datetime = min(lowest for _, _, lowest, _ in rows)
    return stamp


SHAPE: Final = """
SELECT closed_on, sum(amount) FROM credits
 WHERE origin_period = %s AND role = ANY('{owner,split}')
 GROUP BY closed_on ORDER BY closed_on"""


def shape(conn: Connection, period_id: PeriodId) -> list[tuple[dt.date, Decimal]]:
    """What the company credited in a period by day, directly: each deal once."""
    return [(day, amount) for day, amount in conn.execute(SHAPE, (period_id,))]


BATCHES_OF: Final = "SELECT account_id, batch FROM accounts WHERE account_id = ANY(%s)"


def accounts_with_batches(
    conn: Connection, accounts: Sequence[AccountId]
) -> list[tuple[AccountState, int]]:
    """Those accounts, each with the batch that moved it last (0: none), of one committed state."""
    with conn.transaction():
        conn.execute(SNAPSHOT)
        states = read_accounts(conn, accounts)
        batches: dict[str, int | None] = dict(
            conn.execute(BATCHES_OF, (list(accounts),)).fetchall()
        )
    return [(state, batches[account] or 0) for account, state in states.items()]
