"""The plan document of today: components with a measure, a marginal rate table and a rounding.

The general plan language comes later; this is its seam: domain/pay.py is the one reader.
"""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.ids import ComponentId, PlanId
from schemas.messages import Role
from schemas.money import Rate, RoundingMode


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the document's parts: a misspelt field is refused."""


class TierInput(enum.StrEnum):
    """What a rate table looks at."""

    AMOUNT = "amount"  # the credited amount itself
    ATTAINMENT = "attainment"  # credited amount / quota of the interval


class RateOf(enum.StrEnum):
    """What a tier's rate stands for."""

    PLAN = "plan"  # the rate itself
    ASSIGNMENT = "assignment"  # a multiple of the payee's own rate (Assignment.rate)


class Bounds(enum.StrEnum):
    """To which tier an amount that equals a bound belongs (it matters to what is shown)."""

    LOWER_INCLUSIVE = "lower_inclusive"
    UPPER_INCLUSIVE = "upper_inclusive"


class Tier(_Part, frozen=True):
    """From `start` (an amount, or a fraction of quota) on, each further unit pays `rate`."""

    start: Rate
    rate: Rate


class MarginalTable(_Part, frozen=True):
    """Each slice of the credited amount at its own rate. Tiers start at 0 and ascend."""

    tiers: Annotated[tuple[Tier, ...], Meta(min_length=1, max_length=50)]
    input: TierInput = TierInput.AMOUNT
    rate_of: RateOf = RateOf.PLAN
    bounds: Bounds = Bounds.LOWER_INCLUSIVE


class Rounding(_Part, frozen=True):
    """Pay is rounded once per component and interval."""

    mode: RoundingMode = RoundingMode.HALF_EVEN
    places: Annotated[int, Meta(ge=0, le=6)] = 2


class Measure(_Part, frozen=True):
    """Which credits a component counts."""

    roles: Annotated[tuple[Role, ...], Meta(min_length=1)]
    credit_types: Annotated[tuple[str, ...], Meta(min_length=1)] = ("bookings",)


class Component(_Part, frozen=True):
    """A measure that accumulates over each period, and what it pays (`table=None`: nothing)."""

    component: ComponentId
    measure: Measure
    table: MarginalTable | None = None
    rounding: Rounding = Rounding()
    counts_for_attainment: bool = False  # exactly one component of a plan is the headline


class PlanDocument(_Part, frozen=True):
    """What a plan says. Checked by domain/plans.py before it is stored."""

    plan_id: PlanId
    version: Annotated[int, Meta(ge=1)]
    name: str
    components: Annotated[tuple[Component, ...], Meta(min_length=1, max_length=50)]
