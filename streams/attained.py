"""What each payee has credited towards his quota of a period: the headline of every board."""

from collections.abc import Collection
from decimal import Decimal
from typing import Final, NamedTuple

from db import standings
from db.connect import Connection
from domain.plans import ROLLUP_ONLY
from domain.reference import Reference
from domain.terms import AccountTerms
from schemas.ids import AccountId, ComponentId, PayeeId
from schemas.money import ZERO
from schemas.reference import Period


class Attained(NamedTuple):
    """What counts towards the quota, and the account's version at which it stood so."""

    amount: Decimal
    account_version: int


NOTHING: Final = Attained(ZERO, 0)


def attained(
    conn: Connection,
    reference: Reference,
    period: Period,
    accounts: Collection[AccountId] | None = None,
) -> dict[PayeeId, Decimal]:
    """By payee, of those accounts or all; who has credited nothing is not there. One statement."""
    reached = attained_at(conn, reference, period, accounts)
    return {payee_id: found.amount for payee_id, found in reached.items()}


def attained_at(
    conn: Connection,
    reference: Reference,
    period: Period,
    accounts: Collection[AccountId] | None = None,
) -> dict[PayeeId, Attained]:
    """The same, each with the account's version at which it stood so."""
    found: dict[PayeeId, Attained] = {}
    for row in standings.credited(conn, period.period_id, headlines(reference), accounts):
        if is_headline(reference, row.payee_id, row.segment, row.component, period):
            before = found.get(row.payee_id, NOTHING)
            version = max(before.account_version, row.account_version)
            found[row.payee_id] = Attained(before.amount + row.amount, version)
    return found


def headlines(reference: Reference) -> list[ComponentId]:
    """The ids of components that count for attainment in any plan, the built-in one included."""
    documents = (ROLLUP_ONLY, *(plan.document for plan in reference.rows.plans))
    parts = (part for document in documents for part in document.components)
    return sorted({part.component for part in parts if part.counts_for_attainment})


def is_headline(
    reference: Reference, payee_id: PayeeId, segment: str, component: ComponentId, period: Period
) -> bool:
    """Whether that component of the segment's plan counts for attainment in the period."""
    terms = AccountTerms(payee_id, reference).of(segment, period.period_id)
    part = terms.by_name.get(component)
    return part is not None and part.counts_for_attainment
