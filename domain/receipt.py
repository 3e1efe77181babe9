"""The receipt of a deal: what each of its credits pays in each component that counts it.

A credit stands at a place among all credits of its account, segment and origin period, in canonical
order (domain/statements.py). What it pays is the payout after it less the payout before it, so the
parts of all deals of a cell sum to what the cell has earned: a receipt and the statement of an open
period agree. A locked period's statement is what was frozen; a receipt says what would be paid by
the reference data and credits of now.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from domain import wording
from domain.pay import Slice, payout, slices
from domain.statements import canonical_order
from domain.terms import AccountTerms, ComponentTerms, SegmentTerms
from schemas.ids import ComponentId, DealId
from schemas.money import ZERO, RoundingMode
from schemas.state import Credit


class Part(NamedTuple):
    """One credit in one component: its place, its slices, its rounding."""

    credit: Credit
    terms: SegmentTerms
    component: ComponentTerms
    before: Decimal  # credited in canonical order before it
    after: Decimal
    slices: tuple[Slice, ...]
    exact: Decimal  # sum of the slices
    earned: Decimal  # rounded as the plan says

    @property
    def rounding(self) -> Decimal:
        """What rounding added to the exact pay."""
        return self.earned - self.exact


def receipt(deal_id: DealId, in_force: Iterable[Credit], terms: AccountTerms) -> tuple[Part, ...]:
    """The parts of a deal in one account, in canonical order.

    `in_force` are all credits in force of the account for the deal's origin periods; those of other
    deals say what stood before. Must run within `exact_arithmetic`.
    """
    credited: dict[tuple[str, str, ComponentId], Decimal] = defaultdict(lambda: ZERO)
    found: list[Part] = []
    for credit in sorted(in_force, key=canonical_order):
        by = terms.of(credit.segment, credit.origin_period)
        for component in by.by_credit.get((credit.role, credit.credit_type), ()):
            cell = (credit.origin_period, credit.segment, component.component)
            before = credited[cell]
            credited[cell] = after = before + credit.amount
            if credit.deal_id == deal_id:
                found.append(_part(credit, by, component, before, after))
    return tuple(found)


def sentence(part: Part) -> str:
    """What a part pays and why: "32,184.03 is paid at 1.5 %: 482.76045, rounded to 482.76."."""
    if not part.slices:
        if part.credit.amount == ZERO:
            return "Nothing is credited, so nothing is paid."
        return f"{wording.money(part.credit.amount)} is credited; the plan pays no rate on it."
    if len(part.slices) == 1:
        only = part.slices[0]
        how = f"{wording.money(only.credited)} is paid at {wording.rate(only.rate)}"
    else:
        cuts = [f"{wording.money(one.credited)} at {wording.rate(one.rate)}" for one in part.slices]
        of = wording.money(part.credit.amount)
        how = f"Of {of}, {', '.join(cuts[:-1])} and {cuts[-1]}"
    return f"{how}: {_paid(part)}."


def _part(
    credit: Credit,
    by: SegmentTerms,
    component: ComponentTerms,
    before: Decimal,
    after: Decimal,
) -> Part:
    cuts = slices(before, after, component.ladder)
    return Part(
        credit=credit,
        terms=by,
        component=component,
        before=before,
        after=after,
        slices=cuts,
        exact=sum((one.pay for one in cuts), ZERO),
        earned=payout(after, component.ladder) - payout(before, component.ladder),
    )


_MODES = {
    RoundingMode.HALF_EVEN: "half to even",
    RoundingMode.HALF_UP: "half up",
    RoundingMode.DOWN: "down",
}


def _paid(part: Part) -> str:
    """The exact pay and, where it differs, what rounding makes of it.

    The total of the period is rounded, not each deal, so a share may be off by one unit either way.
    """
    if part.rounding == ZERO:
        return wording.money(part.earned)
    rounding = part.component.ladder.rounding
    return (
        f"{wording.money(part.exact)}, which is {wording.money(part.earned)} once the period's "
        f"total is rounded to {wording.count(rounding.places, 'place')} ({_MODES[rounding.mode]})"
    )
