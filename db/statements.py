"""Statements: what they are derived from, and the frozen ones, written once."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from db.batch_reads import CREDIT_COLUMNS, in_force
from db.connect import Connection
from schemas.ids import AccountId, PeriodId
from schemas.state import Credit, Line
from schemas.statements import Basis, EntrySum, Statement

NO_LIMIT: Final = 2**63 - 1


class Frozen(NamedTuple):
    """How many of a period's accounts have their statement."""

    frozen: int
    accounts: int


_LINES: Final = msgspec.json.Decoder(tuple[Line, ...])


def bases(
    conn: Connection,
    period_id: PeriodId,
    accounts: Sequence[AccountId],
    *,
    earlier: Sequence[PeriodId],
    before_version: int = NO_LIMIT,
) -> list[Basis]:
    """What the statements of those accounts with entries in the period follow from.

    As it stood before that reference version: a lock's own for a locked period, no limit for an
    open one. `earlier` are the periods before it. Several statements: call it in one snapshot
    unless what they read cannot move any more.
    """
    sums = entry_sums(conn, period_id, accounts, before_version=before_version)
    origins = sorted({period_id, *(entry.origin_period for entry in sums)})
    credits = credits_in_force(conn, accounts, origins, before_version=before_version)
    frozen = frozen_lines(conn, accounts, earlier) if len(origins) > 1 else {}
    by_account: dict[AccountId, list[Credit]] = {}
    for credit in credits:
        by_account.setdefault(credit.account_id, []).append(credit)
    return [
        Basis(
            account,
            period_id,
            tuple(entries),
            tuple(by_account.get(account, ())),
            tuple(frozen.get(account, ())),
        )
        for account, entries in groupby(sums, key=attrgetter("account_id"))
    ]


TO_FREEZE: Final = """
SELECT DISTINCT l.account_id FROM ledger l
 WHERE l.booking_period = %(period)s AND l.account_id > %(after)s
   AND NOT EXISTS (SELECT FROM statements s
                    WHERE s.account_id = l.account_id AND s.period_id = %(period)s)
 ORDER BY 1 LIMIT %(most)s"""


def to_freeze(
    conn: Connection, period_id: PeriodId, after: AccountId, accounts_max: int
) -> list[AccountId]:
    """Accounts with entries in the period and no statement of it yet, in order, after that one."""
    rows = conn.execute(TO_FREEZE, {"period": period_id, "after": after, "most": accounts_max})
    return [AccountId(account) for (account,) in rows]


FROZEN: Final = """
SELECT (SELECT count(*) FROM statements WHERE period_id = %(period)s),
       (SELECT count(DISTINCT account_id) FROM ledger WHERE booking_period = %(period)s)"""


def frozen(conn: Connection, period_id: PeriodId) -> Frozen:
    """How far freezing is."""
    row = conn.execute(FROZEN, {"period": period_id}).fetchone()
    assert row is not None
    return Frozen(*row)


ENTRY_SUMS: Final = """
SELECT account_id, min(payee_id), min(currency), component, segment, origin_period,
       sum(credited), sum(earned)
  FROM ledger
 WHERE booking_period = %s AND account_id = ANY(%s) AND reference_version < %s
 GROUP BY account_id, component, segment, origin_period
 ORDER BY account_id, origin_period, segment, component"""


def entry_sums(
    conn: Connection,
    period_id: PeriodId,
    accounts: Sequence[AccountId],
    *,
    before_version: int = NO_LIMIT,
) -> list[EntrySum]:
    """What was booked in a period under reference versions below that one."""
    rows = conn.execute(ENTRY_SUMS, (period_id, list(accounts), before_version))
    return [EntrySum(*row) for row in rows]


# Reversals are matched here, not by an anti-join: on fresh statistics that becomes a nested loop,
# quadratic in the credits of an account (measured: 309 ms for 1,332 rows).
CREDITS: Final = f"""
SELECT {CREDIT_COLUMNS} FROM credits
 WHERE account_id = ANY(%s) AND origin_period = ANY(%s) AND reference_version < %s"""


def credits_in_force(
    conn: Connection,
    accounts: Sequence[AccountId],
    origins: Sequence[PeriodId],
    *,
    before_version: int = NO_LIMIT,
) -> list[Credit]:
    """Credits that stood, not reversed, under reference versions below that one."""
    rows = conn.execute(CREDITS, (list(accounts), list(origins), before_version)).fetchall()
    return in_force(rows)


FROZEN_LINES: Final = """
SELECT account_id, lines::text FROM statements
 WHERE account_id = ANY(%s) AND period_id = ANY(%s)"""


def frozen_lines(
    conn: Connection, accounts: Sequence[AccountId], periods: Sequence[PeriodId]
) -> dict[AccountId, list[Line]]:
    """All lines of the accounts' frozen statements of those periods."""
    found: dict[AccountId, list[Line]] = {}
    for account, lines in conn.execute(FROZEN_LINES, (list(accounts), list(periods))):
        found.setdefault(account, []).extend(_LINES.decode(lines))
    return found


FREEZE: Final = """
INSERT INTO statements (account_id, period_id, payee_id, earned, currency, line_count,
                        statement_hash, lines, locked_at, frozen_at)
SELECT u.*, %s, clock_timestamp()
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[], %s::text[], %s::int[],
              %s::text[], %s::json[])
    AS u(account_id, period_id, payee_id, earned, currency, line_count, statement_hash, lines)
 ORDER BY account_id
    ON CONFLICT (account_id, period_id) DO NOTHING"""
DIFFERING: Final = """
SELECT s.account_id
  FROM unnest(%s::text[], %s::text[], %s::text[]) AS u(account_id, period_id, statement_hash)
  JOIN statements s USING (account_id, period_id)
 WHERE s.statement_hash <> u.statement_hash"""


def freeze(
    conn: Connection, statements: Sequence[Statement], *, locked_at: dt.datetime
) -> list[AccountId]:
    """Write each once; the accounts whose frozen statement differs from the one given."""
    columns = [list(column) for column in zip(*map(_columns, statements), strict=True)]
    conn.execute(FREEZE, (locked_at, *columns))
    rows = conn.execute(DIFFERING, (columns[0], columns[1], columns[6]))
    return [AccountId(account) for (account,) in rows]


def _columns(statement: Statement) -> tuple[object, ...]:
    return (
        statement.account_id,
        statement.period_id,
        statement.payee_id,
        statement.earned,
        statement.currency,
        len(statement.lines),
        statement.statement_hash,
        msgspec.json.encode(statement.lines).decode(),
    )


class Kept(NamedTuple):
    """A frozen statement, whole."""

    account_id: AccountId
    period_id: PeriodId
    earned: Decimal
    currency: str
    line_count: int
    statement_hash: str
    frozen_at: dt.datetime
    lines: tuple[Line, ...]


KEPT: Final = """
SELECT account_id, period_id, earned, currency, line_count, statement_hash, frozen_at, lines::text
  FROM statements WHERE payee_id = %s AND period_id = %s ORDER BY account_id"""


def kept(conn: Connection, payee_id: str, period_id: PeriodId) -> list[Kept]:
    """A payee's frozen statements of a period, one an account."""
    rows = conn.execute(KEPT, (payee_id, period_id))
    return [Kept._make((*row[:7], _LINES.decode(row[7]))) for row in rows]


class Sum(NamedTuple):
    """What a payee has booked in a period, and what is frozen of it."""

    period_id: PeriodId
    earned: Decimal
    currency: str
    accounts: int
    frozen: int
    line_count: int | None
    hashes: tuple[str, ...]
    frozen_at: dt.datetime | None


SUMS: Final = """
SELECT b.booking_period, sum(b.earned), min(b.currency), count(*), count(s.account_id),
       sum(s.line_count)::int, coalesce(array_agg(s.statement_hash ORDER BY s.account_id)
           FILTER (WHERE s.account_id IS NOT NULL), '{}'), max(s.frozen_at)
  FROM (SELECT account_id, booking_period, sum(earned) AS earned, min(currency) AS currency
          FROM ledger
         WHERE account_id IN (SELECT account_id FROM accounts WHERE payee_id = %s)
         GROUP BY account_id, booking_period) b
  LEFT JOIN statements s ON s.account_id = b.account_id AND s.period_id = b.booking_period
 GROUP BY b.booking_period"""


def sums(conn: Connection, payee_id: str) -> list[Sum]:
    """A payee's periods with entries, in no order."""
    return [Sum._make((*row[:6], tuple(row[6]), row[7])) for row in conn.execute(SUMS, (payee_id,))]


WITH_ENTRIES: Final = """
SELECT DISTINCT account_id FROM ledger
 WHERE booking_period = %s
   AND account_id IN (SELECT account_id FROM accounts WHERE payee_id = %s)
 ORDER BY 1"""


def accounts_with_entries(conn: Connection, payee_id: str, period_id: PeriodId) -> list[AccountId]:
    """A payee's accounts in which something is booked in the period."""
    return [AccountId(row[0]) for row in conn.execute(WITH_ENTRIES, (period_id, payee_id))]
