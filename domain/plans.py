"""Checks a plan document before it is stored, and holds the built-in plan of the unassigned."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from schemas.ids import ComponentId, PlanId
from schemas.messages import Role
from schemas.money import exact
from schemas.plan import Component, MarginalTable, Measure, PlanDocument, TierInput

UNASSIGNED: Final = "unassigned"
RATE_MAX: Final = Decimal(1_000)

# A manager without an assignment is counted for his team and paid nothing.
ROLLUP_ONLY: Final = PlanDocument(
    plan_id=PlanId(UNASSIGNED),
    version=1,
    name="Counted for the team, paid nothing",
    components=(
        Component(
            component=ComponentId("team"),
            measure=Measure(roles=(Role.ROLLUP,)),
            counts_for_attainment=True,
        ),
    ),
)


def check(document: PlanDocument) -> tuple[str, ...]:
    """What is wrong with the plan, in words with the place; empty when it may be stored."""
    problems = [*_whole(document)]
    for index, component in enumerate(document.components):
        problems.extend(_component(f"components[{index}]", component))
    return tuple(problems)


def needs_quota(component: Component) -> bool:
    """Whether pay cannot be known without a quota: tiers by attainment, and more than one."""
    table = component.table
    return table is not None and table.input is TierInput.ATTAINMENT and len(table.tiers) > 1


def _whole(document: PlanDocument) -> Iterator[str]:
    counts = Counter(component.component for component in document.components)
    for name, count in counts.items():
        if count > 1:
            yield f"components: the id '{name}' is used {count} times; each needs its own"
    headlines = sum(component.counts_for_attainment for component in document.components)
    if headlines != 1:
        yield f"components: exactly one must count for attainment, {headlines} do"
    if document.plan_id == UNASSIGNED:
        yield f"plan_id: '{UNASSIGNED}' is the built-in plan of managers without assignment"


def _component(where: str, component: Component) -> Iterator[str]:
    if len(set(component.measure.roles)) < len(component.measure.roles):
        yield f"{where}.measure.roles: a role is named twice"
    if len(set(component.measure.credit_types)) < len(component.measure.credit_types):
        yield f"{where}.measure.credit_types: a type is named twice"
    if component.table is not None:
        yield from _table(f"{where}.table", component.table)


def _table(where: str, table: MarginalTable) -> Iterator[str]:
    starts = [exact(tier.start) for tier in table.tiers]
    if starts[0] != 0:
        yield f"{where}.tiers[0].start: the first tier starts at 0, not at {starts[0]}"
    for index, (lower, upper) in enumerate(pairwise(starts), start=1):
        if upper <= lower:
            yield f"{where}.tiers[{index}].start: {upper} does not lie above {lower}"
    for index, tier in enumerate(table.tiers):
        if exact(tier.rate) > RATE_MAX:
            yield f"{where}.tiers[{index}].rate: {tier.rate} is above {RATE_MAX}; 1 is 100 %"
