"""What changed for a payee: entries of his accounts, alerts, statements that were frozen.

Each is read as a page of its own by (booked_at, id); api/feeds.py merges them.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

import msgspec

from db.batch_reads import CREDIT_COLUMNS, credit_of
from db.connect import Connection
from db.keyset import Keyset, clauses, rows
from schemas.ids import AccountId, ComponentId, PeriodId
from schemas.messages import Alert, Cause
from schemas.state import Credit


class EntryChange(NamedTuple):
    """An entry: what one batch changed in one cell of an account."""

    booked_at: dt.datetime
    entry_id: str
    account_id: AccountId
    component: ComponentId
    segment: str
    origin_period: PeriodId
    booking_period: PeriodId
    credited: Decimal
    earned: Decimal
    credited_after: Decimal
    earned_after: Decimal
    currency: str
    cause: Cause
    is_replay: bool
    batch: int


class AlertChange(NamedTuple):
    """A step in an alert's life."""

    booked_at: dt.datetime
    alert_id: str
    version: int
    event: str
    period: str
    alert: Alert


class Frozen(NamedTuple):
    """A statement that was frozen."""

    booked_at: dt.datetime
    account_id: str
    period: str
    earned: Decimal
    currency: str


_ALERT: Final = msgspec.json.Decoder(Alert)
_OF_PAYEE: Final = "account_id IN (SELECT account_id FROM accounts WHERE payee_id = %(payee_id)s)"
_RANGE: Final[dict[str, str]] = {
    "booked_at_gte": "{at} >= %(booked_at_gte)s",
    "booked_at_lt": "{at} < %(booked_at_lt)s",
}
ENTRIES: Final = """
SELECT booked_at, 'entry:' || entry_id, account_id, component, segment, origin_period,
       booking_period, credited, earned, credited_after, earned_after, currency, cause, is_replay,
       batch
  FROM ledger"""
ALERTS: Final = """
SELECT booked_at, alert_id, coalesce((content ->> 'version')::bigint, 0), event, period_id,
       content::text
  FROM alert_events"""
FROZEN: Final = """
SELECT frozen_at, account_id, period_id, earned, currency FROM statements"""


def entries(
    connection: Connection,
    keyset: Keyset,
    payee_id: str,
    filters: Mapping[str, Any],
    *,
    corrections: bool | None,
) -> list[EntryChange]:
    """A page of entries; `corrections` None: of both kinds."""
    always = [_OF_PAYEE]
    if corrections is not None:
        always.append(
            "origin_period <> booking_period" if corrections else "origin_period = booking_period"
        )
    found = clauses(
        keyset,
        ("booked_at", "'entry:' || entry_id"),
        filters=filters,
        conditions={**_ranges("booked_at"), "period": "booking_period = %(period)s"},
        always=tuple(always),
        parameters={"payee_id": payee_id},
    )
    return [
        EntryChange._make((*row[:12], Cause(row[12]), *row[13:]))
        for row in rows(connection, ENTRIES, found)
    ]


ALERT_ID: Final = "'alert:' || alert_id || ':' || coalesce((content ->> 'version')::bigint, 0)"
FROZEN_ID: Final = "'lock:' || account_id || ':' || period_id"


def alerts(
    connection: Connection, keyset: Keyset, payee_id: str, filters: Mapping[str, Any]
) -> list[AlertChange]:
    """A page of alert events."""
    found = clauses(
        keyset,
        ("booked_at", ALERT_ID),
        filters=filters,
        conditions={**_ranges("booked_at"), "period": "period_id = %(period)s"},
        always=("payee_id = %(payee_id)s",),
        parameters={"payee_id": payee_id},
    )
    return [
        AlertChange._make((*row[:5], _ALERT.decode(row[5])))
        for row in rows(connection, ALERTS, found)
    ]


def frozen(
    connection: Connection, keyset: Keyset, payee_id: str, filters: Mapping[str, Any]
) -> list[Frozen]:
    """A page of frozen statements."""
    found = clauses(
        keyset,
        ("frozen_at", FROZEN_ID),
        filters=filters,
        conditions={**_ranges("frozen_at"), "period": "period_id = %(period)s"},
        always=("payee_id = %(payee_id)s",),
        parameters={"payee_id": payee_id},
    )
    return [Frozen._make(row) for row in rows(connection, FROZEN, found)]


def _ranges(at: str) -> dict[str, str]:
    return {name: condition.format(at=at) for name, condition in _RANGE.items()}


CREDITS: Final = f"""
SELECT batch, {CREDIT_COLUMNS} FROM credits
 WHERE batch = ANY(%(batches)s) AND account_id = ANY(%(accounts)s)"""


def credits_of(
    connection: Connection, batches: Sequence[int], accounts: Sequence[str]
) -> list[tuple[int, Credit]]:
    """The credits and reversals that those batches booked in those accounts."""
    given = {"batches": list(batches), "accounts": list(accounts)}
    return [(row[0], credit_of(row[1:])) for row in connection.execute(CREDITS.encode(), given)]


class DealName(NamedTuple):
    """What a deal is called."""

    name: str | None
    customer: str | None
    amount: Decimal | None
    currency: str | None


NAMES: Final[LiteralString] = """
SELECT deal_id, name, customer, amount, currency FROM deals WHERE deal_id = ANY(%(deals)s)
"""


def names(connection: Connection, deals: Sequence[str]) -> dict[str, DealName]:
    """What those deals are called, and what they are worth."""
    found = connection.execute(NAMES, {"deals": list(deals)})
    return {row[0]: DealName(*row[1:]) for row in found}
