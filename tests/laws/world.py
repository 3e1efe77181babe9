"""A company with every trap that crediting and pay must survive, and records of its deals."""

import datetime as dt
import random
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from domain.reference import Reference
from schemas.ids import PayeeId, PeriodId, PlanYearId
from schemas.messages import DealChanged, DealLine, DealStatus, PeriodState, Split
from schemas.money import RoundingMode
from schemas.plan import Rounding
from schemas.reference import CreditingRule, FxRate, Period, ReferenceRows
from schemas.reference import PayeeKey as KeyRow
from tests.domain.builders import (
    assigned,
    company,
    component,
    day,
    deal,
    line,
    person,
    plan,
    published,
    quota,
    split,
    table,
)

# ann: two plans, changing inside Q1; bob: multiples of his own rate; cleo: no plan before March;
# xan: leaves in May; mia manages ann and bob, cleo from June on; vic stands above and has no plan.
DOWN: Final = Rounding(mode=RoundingMode.DOWN, places=1)
UP: Final = Rounding(mode=RoundingMode.HALF_UP, places=2)
STEEP = table(("0", "0.01"), ("0.5", "0.025"), ("1", "0.04"), by="attainment")
OWN = table(("0", "1"), ("3000", "1.5"), of="assignment")
FLAT = table(("0", "0.0333"), by="attainment")
PLANS = (
    published(plan("simple", component("direct", "owner split", FLAT, headline=True))),
    published(
        plan(
            "steep",
            component("direct", "owner split", STEEP, headline=True),
            component("special", "overlay split", table(("0", "0.0005")), rounding=DOWN),
        ),
        until="2024-07-01",
    ),
    published(
        plan(
            "steep",
            component("direct", "owner", STEEP, headline=True, rounding=UP),
            component("shared", "split overlay", table(("0", "0.02"), ("1000", "0.01"))),
            version=2,
        ),
        since="2024-07-01",
    ),
    published(plan("own", component("direct", "owner split overlay", OWN, headline=True))),
    published(
        plan(
            "manage",
            component("team", "rollup", table(("0", "0.001"), ("1", "0.002"), by="attainment")),
            component("mine", "owner split rollup", table(("0", "0.0001")), headline=True),
        )
    ),
)
KEYS = {"A": "ann", "A2": "ann", "B": "bob", "C": "cleo", "M": "mia", "X": "xan", "L": "leo"}
NAMES = ("ann", "bob", "cleo", "mia", "vic", "leo")
ASSIGNMENTS = (
    assigned("ann", "simple", until="2024-02-15"),
    assigned("ann", "steep", since="2024-02-15"),
    assigned("bob", "own", rate="0.0125"),
    assigned("cleo", "steep", since="2024-03-01"),
    assigned("mia", "manage"),
    assigned("xan", "simple"),
    assigned("leo", "unwritten"),  # the plan has no version
)


def _periods(*locked: str) -> tuple[Period, ...]:
    ends = ("2024-01-01", "2024-04-01", "2024-07-01", "2024-12-01", "2025-01-01", "2025-04-01")
    names = ("24a", "24b", "24c", "24d", "25a")
    return tuple(
        Period(
            period_id=PeriodId(name),
            plan_year=PlanYearId("20" + name[:2]),
            starts_on=day(starts_on),
            ends_on=day(ends_on),
            state=PeriodState.LOCKED if name in locked else PeriodState.OPEN,
        )
        for name, starts_on, ends_on in zip(names, ends, ends[1:], strict=False)
    )


def rate(currency: str, since: str, value: str) -> FxRate:
    return FxRate(currency=currency, starts_on=day(since), rate=Decimal(value))


def rows(**changes: Any) -> ReferenceRows:
    """The company; `changes` replace whole kinds of rows."""
    usual: dict[str, Any] = {
        "people": (*(person(name) for name in NAMES), person("xan", ends_on="2024-05-01")),
        "payee_keys": (
            *(KeyRow(source="crm", key=k, payee_id=PayeeId(name)) for k, name in KEYS.items()),
            KeyRow(source="billing", key="A", payee_id=PayeeId("bob")),  # another book of names
        ),
        "reporting_lines": (
            line("ann", "mia"),
            line("bob", "mia", until="2024-08-01"),
            line("cleo", "vic", until="2024-06-01"),
            line("cleo", "mia", since="2024-06-01"),
            line("mia", "vic"),
            line("vic", "mia", since="2024-12-15"),  # a ring, as data have them
        ),
        "periods": _periods(),
        "quotas": (
            *quota("ann", "5000", "24a", "24b", "24c"),
            *quota("ann", "0", "24d"),
            *quota("bob", "7000", "24a"),
            *quota("cleo", "4000", "24b", "24c", "25a"),
            *quota("mia", "9000", "24a", "24c"),
        ),
        "assignments": ASSIGNMENTS,
        "plans": PLANS,
        "crediting_rules": (
            CreditingRule(rule_id="online", when={"channel": "online"}, reason="No seller."),
            CreditingRule(
                rule_id="parts",
                when={"type": "renewal", "category": "parts"},
                reason="By contract.",
            ),
        ),
        "fx_rates": (
            rate("EUR", "2024-02-01", "1.0831"),
            rate("EUR", "2024-07-01", "1.1"),
            rate("JPY", "2024-01-01", "0.0067123456"),
        ),
    }
    return company(**{**usual, **changes}).rows


USUAL: Final = Reference(rows())
LOCKED: Final = Reference(rows(version=2, periods=_periods("24a", "24b")))
# A later state of knowledge: leo's plan is written, cleo has one earlier, keys and rates arrive,
# quotas move, ann's first plan counts other credits, mia answers to nobody.
LATER: Final = Reference(
    rows(
        version=3,
        plans=(
            published(
                plan(
                    "simple",
                    component("direct", "owner", OWN, headline=True),
                    component("new", "owner split", table(("0", "0.007"))),
                )
            ),
            *PLANS[1:],
            published(plan("unwritten", component("direct", "owner", FLAT, headline=True))),
        ),
        assignments=(
            *ASSIGNMENTS[:3],
            assigned("cleo", "own", until="2024-03-01", rate="0.02"),
            *ASSIGNMENTS[3:],
        ),
        payee_keys=(
            *USUAL.rows.payee_keys,
            KeyRow(source="crm", key="Z", payee_id=PayeeId("bob")),
        ),
        reporting_lines=(line("ann", "mia"), line("bob", "cleo"), line("cleo", "mia")),
        quotas=(*quota("ann", "2500", "24a", "24c", "24d"), *quota("cleo", "900", "24a", "24b")),
        fx_rates=(*USUAL.rows.fx_rates, rate("GBP", "2024-01-01", "1.27")),
        crediting_rules=(),
        periods=_periods("24a"),
    )
)

AMOUNTS = ("333.33", "1234.5678", "2500", "4999.99", "-410.15", "0", "9000.015", "0.01")
PLAIN_DAYS = (day("2024-02-20"), day("2024-03-31"), day("2024-05-02"))
SPLITS: Final[tuple[tuple[Split, ...], ...]] = (
    (split("A", "0.5"), split("B", "0.5")),
    (split("A", "0.3333"), split("B", "0.3333", remainder=True), split("C", "0.3334")),
    (split("A", "0.6"), split("A2", "0.4")),  # two keys of one person
    (split("A", "0.7"), split("Z", "0.2"), split("X", "0.1"), split("B", "0.25", "overlay")),
    (split("C", "1"), split("A", "0.5", "overlay"), split("M", "0.1", "overlay")),
    (split("B", "0.35", "overlay"),),
)


def _lines(*texts: str, category: str = "bikes") -> dict[str, Any]:
    """Lines of the last category but for the first, and the amount they sum to."""
    categories = ("parts", *(category for _ in texts[1:]))
    return {
        "lines": tuple(
            DealLine(amount=text, category=name)
            for text, name in zip(texts, categories, strict=True)
        ),
        "amount": format(sum(Decimal(text) for text in texts), "f"),
    }


def _closed(text: str) -> dict[str, Any]:
    """By date, or by an instant alone."""
    if "T" in text:
        return {"closed_on": None, "closed_at": dt.datetime.fromisoformat(text)}
    return {"closed_on": day(text)}


# What may be different about a deal that is otherwise credited; each is as likely as the others.
TWISTS: Final[tuple[dict[str, Any], ...]] = (
    *({"owner_key": key} for key in ("A2", "B", "C", "M", "X", "L", "Z", None, None)),
    *({"currency": name} for name in ("EUR", "EUR", "JPY", "GBP", "XYZ")),
    *({"status": status} for status in DealStatus if status is not DealStatus.WON),
    *({"channel": name} for name in ("online", "direct")),
    *(
        _closed(text)
        for text in [
            *("2023-12-31", "2024-01-31", "2024-02-14", "2024-02-15", "2024-04-01", "2024-05-01"),
            *("2024-07-02", "2024-08-01", "2024-12-20", "2025-02-01", "2025-04-01"),
            "2024-04-01T03:59:59+00:00",  # still 31 March in New York
            "2024-04-01T04:00:00+00:00",
            "2024-02-15T00:30:00+02:00",
        ]
    ),
)


SHARED: Final = (*({"splits": splits} for splits in SPLITS), *({} for _ in range(10)))
ITEMISED: Final = (
    {"type": "renewal", **_lines("100.005", "-33.3", category="parts")},
    _lines("0.01", "999.995", "10"),
    _lines("5000", "0.3", "0.33", category="parts"),
    *({} for _ in range(7)),
)


def record(chance: random.Random) -> DealChanged:
    """A revision of one of a few deals, perhaps shared or itemised, with up to two twists."""
    fields: dict[str, Any] = {
        "key": chance.choice("12345678"),
        "amount": chance.choice(AMOUNTS),
        "owner_key": chance.choice("AB"),
        "closed_on": chance.choice(PLAIN_DAYS),
        "type": "new",
    }
    for twist in chance.choices(TWISTS, k=chance.randint(0, 2)):
        fields.update(twist)
    fields |= chance.choice(SHARED) | chance.choice(ITEMISED)
    return deal(chance.randint(1, 3), **fields)


def facet(chance: random.Random) -> DealChanged:
    """What billing says of a deal that the CRM opens: fills what that leaves out."""
    key = chance.choice("12")
    return deal(
        chance.randint(1, 2),
        source="billing",
        key=f"inv-{key}",
        deal_id=f"crm:{key}",
        amount=chance.choice(AMOUNTS),
        owner_key=chance.choice((None, "A", "A")),
        channel=chance.choice((None, None, "online")),
        status=chance.choice((DealStatus.WON, DealStatus.OPEN)),
    )


def history(seed: int, length: int) -> list[DealChanged]:
    """Records as a seed gives them: more varied than what mutation finds; shrinks by its length."""
    chance = random.Random(seed)
    makers = chance.choices((record, facet), weights=(5, 1), k=length)
    return [maker(chance) for maker in makers]


histories = st.builds(history, seed=st.integers(0, 10**9), length=st.integers(1, 30))
