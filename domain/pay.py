"""Pay: the cumulative payout of one component over one interval, and its slices for a receipt.

F(credited) is continuous and piecewise linear: each slice of the credited amount at its own rate.
F(0) = 0. Below zero it goes on with the first tier's rate, so that a credit note in an otherwise
empty interval takes back just what it would have given. It is rounded once, by the plan.
"""

from bisect import bisect_left, bisect_right
from decimal import Decimal
from typing import NamedTuple

from schemas.money import ZERO, exact, rounded
from schemas.plan import Bounds, Component, MarginalTable, RateOf, Rounding, TierInput


class Rung(NamedTuple):
    """A tier in money: from `start` credited on, each further unit pays `rate` beyond `base`."""

    start: Decimal
    rate: Decimal
    base: Decimal  # what has been paid at `start`, unrounded


class Ladder(NamedTuple):
    """A rate table for one payee and interval: rungs ascend from 0; none: it pays nothing."""

    rungs: tuple[Rung, ...]
    rounding: Rounding
    bounds: Bounds
    starts: tuple[Decimal, ...]


class Slice(NamedTuple):
    """A part of a credited amount within one tier: `credited` x `rate` = `pay`, unrounded."""

    tier: int  # counted from 0
    start: Decimal
    rate: Decimal
    credited: Decimal
    pay: Decimal


def ladder(component: Component, *, quota: Decimal | None, own_rate: Decimal | None) -> Ladder:
    """The component's table in money, for a payee's quota of the interval and his own rate.

    Tiers by attainment start at `start` x quota. Without a quota several such tiers cannot be told
    apart and pay nothing; a single one needs no quota. Without an own rate its multiples are 0.
    """
    table = component.table
    rungs = _rungs(table, quota, own_rate) if table else ()
    bounds = table.bounds if table else Bounds.LOWER_INCLUSIVE
    return Ladder(rungs, component.rounding, bounds, tuple(rung.start for rung in rungs))


def payout(credited: Decimal, by: Ladder) -> Decimal:
    """What a credited amount has earned in all, rounded once."""
    return rounded(unrounded(credited, by), mode=by.rounding.mode, places=by.rounding.places)


def unrounded(credited: Decimal, by: Ladder) -> Decimal:
    """F(credited), exact."""
    if not by.rungs:
        return ZERO
    start, rate, base = by.rungs[max(bisect_right(by.starts, credited) - 1, 0)]
    return base + (credited - start) * rate


def tier_of(credited: Decimal, by: Ladder) -> int | None:
    """The tier that a credited amount stands in, counted from 0; the plan says whose a bound is."""
    if not by.rungs:
        return None
    find = bisect_right if by.bounds is Bounds.LOWER_INCLUSIVE else bisect_left
    return max(find(by.starts, credited) - 1, 0)


def slices(before: Decimal, after: Decimal, by: Ladder) -> tuple[Slice, ...]:
    """How the way from `before` to `after` credited is paid, in ascending tiers.

    A way downwards takes its slices back: their amounts are negative. Empty when nothing is paid.
    """
    low, high = sorted((before, after))
    sign = 1 if after >= before else -1
    cuts = [_between(low, high, by, index) for index in range(len(by.rungs))]
    return tuple(
        Slice(index, rung.start, rung.rate, sign * part, sign * part * rung.rate)
        for index, (rung, part) in enumerate(zip(by.rungs, cuts, strict=True))
        if part > 0
    )


def _between(low: Decimal, high: Decimal, by: Ladder, index: int) -> Decimal:
    """How much of (low, high] lies in a tier; the first reaches below zero, the last has no end."""
    floor = low if index == 0 else max(low, by.starts[index])
    ceiling = high if index + 1 == len(by.starts) else min(high, by.starts[index + 1])
    return ceiling - floor


def _rungs(
    table: MarginalTable, quota: Decimal | None, own_rate: Decimal | None
) -> tuple[Rung, ...]:
    by_attainment = table.input is TierInput.ATTAINMENT
    if by_attainment and quota is None and len(table.tiers) > 1:
        return ()
    unit = quota if by_attainment and quota is not None else Decimal(1)
    factor = Decimal(1) if table.rate_of is RateOf.PLAN else own_rate or ZERO
    rungs: list[Rung] = []
    for tier in table.tiers:
        start = exact(tier.start) * unit
        last = rungs[-1] if rungs else Rung(start, ZERO, ZERO)
        base = last.base + (start - last.start) * last.rate
        rungs.append(Rung(start, exact(tier.rate) * factor, base))
    return tuple(rungs)
