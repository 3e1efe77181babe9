"""A small company and its deals, in few words."""

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain import accounts, contract, crediting, revisions
from domain.exact import exact_arithmetic
from domain.reference import Reference
from schemas.ids import ComponentId, DealId, PayeeId, PeriodId, PlanId, PlanYearId
from schemas.messages import Cause, DealChanged, DealStatus, PeriodState, Role, Split, SplitRole
from schemas.money import RoundingMode
from schemas.plan import (
    Component,
    MarginalTable,
    Measure,
    PlanDocument,
    RateOf,
    Rounding,
    Tier,
    TierInput,
)
from schemas.reference import (
    Assignment,
    Calendar,
    Company,
    Curve,
    Period,
    Person,
    PersonRole,
    Plan,
    Quota,
    ReferenceRows,
    ReportingLine,
)
from schemas.reference import PayeeKey as KeyRow
from schemas.state import AccountState, Credit, DealState, Entry

YEAR = PlanYearId("FY24")
START = dt.date(2024, 1, 1)
CALENDAR = Calendar(
    weekend=(5, 6),
    holidays=(dt.date(2024, 1, 1), dt.date(2024, 5, 27)),
    day_starts=dt.time(9),
    day_ends=dt.time(17),
    curve=Curve.WORKING_DAYS,
)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def table(*tiers: tuple[str, str], by: str = "amount", of: str = "plan") -> MarginalTable:
    return MarginalTable(
        tiers=tuple(Tier(start=start, rate=rate) for start, rate in tiers),
        input=TierInput(by),
        rate_of=RateOf(of),
    )


def component(
    name: str,
    roles: str,
    pays: MarginalTable | None = None,
    *,
    headline: bool = False,
    rounding: Rounding | None = None,
) -> Component:
    return Component(
        component=ComponentId(name),
        measure=Measure(roles=tuple(Role(role) for role in roles.split())),
        table=pays,
        counts_for_attainment=headline,
        rounding=rounding or Rounding(mode=RoundingMode.HALF_EVEN, places=2),
    )


def plan(name: str, *components: Component, version: int = 1) -> PlanDocument:
    return PlanDocument(plan_id=PlanId(name), version=version, name=name, components=components)


# Sales: 1 % up to quota, 2 % above, 3 % above 150 %; overlays earn a flat 0.5 % of their own.
SALES = plan(
    "sales",
    component(
        "direct",
        "owner split",
        table(("0", "0.01"), ("1", "0.02"), ("1.5", "0.03"), by="attainment"),
        headline=True,
    ),
    component("specialist", "overlay", table(("0", "0.005"))),
)
MANAGE = plan("manage", component("team", "rollup owner", table(("0", "0.001")), headline=True))
QUARTERS = ("2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01", "2025-01-01")


def periods(*locked: str) -> tuple[Period, ...]:
    return tuple(
        Period(
            period_id=PeriodId(f"Q{number}"),
            plan_year=YEAR,
            starts_on=day(starts_on),
            ends_on=day(ends_on),
            state=PeriodState.LOCKED if f"Q{number}" in locked else PeriodState.OPEN,
        )
        for number, (starts_on, ends_on) in enumerate(pairwise(QUARTERS), start=1)
    )


def person(name: str, role: PersonRole = PersonRole.REP, ends_on: str | None = None) -> Person:
    return Person(
        payee_id=PayeeId(name),
        role=role,
        starts_on=START,
        ends_on=day(ends_on) if ends_on else None,
    )


def line(payee: str, manager: str, since: str = "2024-01-01", until: str = "") -> ReportingLine:
    return ReportingLine(
        payee_id=PayeeId(payee),
        manager_id=PayeeId(manager),
        starts_on=day(since),
        ends_on=day(until) if until else None,
    )


def assigned(
    payee: str, to: str, since: str = "2024-01-01", until: str = "", rate: str = ""
) -> Assignment:
    return Assignment(
        assignment_id=f"{payee}-{to}-{since}",
        payee_id=PayeeId(payee),
        plan_id=PlanId(to),
        starts_on=day(since),
        ends_on=day(until) if until else None,
        rate=Decimal(rate) if rate else None,
    )


def quota(payee: str, amount: str, *names: str) -> tuple[Quota, ...]:
    return tuple(
        Quota(payee_id=PayeeId(payee), period_id=PeriodId(name), amount=Decimal(amount))
        for name in names or ("Q1", "Q2", "Q3", "Q4")
    )


def published(document: PlanDocument, since: str = "2024-01-01", until: str = "") -> Plan:
    return Plan(
        plan_id=document.plan_id,
        starts_on=day(since),
        ends_on=day(until) if until else None,
        document=document,
    )


def company(**changes: Any) -> Reference:
    """Ann and Bob sell, Mia manages both, Vic stands above her and has no plan."""
    names = ("ann", "bob", "mia", "vic")
    rows: dict[str, Any] = {
        "version": 1,
        "known_at": at("2024-01-01T00:00:00+00:00"),
        "company": Company(name="Sample", currency="USD", time_zone="America/New_York"),
        "calendar": CALENDAR,
        "people": tuple(person(name) for name in names),
        "payee_keys": tuple(
            KeyRow(source="crm", key=name.upper(), payee_id=PayeeId(name)) for name in names
        ),
        "reporting_lines": (line("ann", "mia"), line("bob", "mia"), line("mia", "vic")),
        "periods": periods(),
        "quotas": (*quota("ann", "10000"), *quota("bob", "20000"), *quota("mia", "30000")),
        "assignments": (
            assigned("ann", "sales"),
            assigned("bob", "sales"),
            assigned("mia", "manage"),
        ),
        "plans": (published(SALES), published(MANAGE)),
    }
    return Reference(ReferenceRows(**{**rows, **changes}))


def deal(revision: int = 1, **changes: Any) -> DealChanged:
    """Ann won 4,000.00 USD on 1 February."""
    fields: dict[str, Any] = {
        "source": "crm",
        "key": "1",
        "revision": revision,
        "changed_on": day("2024-02-01"),
        "status": DealStatus.WON,
        "amount": "4000.00",
        "currency": "USD",
        "closed_on": day("2024-02-01"),
        "owner_key": "ANN",
        **changes,
    }
    return DealChanged(**{"deal_id": f"crm:{fields['key']}", **fields})


def split(key: str, share: str, role: str = "split", *, remainder: bool = False) -> Split:
    return Split(payee_key=key, share=share, role=SplitRole(role), takes_remainder=remainder)


class Books:
    """What the deals processor does with records, without Kafka and database."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.deals: dict[str, DealState] = {}
        self.accounts: dict[str, AccountState] = {}
        self.credits: list[Credit] = []
        self.entries: list[Entry] = []
        self.outcomes: list[revisions.Outcome] = []

    def batch(self, *changes: DealChanged) -> tuple[Entry, ...]:
        """Merges all, credits each deal once, evaluates each account once."""
        with exact_arithmetic():
            for change in changes:
                assert contract.check(change) is None, contract.check(change)
                state = self._deal(change.deal_id)
                merge = revisions.merge(state, change, contract.content_digest(change))
                self.outcomes.append(merge.outcome)
                self.deals[change.deal_id] = merge.state
            names = dict.fromkeys(change.deal_id for change in changes)
            return self._book(list(names), Cause.DEAL_CREDITED)

    def refer(self, reference: Reference) -> tuple[Entry, ...]:
        """A change of reference data: every deal is credited again, every account evaluated."""
        self.reference = reference
        with exact_arithmetic():
            booked = self._book(list(self.deals), Cause.REFERENCE_CHANGED)
            return (*booked, *(entry for name in self.accounts for entry in self._reaccrue(name)))

    def in_force(self, account_id: str) -> list[Credit]:
        """The account's credits that stand: neither reversals nor reversed."""
        standing = (credit for state in self.deals.values() for credit in state.credits)
        return [credit for credit in standing if credit.account_id == account_id]

    def _deal(self, deal_id: str) -> DealState:
        return self.deals.get(deal_id, DealState(deal_id=DealId(deal_id)))

    def _book(self, deal_ids: Sequence[str], cause: Cause) -> tuple[Entry, ...]:
        booked: list[Credit] = []
        for deal_id in deal_ids:
            step = crediting.credit(self.deals[deal_id], self.reference, cause)
            self.deals[deal_id] = step.state
            booked.extend(step.booked)
        self.credits.extend(booked)
        return tuple(entry for group in _by_account(booked) for entry in self._evaluate(group))

    def _evaluate(self, credits: Sequence[Credit]) -> tuple[Entry, ...]:
        first = credits[0]
        account = self.accounts.get(first.account_id) or accounts.opened(first, self.reference)
        terms = accounts.terms_of(account, self.reference)
        return self._keep(accounts.evaluate(account, credits, terms, first.cause))

    def _reaccrue(self, account_id: str) -> tuple[Entry, ...]:
        account = self.accounts[account_id]
        terms = accounts.terms_of(account, self.reference)
        in_force = self.in_force(account_id)
        return self._keep(accounts.evaluate(account, (), terms, Cause.COMMAND, in_force=in_force))

    def _keep(self, step: accounts.AccountStep) -> tuple[Entry, ...]:
        self.accounts[step.account.account_id] = step.account
        self.entries.extend(step.entries)
        return step.entries


def _by_account(credits: Sequence[Credit]) -> Iterator[list[Credit]]:
    groups: dict[str, list[Credit]] = {}
    for credit in credits:
        groups.setdefault(credit.account_id, []).append(credit)
    yield from (groups[name] for name in sorted(groups))
