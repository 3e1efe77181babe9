"""A statement derived: credit lines of its own period, corrections of locked ones, sums checked.

The same function derives the statement of an open period and the one that is frozen at its lock.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter

import msgspec

from domain.reference import Reference
from domain.statements import correction_lines, lines, statement_hash
from domain.terms import AccountTerms
from schemas.ids import ComponentId, PeriodId
from schemas.money import ZERO
from schemas.state import Credit, Line
from schemas.statements import Basis, EntrySum, Statement

Cell = tuple[PeriodId, str, ComponentId]
Sums = dict[Cell, tuple[Decimal, Decimal]]


class StatementMismatch(Exception):
    """Lines and entries of a statement do not sum to the same: never to be frozen or shown."""


def derive(basis: Basis, reference: Reference) -> Statement:
    """The statement of an account with entries in the period. Raises StatementMismatch.

    `reference` is the data under which the last of the entries was booked. Must run within
    `exact_arithmetic`.
    """
    assert basis.sums, "a statement has entries"
    of_account = basis.sums[0]
    terms = AccountTerms(of_account.payee_id, reference)
    found = _numbered(
        [
            *lines(_of(basis.credits, basis.period_id), terms),
            *(
                line
                for origin in _origins(basis, reference)
                for line in _corrections(basis, origin, terms)
            ),
        ]
    )
    _check(basis, found)
    return Statement(
        account_id=basis.account_id,
        period_id=basis.period_id,
        payee_id=of_account.payee_id,
        earned=sum((line.earned for line in found), ZERO),
        currency=of_account.currency,
        statement_hash=statement_hash(
            found, account_id=basis.account_id, period_id=basis.period_id
        ),
        lines=found,
    )


def _origins(basis: Basis, reference: Reference) -> list[PeriodId]:
    """The locked periods that the entries correct, in calendar order."""
    corrected = {entry.origin_period for entry in basis.sums} - {basis.period_id}
    rows = sorted(reference.rows.periods, key=attrgetter("starts_on"))
    return [row.period_id for row in rows if row.period_id in corrected]


def _corrections(basis: Basis, origin: PeriodId, terms: AccountTerms) -> tuple[Line, ...]:
    now = lines(_of(basis.credits, origin), terms)
    return correction_lines(now, [line for line in basis.frozen if line.origin_period == origin])


def _of(credits: Iterable[Credit], origin: PeriodId) -> list[Credit]:
    return [credit for credit in credits if credit.origin_period == origin]


def _numbered(found: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(
        msgspec.structs.replace(line, ordinal=ordinal) for ordinal, line in enumerate(found, 1)
    )


def _check(basis: Basis, found: Iterable[Line]) -> None:
    by_lines, by_entries = _by_cell(found), _by_cell(basis.sums)
    nothing = (ZERO, ZERO)
    for cell in {**by_lines, **by_entries}:
        shown, booked = by_lines.get(cell, nothing), by_entries.get(cell, nothing)
        if shown != booked:
            origin, segment, component = cell
            raise StatementMismatch(
                f"account {basis.account_id}, period {basis.period_id}: {component} of {origin} in "
                f"segment {segment}: the lines sum to {shown[0]} credited and {shown[1]} earned, "
                f"the entries to {booked[0]} and {booked[1]}"
            )


def _by_cell(rows: Iterable[Line | EntrySum]) -> Sums:
    sums: Sums = defaultdict(lambda: (ZERO, ZERO))
    for row in rows:
        cell = (row.origin_period, row.segment, row.component)
        credited, earned = sums[cell]
        sums[cell] = (credited + row.credited, earned + row.earned)
    return dict(sums)
