"""What the batch protocol reads: deals, accounts with positions, and batches to publish again."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from db.connect import Connection
from db.installation import NotInstalled
from schemas import limits
from schemas.ids import (
    AccountId,
    ComponentId,
    CreditId,
    DealId,
    EntryId,
    PayeeId,
    PeriodId,
    PlanId,
    PlanYearId,
)
from schemas.messages import (
    BY_TYPE,
    Cause,
    EntryKind,
    PeriodState,
    RecordRefused,
    RefusalCode,
    Role,
    SourceRange,
)
from schemas.state import (
    AccountState,
    BatchFacts,
    Credit,
    CreditRow,
    DealState,
    Entry,
    EntryRow,
    Position,
    RefusedRow,
)
from schemas.text import printable
from schemas.transaction import Installation

_DEAL_STATE: Final = msgspec.json.Decoder(DealState)
_READ_DEALS: Final = "SELECT state::text FROM deals WHERE deal_id = ANY(%s)"
_EXISTING_ACCOUNTS: Final = "SELECT account_id FROM accounts WHERE account_id = ANY(%s)"
_READ_ACCOUNTS: Final = """
SELECT account_id, payee_id, plan_year, currency, version, booked_at
  FROM accounts WHERE account_id = ANY(%s)"""
_READ_POSITIONS: Final = """
SELECT account_id, segment, component, period_id, credited, credits, earned
  FROM positions WHERE account_id = ANY(%s)
 ORDER BY account_id, period_id, segment, component"""
_UNPUBLISHED: Final = """
SELECT DISTINCT b.batch, b.booked_at, b.reference_version, b.is_replay, b.accounts::text
  FROM unnest(%s::int[], %s::bigint[]) AS u(partition, published_to)
  JOIN batch_offsets o ON o.topic = %s AND o.partition = u.partition
                      AND o.next_offset > u.published_to
  JOIN batches b USING (batch)
 ORDER BY b.batch"""
CREDIT_COLUMNS: Final = (
    "credit_id, deal_id, deal_source, deal_revision, payee_id, account_id, role, credit_type,"
    " ordinal, amount, currency, closed_on, closed_at, origin_period, segment, cause, reverses"
)
_ACCOUNT_CREDITS: Final = f"SELECT {CREDIT_COLUMNS} FROM credits WHERE account_id = ANY(%s)"
_BATCH_OFFSETS: Final = """
SELECT partition, first_offset, next_offset FROM batch_offsets
 WHERE topic = %s AND batch = %s ORDER BY partition"""
_BATCH_CREDITS: Final = f"""
SELECT {CREDIT_COLUMNS}, deal_version, account_version, period_state, is_replay, traceparent
  FROM credits WHERE batch = %s AND booked_at = %s ORDER BY deal_id, ordinal, credit_id"""
_BATCH_ENTRIES: Final = """
SELECT entry_id, account_id, account_version, payee_id, component, segment, origin_period,
       booking_period, kind, credited, earned, currency, credits, credited_after, earned_after,
       plan_id, plan_version, cause, is_replay, traceparent
  FROM ledger WHERE batch = %s AND booked_at = %s ORDER BY account_id, entry_id"""
_BATCH_DEAD_LETTERS: Final = """
SELECT dead_letter_id, topic, partition, record_offset, source_key, code, place, problem, remedy,
       value, batch, booked_at
  FROM dead_letters WHERE batch = %s ORDER BY partition, record_offset"""
_BATCH_COMMANDS: Final = (
    "SELECT message_type, message::text FROM fact_outbox WHERE batch = %s ORDER BY ordinal"
)
_INSTALLATION: Final = "SELECT timeline, deals_partitions FROM installation"


def read_deals(conn: Connection, deals: Sequence[DealId]) -> dict[DealId, DealState]:
    """The states of those deals that exist."""
    states = (
        _DEAL_STATE.decode(text) for (text,) in conn.execute(_READ_DEALS, [list(deals)]).fetchall()
    )
    return {state.deal_id: state for state in states}


def existing_accounts(conn: Connection, accounts: Sequence[AccountId]) -> set[AccountId]:
    """Which of them exist."""
    return {a for (a,) in conn.execute(_EXISTING_ACCOUNTS, [list(accounts)]).fetchall()}


def read_accounts(conn: Connection, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
    """Accounts with positions. One state when the accounts are locked or in one snapshot."""
    wanted = list(accounts)
    rows = conn.execute(_READ_ACCOUNTS, [wanted]).fetchall()
    positions: dict[str, list[Position]] = {}
    for account, segment, component, period, credited, credits, earned in conn.execute(
        _READ_POSITIONS, [wanted]
    ):
        positions.setdefault(account, []).append(
            Position(
                segment=segment,
                component=ComponentId(component),
                period_id=PeriodId(period),
                credited=credited,
                credits=credits,
                earned=earned,
            )
        )
    return {
        account: AccountState(
            account_id=account,
            payee_id=PayeeId(payee),
            plan_year=PlanYearId(year),
            currency=currency,
            version=version,
            booked_at=booked_at,
            positions=tuple(positions.get(account, ())),
        )
        for account, payee, year, currency, version, booked_at in rows
    }


def read_installation(conn: Connection) -> Installation:
    """The timeline and the partitions that the deals topic must have. Raises NotInstalled."""
    row = conn.execute(_INSTALLATION).fetchone()
    if row is None:
        raise NotInstalled
    return Installation(*row)


def unpublished(conn: Connection, topic: str, published_to: Mapping[int, int]) -> list[BatchFacts]:
    """The batches at or above those offsets, read back with all that is published of them."""
    rows = conn.execute(
        _UNPUBLISHED, [list(published_to), list(published_to.values()), topic]
    ).fetchall()
    return [_read_batch(conn, topic, row) for row in rows]


def _read_batch(
    conn: Connection, topic: str, row: tuple[int, dt.datetime, int, bool, str]
) -> BatchFacts:
    batch, booked_at, reference_version, is_replay, accounts = row
    versions: dict[str, int] = msgspec.json.decode(accounts)
    states = read_accounts(conn, [AccountId(account) for account in versions])
    return BatchFacts(
        batch=batch,
        booked_at=booked_at,
        reference_version=reference_version,
        is_replay=is_replay,
        sources=tuple(
            SourceRange(partition=partition, first=first, next=next_)
            for partition, first, next_ in conn.execute(_BATCH_OFFSETS, [topic, batch])
        ),
        credits=tuple(map(_credit_row, conn.execute(_BATCH_CREDITS, [batch, booked_at]))),
        entries=tuple(map(_entry_row, conn.execute(_BATCH_ENTRIES, [batch, booked_at]))),
        accounts=tuple(states[account] for account in sorted(states)),
        account_versions=versions,
        refused=tuple(map(_refused_row, conn.execute(_BATCH_DEAD_LETTERS, [batch]))),
        commands=tuple(
            msgspec.json.decode(message, type=BY_TYPE[type_].struct)
            for type_, message in conn.execute(_BATCH_COMMANDS, [batch])
        ),
    )


def credits_in_force(conn: Connection, accounts: Sequence[AccountId]) -> list[Credit]:
    """The credits of those accounts that are neither reversals nor reversed."""
    return in_force(conn.execute(_ACCOUNT_CREDITS, [list(accounts)]).fetchall())


def in_force(rows: Sequence[tuple[Any, ...]]) -> list[Credit]:
    """Of rows by CREDIT_COLUMNS those that stand. (As an anti-join it is a nested loop.)"""
    reversed_ = {row[16] for row in rows}
    return [credit_of(row) for row in rows if row[16] is None and row[0] not in reversed_]


def credit_of(row: tuple[Any, ...]) -> Credit:
    """A credit of a row by CREDIT_COLUMNS."""
    return Credit(
        credit_id=CreditId(row[0]),
        deal_id=DealId(row[1]),
        deal_source=row[2],
        deal_revision=row[3],
        payee_id=PayeeId(row[4]),
        account_id=AccountId(row[5]),
        role=Role(row[6]),
        credit_type=row[7],
        ordinal=row[8],
        amount=row[9],
        currency=row[10],
        closed_on=row[11],
        closed_at=row[12],
        origin_period=PeriodId(row[13]),
        segment=row[14],
        cause=Cause(row[15]),
        reverses=row[16],
    )


def _credit_row(row: tuple[Any, ...]) -> CreditRow:
    return CreditRow(
        credit=credit_of(row),
        deal_version=row[17],
        account_version=row[18],
        period_state=PeriodState(row[19]),
        is_replay=row[20],
        traceparent=row[21],
    )


def _entry_row(row: tuple[Any, ...]) -> EntryRow:
    return EntryRow(
        entry=Entry(
            entry_id=EntryId(row[0]),
            account_id=AccountId(row[1]),
            account_version=row[2],
            payee_id=PayeeId(row[3]),
            component=ComponentId(row[4]),
            segment=row[5],
            origin_period=PeriodId(row[6]),
            booking_period=PeriodId(row[7]),
            kind=EntryKind(row[8]),
            credited=row[9],
            earned=row[10],
            currency=row[11],
            credits=row[12],
            credited_after=row[13],
            earned_after=row[14],
            plan_id=PlanId(row[15]),
            plan_version=row[16],
            cause=Cause(row[17]),
        ),
        is_replay=row[18],
        traceparent=row[19],
    )


def _refused_row(row: tuple[Any, ...]) -> RefusedRow:
    value = bytes(row[9])
    return RefusedRow(
        message=RecordRefused(
            dead_letter_id=row[0],
            topic=row[1],
            partition=row[2],
            offset=row[3],
            source_key=row[4],
            code=RefusalCode(row[5]),
            where=row[6],
            problem=row[7],
            remedy=row[8],
            value_start=printable(value[: limits.DEAD_LETTER_BYTES_MAX]),
            value_bytes=len(value),
            batch=row[10],
            booked_at=row[11],
        ),
        value=value,
    )
