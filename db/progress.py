"""A payee's progress: his accounts, positions, what is booked, and the alerts that stand raised.

Several of these together make one answer: call them in one REPEATABLE READ transaction.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

import msgspec

from db.connect import Connection
from schemas.ids import AccountId, ComponentId, PayeeId, PeriodId, PlanYearId
from schemas.messages import Alert
from schemas.state import AccountState, Position

VERSIONS: Final[LiteralString] = """
SELECT p.payee_id,
       coalesce((SELECT sum(a.version) FROM accounts a WHERE a.payee_id = p.payee_id), 0)::bigint
     + coalesce((SELECT sum(l.version) FROM alerts l WHERE l.payee_id = p.payee_id), 0)::bigint
     + (SELECT count(*) FROM alert_acknowledgements k WHERE k.payee_id = p.payee_id)
  FROM unnest(%(payee_ids)s::text[]) AS p (payee_id)
"""


def versions(connection: Connection, payee_ids: Sequence[str]) -> dict[str, int]:
    """The sum of the versions of each payee's accounts and alerts, and how often one of these was
    acknowledged: it rises with every change."""
    return dict(connection.execute(VERSIONS, {"payee_ids": list(payee_ids)}).fetchall())


ACCOUNT_VERSIONS: Final[LiteralString] = """
SELECT account_id, version FROM accounts WHERE payee_id = %(payee_id)s
"""


def account_versions(connection: Connection, payee_id: str) -> dict[str, int]:
    """The version of each account of a payee."""
    return dict(connection.execute(ACCOUNT_VERSIONS, {"payee_id": payee_id}).fetchall())


ACCOUNT: Final[LiteralString] = """
SELECT account_id, payee_id, plan_year, currency, version, booked_at
  FROM accounts WHERE account_id = %(account_id)s
"""
POSITIONS: Final[LiteralString] = """
SELECT segment, component, period_id, credited, credits, earned
  FROM positions WHERE account_id = %(account_id)s ORDER BY period_id, segment, component
"""


def account(connection: Connection, account_id: AccountId) -> AccountState | None:
    """An account with its positions; None when nothing was ever credited to it."""
    row = connection.execute(ACCOUNT, {"account_id": account_id}).fetchone()
    if row is None:
        return None
    cells = connection.execute(POSITIONS, {"account_id": account_id})
    return AccountState(
        account_id=AccountId(row[0]),
        payee_id=PayeeId(row[1]),
        plan_year=PlanYearId(row[2]),
        currency=row[3],
        version=row[4],
        booked_at=row[5],
        positions=tuple(_position(cell) for cell in cells),
    )


def _position(cell: tuple[Any, ...]) -> Position:
    return Position(
        segment=cell[0],
        component=ComponentId(cell[1]),
        period_id=PeriodId(cell[2]),
        credited=cell[3],
        credits=cell[4],
        earned=cell[5],
    )


class Booked(NamedTuple):
    """What a payee's entries booked into one period sum to, by what they are for."""

    account_id: str
    origin_period: PeriodId
    segment: str
    component: ComponentId
    credited: Decimal
    credits: int
    earned: Decimal


BOOKED: Final[LiteralString] = """
SELECT account_id, origin_period, segment, component,
       sum(credited), sum(credits)::int, sum(earned)
  FROM ledger
 WHERE booking_period = %(period_id)s
   AND account_id IN (SELECT account_id FROM accounts WHERE payee_id = %(payee_id)s)
 GROUP BY account_id, origin_period, segment, component
 ORDER BY account_id, origin_period, segment, component
"""


def booked(connection: Connection, payee_id: PayeeId, period_id: PeriodId) -> tuple[Booked, ...]:
    """What has been booked into a period for a payee, corrections of locked periods included."""
    found = connection.execute(BOOKED, {"payee_id": payee_id, "period_id": period_id})
    return tuple(Booked(*row) for row in found)


class Raised(NamedTuple):
    """An alert that stands raised, and whether somebody has acknowledged this raising."""

    payee_id: PayeeId
    alert: Alert
    is_acknowledged: bool


_ALERT: Final = msgspec.json.Decoder(Alert)
RAISED: Final[LiteralString] = """
SELECT a.payee_id, a.content::text,
       EXISTS (SELECT FROM alert_acknowledgements k
                WHERE k.alert_id = a.alert_id AND k.raised_on = a.raised_on)
  FROM alerts a
 WHERE a.payee_id = ANY(%(payee_ids)s) AND a.period_id = %(period_id)s
   AND a.state = 'raised' AND a.content IS NOT NULL
 ORDER BY a.payee_id, a.raised_on, a.kind
"""


def raised_alerts(
    connection: Connection, payee_ids: Sequence[PayeeId], period_id: PeriodId
) -> tuple[Raised, ...]:
    """The alerts that stand raised for those payees in a period."""
    found = connection.execute(RAISED, {"payee_ids": list(payee_ids), "period_id": period_id})
    return tuple(
        Raised(payee_id, _ALERT.decode(content), is_acknowledged)
        for payee_id, content, is_acknowledged in found
    )


COMPLETE_SECONDS: Final[LiteralString] = """
SELECT coalesce(sum(floor(extract(epoch FROM complete_through))), 0)::bigint FROM source_states
"""


def complete_seconds(connection: Connection) -> int:
    """A number that rises whenever a source says that it is complete further on."""
    row = connection.execute(COMPLETE_SECONDS).fetchone()
    assert row is not None
    return int(row[0])
