"""What a plan document must satisfy before it is stored."""

import pytest

from domain import plans
from schemas.plan import Component, PlanDocument
from tests.domain.builders import MANAGE, SALES, component, plan, table

HEADLINE = component("a", "owner", headline=True)


@pytest.mark.parametrize("document", [SALES, MANAGE])
def test_a_good_plan_has_no_problem(document: PlanDocument) -> None:
    assert plans.check(document) == ()


@pytest.mark.parametrize(
    ("components", "problem"),
    [
        ((component("a", "owner"),), "exactly one must count for attainment, 0 do"),
        ((HEADLINE, component("b", "split", headline=True)), "exactly one must count"),
        ((HEADLINE, component("a", "split")), "the id 'a' is used 2 times"),
        (
            (component("a", "owner", table(("1", "0.1")), headline=True),),
            "components[0].table.tiers[0].start: the first tier starts at 0, not at 1",
        ),
        (
            (component("a", "owner", table(("0", "0.1"), ("5", "1"), ("5", "2")), headline=True),),
            "components[0].table.tiers[2].start: 5 does not lie above 5",
        ),
        (
            (component("a", "owner", table(("0", "1000.5")), headline=True),),
            "components[0].table.tiers[0].rate: 1000.5 is above 1000; 1 is 100 %",
        ),
        ((component("a", "owner owner", headline=True),), "a role is named twice"),
    ],
)
def test_says_what_is_wrong_and_where(components: tuple[Component, ...], problem: str) -> None:
    found = plans.check(plan("p", *components))
    assert len(found) == 1
    assert problem in found[0]


def test_nobody_may_publish_the_built_in_plan() -> None:
    assert "built-in" in plans.check(plan("unassigned", HEADLINE))[0]
    assert len(plans.check(plans.ROLLUP_ONLY)) == 1  # its name is its only fault
