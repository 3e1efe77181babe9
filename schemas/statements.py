"""What a statement is derived from and what it is; domain/deriving.py makes it, db/ keeps it."""

from decimal import Decimal
from typing import NamedTuple

from schemas.ids import AccountId, ComponentId, PayeeId, PeriodId
from schemas.state import Credit, Line


class EntrySum(NamedTuple):
    """What the entries booked in a period add to one cell of an account."""

    account_id: AccountId
    payee_id: PayeeId
    currency: str
    component: ComponentId
    segment: str
    origin_period: PeriodId
    credited: Decimal
    earned: Decimal


class Basis(NamedTuple):
    """All that one account's statement of a booking period follows from, beside reference data.

    `credits` are those in force of the period itself and of the earlier origins that `sums` names;
    `frozen` the lines of the account's statements of earlier periods.
    """

    account_id: AccountId
    period_id: PeriodId
    sums: tuple[EntrySum, ...]
    credits: tuple[Credit, ...]
    frozen: tuple[Line, ...]


class Statement(NamedTuple):
    """An account's statement of a booking period."""

    account_id: AccountId
    period_id: PeriodId
    payee_id: PayeeId
    earned: Decimal
    currency: str
    statement_hash: str
    lines: tuple[Line, ...]
