"""A slow, obvious oracle: from all records and the reference rows, what every number must be.

It shares no code with domain/ and knows no increments: it looks at everything, each time, with
fractions. It is written from the design's words, to disagree with the product where that is wrong.
"""

import datetime as dt
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.messages import DealChanged, DealStatus, PeriodState, Role, SplitRole
from schemas.plan import Component, PlanDocument, RateOf, TierInput
from schemas.reference import Assignment, Period, ReferenceRows

CreditKey = tuple[str, str, str, str, str, str]  # deal, payee, role, account, period, segment
CellKey = tuple[str, str, str, str]  # account, segment, component, period
MINOR = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3}


@dataclass
class Truth:
    """What must stand after all records, whatever their order."""

    credits: dict[CreditKey, Fraction] = field(default_factory=dict)
    cells: dict[CellKey, tuple[Fraction, Fraction]] = field(default_factory=dict)
    attained: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    held: dict[str, list[tuple[str | None, str, str, Fraction]]] = field(default_factory=dict)
    not_eligible: set[str] = field(default_factory=set)
    # of each deal that counts: its amount, and what one unit of its currency is worth, if known
    worth: dict[str, tuple[Fraction, Fraction | None]] = field(default_factory=dict)


def truth(records: list[tuple[DealChanged, str]], rows: ReferenceRows) -> Truth:
    """`records` are all revisions ever received, each with the digest of its content."""
    found = Truth()
    for deal_id in {deal.deal_id for deal, _ in records}:
        own = [(deal, digest) for deal, digest in records if deal.deal_id == deal_id]
        _judge(found, deal_id, own, rows)
    _pay(found, rows)
    return found


# ---- which state of the deal counts ----


def _newest_facets(records: list[tuple[DealChanged, str]]) -> list[DealChanged]:
    names = {(deal.source, deal.key) for deal, _ in records}
    newest = []
    for name in sorted(names):
        own = [(d.revision, digest, d) for d, digest in records if (d.source, d.key) == name]
        newest.append(max(own, key=lambda one: (one[0], one[1]))[2])
    return newest


def _opener_first(deal_id: str, facets: list[DealChanged]) -> list[DealChanged]:
    openers = [one for one in facets if f"{one.source}:{one.key}" == deal_id]
    same_source = [one for one in facets if one.source == deal_id.split(":", maxsplit=1)[0]]
    first = (openers or same_source or facets)[0]
    return [first, *(one for one in facets if one is not first)]


def _give(facets: list[DealChanged], names: list[str]) -> DealChanged:
    """The first facet that has any of the fields."""
    for one in facets:
        for name in names:
            if getattr(one, name) not in (None, (), {}):
                return one
    return facets[0]


# ---- crediting ----


def _judge(
    found: Truth, deal_id: str, records: list[tuple[DealChanged, str]], rows: ReferenceRows
) -> None:
    facets = _opener_first(deal_id, _newest_facets(records))
    if facets[0].status != DealStatus.WON:
        return
    money = _give(facets, ["amount", "currency", "lines"])
    people = _give(facets, ["owner_key", "splits"])
    closing = _give(facets, ["closed_on", "closed_at"])
    channel = _give(facets, ["channel"]).channel
    kind = _give(facets, ["type"]).type
    if _is_excluded(rows, channel, kind, money):
        found.not_eligible.add(deal_id)
        return
    day = closing.closed_on
    if day is None:
        assert closing.closed_at is not None
        day = closing.closed_at.astimezone(ZoneInfo(rows.company.time_zone)).date()
    assert money.currency is not None
    rate = _rate(rows, money.currency, day)
    assert money.amount is not None
    found.worth[deal_id] = (Fraction(money.amount), rate)
    for key, role, amount in _shares(money, people):
        reason = _hold(rows, people.source, key, role, money.currency, rate, day)
        if reason is not None:
            found.held.setdefault(deal_id, []).append((key, role, reason, amount))
            continue
        assert rate is not None and key is not None
        payee = _payee(rows, people.source, key)
        assert payee is not None
        _credit(found, rows, deal_id, payee, role, amount * rate, day)
        if role != "overlay":
            for manager in _managers(rows, payee, day):
                _credit(found, rows, deal_id, manager, "rollup", amount * rate, day)


def _is_excluded(
    rows: ReferenceRows, channel: str | None, kind: str | None, money: DealChanged
) -> bool:
    categories = {one.category for one in money.lines}
    facts = {"channel": channel, "type": kind}
    facts["category"] = next(iter(categories)) if len(categories) == 1 else None
    for rule in rows.crediting_rules:
        if all(facts.get(name) == value for name, value in rule.when.items()):
            return True
    return False


def _shares(money: DealChanged, people: DealChanged) -> list[tuple[str | None, str, Fraction]]:
    """(key, role, amount in the deal's currency) of every share."""
    assert money.amount is not None
    total = Fraction(money.amount)
    found: list[tuple[str | None, str, Fraction]] = []
    texts = [one.amount for one in money.lines] or [money.amount]
    parts = [one for one in people.splits if one.role == SplitRole.SPLIT]
    if not parts:
        found.append((people.owner_key, "owner", total))
    amounts = [_rounded_share(texts, one.share, money.currency) for one in parts]
    taker = len(parts) - 1
    for index, one in enumerate(parts):
        if one.takes_remainder:
            taker = index
    for index, one in enumerate(parts):
        rest = total - sum(amounts[:index] + amounts[index + 1 :])
        found.append((one.payee_key, "split", rest if index == taker else amounts[index]))
    for one in people.splits:
        if one.role == SplitRole.OVERLAY:
            amount = _rounded_share(texts, one.share, money.currency)
            found.append((one.payee_key, "overlay", amount))
    return found


def _rounded_share(texts: list[str], share: str, currency: str | None) -> Fraction:
    total = Fraction(0)
    for text in texts:
        scale = len(text.split(".")[1]) if "." in text else 0
        places = max(scale, MINOR.get(currency or "", 2))
        total += _half_even(Fraction(text) * Fraction(share), places)
    return total


def _half_even(value: Fraction, places: int) -> Fraction:
    return Fraction(round(value * 10**places), 10**places)  # round() of a Fraction is half-even


def _hold(
    rows: ReferenceRows,
    source: str,
    key: str | None,
    role: str,
    currency: str,
    rate: Fraction | None,
    day: dt.date,
) -> str | None:
    if key is None:
        return "no_owner"
    payee = _payee(rows, source, key)
    if payee is None or not [one for one in rows.people if one.payee_id == payee and _on(one, day)]:
        return "unknown_payee"
    assignment = _assignment(rows, payee, day)
    if assignment is None:
        return "no_plan"
    period = _period(rows, day)
    if period is None:
        return "no_quota_period"
    plan = _plan(rows, assignment, period)
    if plan is None:
        return "no_plan"
    if quota_of(rows, payee, period.period_id) is None:
        for component in plan.components:
            table = component.table
            if table is None or role not in component.measure.roles:
                continue
            if table.input == TierInput.ATTAINMENT and len(table.tiers) > 1:
                return "no_quota"
    if currency not in MINOR:
        return "unknown_currency"
    return "no_exchange_rate" if rate is None else None


def _credit(
    found: Truth,
    rows: ReferenceRows,
    deal_id: str,
    payee: str,
    role: str,
    amount: Fraction,
    day: dt.date,
) -> None:
    period = _period(rows, day)
    assert period is not None
    assignment = _assignment(rows, payee, day)
    has_plan = assignment is not None and _plan(rows, assignment, period) is not None
    segment = assignment.assignment_id if assignment is not None and has_plan else "unassigned"
    account = f"{payee}.{period.plan_year}"
    key = (deal_id, payee, role, account, period.period_id, segment)
    found.credits[key] = found.credits.get(key, Fraction(0)) + amount


# ---- pay ----


def _pay(found: Truth, rows: ReferenceRows) -> None:
    credited: dict[CellKey, Fraction] = {}
    for (_, payee, role, account, period_id, segment), amount in found.credits.items():
        for component in _components(rows, segment, period_id):
            if role not in component.measure.roles:
                continue
            cell: CellKey = (account, segment, component.component, period_id)
            credited[cell] = credited.get(cell, Fraction(0)) + amount
            if component.counts_for_attainment:
                name = (payee, period_id)
                found.attained[name] = found.attained.get(name, Fraction(0)) + amount
    for cell, amount in credited.items():
        account, segment, component_id, period_id = cell
        payee = account.rsplit(".", 1)[0]
        for component in _components(rows, segment, period_id):
            if component.component == component_id:
                earned = _payout(rows, component, segment, payee, period_id, amount)
                found.cells[cell] = (amount, earned)


def _components(rows: ReferenceRows, segment: str, period_id: str) -> list[Component]:
    if segment == "unassigned":
        return [_TEAM]
    period = next(one for one in rows.periods if one.period_id == period_id)
    assignment = next(one for one in rows.assignments if one.assignment_id == segment)
    plan = _plan(rows, assignment, period)
    assert plan is not None
    return list(plan.components)


_TEAM = msgspec.convert(
    {"component": "team", "measure": {"roles": ["rollup"]}, "counts_for_attainment": True},
    Component,
)


def _payout(
    rows: ReferenceRows,
    component: Component,
    segment: str,
    payee: str,
    period_id: str,
    credited: Fraction,
) -> Fraction:
    table = component.table
    if table is None:
        return Fraction(0)
    quota = quota_of(rows, payee, period_id)
    by_quota = table.input == TierInput.ATTAINMENT
    if by_quota and quota is None and len(table.tiers) > 1:
        return Fraction(0)
    unit = quota if by_quota and quota is not None else Fraction(1)
    factor = Fraction(1)
    if table.rate_of == RateOf.ASSIGNMENT:
        rate = next(one.rate for one in rows.assignments if one.assignment_id == segment)
        factor = Fraction(rate) if rate is not None else Fraction(0)
    starts = [Fraction(tier.start) * unit for tier in table.tiers]
    pay = Fraction(0)
    for index, tier in enumerate(table.tiers):
        end = starts[index + 1] if index + 1 < len(starts) else None
        top = credited if end is None else min(credited, end)
        if index == 0 or top > starts[index]:
            pay += (top - starts[index]) * Fraction(tier.rate) * factor
    return _rounded(pay, component.rounding.mode.value, component.rounding.places)


def _rounded(value: Fraction, mode: str, places: int) -> Fraction:
    if mode == "half_even":
        return _half_even(value, places)
    scaled = abs(value) * 10**places
    whole = int(scaled + Fraction(1, 2)) if mode == "half_up" else int(scaled)
    return Fraction(whole if value >= 0 else -whole, 10**places)


# ---- reference data, by looking at every row ----


def _on(row: Any, day: dt.date) -> bool:
    return row.starts_on <= day and (row.ends_on is None or day < row.ends_on)


def _payee(rows: ReferenceRows, source: str, key: str) -> str | None:
    for row in rows.payee_keys:
        if (row.source, row.key) == (source, key):
            return row.payee_id
    return None


def _period(rows: ReferenceRows, day: dt.date) -> Period | None:
    for row in rows.periods:
        if _on(row, day):
            return row
    return None


def _assignment(rows: ReferenceRows, payee: str, day: dt.date) -> Assignment | None:
    for row in rows.assignments:
        if row.payee_id == payee and _on(row, day):
            return row
    return None


def _plan(rows: ReferenceRows, assignment: Assignment, period: Period) -> PlanDocument | None:
    """The version in force on the assignment's first day in the period, else the next in it."""
    own = [row for row in rows.plans if row.plan_id == assignment.plan_id]
    day = max(assignment.starts_on, period.starts_on)
    while day < period.ends_on:
        for row in own:
            if _on(row, day):
                return row.document
        day += dt.timedelta(days=1)
    return None


def quota_of(rows: ReferenceRows, payee: str, period_id: str) -> Fraction | None:
    """A payee's quota of a period; none at zero or below."""
    for row in rows.quotas:
        if (row.payee_id, row.period_id) == (payee, period_id):
            return Fraction(row.amount) if row.amount > 0 else None
    return None


def _rate(rows: ReferenceRows, currency: str, day: dt.date) -> Fraction | None:
    if currency == rows.company.currency:
        return Fraction(1)
    known = [row for row in rows.fx_rates if row.currency == currency and row.starts_on <= day]
    return Fraction(max(known, key=lambda row: row.starts_on).rate) if known else None


def _managers(rows: ReferenceRows, payee: str, day: dt.date) -> list[str]:
    above: list[str] = []
    name = payee
    while True:
        lines = [row for row in rows.reporting_lines if row.payee_id == name and _on(row, day)]
        if not lines or lines[0].manager_id in (payee, *above):
            return above
        name = lines[0].manager_id
        above.append(name)


def is_locked(rows: ReferenceRows, period_id: str) -> bool:
    """Whether a period's pay is final."""
    return any(
        row.period_id == period_id and row.state == PeriodState.LOCKED for row in rows.periods
    )


def is_rollup(key: CreditKey) -> bool:
    """Whether a credit is a manager's."""
    return key[2] == Role.ROLLUP
