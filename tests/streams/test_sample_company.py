"""All of AdventureWorks through a real worker that is killed on the way: to the cent.

What is expected is computed here from the CSV files, by none of the product's code.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from deploy.local.stack import Stack
from ingest import adventureworks
from ingest.publish import publish_deals
from schemas.settings import Settings
from tests.database import connected, copied
from tests.services import unique_name
from tests.workers import (
    ends_of,
    install_sample,
    is_settled,
    published,
    settle,
    wait_until,
    with_topics,
    worker,
)

DATA = Path(adventureworks.__file__).parent / "data" / "adventureworks"
LAST_END = "2014-06-01"
CENT = Decimal("0.01")


class Expected(NamedTuple):
    """By seller and the start of the quota window."""

    quotas: dict[tuple[str, str], Decimal]
    credited: dict[tuple[str, str], Decimal]
    rates: dict[str, Decimal]
    orders: dict[str, int]


def read(name: str) -> list[dict[str, str]]:
    opened = gzip.open if name.endswith(".gz") else open
    with opened(DATA / name, "rt", encoding="utf-8") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def expected() -> Expected:
    quotas = {
        (row["BusinessEntityID"], row["QuotaDate"]): Decimal(row["SalesQuota"])
        for row in read("quota_history.csv")
    }
    starts = sorted({start for _, start in quotas})
    credited: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    orders: dict[str, int] = defaultdict(int)
    for row in read("orders.csv.gz"):
        if row["SalesPersonID"]:
            start = max(start for start in starts if start <= row["OrderDate"])
            credited[row["SalesPersonID"], start] += Decimal(row["SubTotal"])
            orders[row["SalesPersonID"]] += 1
    rates = {
        row["BusinessEntityID"]: Decimal(row["CommissionPct"]) for row in read("sales_person.csv")
    }
    return Expected(quotas, dict(credited), rates, dict(orders))


@pytest.fixture(scope="module")
def loaded(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """All orders; the worker killed with -9 in the middle; then the whole file again, shuffled."""
    with copied(stack, migrated_template) as settings:
        settings = with_topics(settings, unique_name("sample"))
        install_sample(settings)
        log = tmp_path_factory.mktemp("worker") / "worker.log"
        deals = list(adventureworks.deals())
        with worker(settings, log) as first, connected(settings, "worker") as conn:
            publish_deals(settings, deals, is_replay=True)
            wait_until(lambda: _applied(conn) > 8_000, "8,000 deals applied", first)
            first.kill()
            at = _applied(conn)
        print(f"killed with {at} of {len(deals)} applied")  # noqa: T201
        assert at < len(deals)
        with worker(settings, log) as second:
            settle(settings, second)
            again = deals.copy()
            random.Random(20140301).shuffle(again)
            publish_deals(settings, again, is_replay=True)
            print(f"settled {settle(settings, second):.1f} s after the second, shuffled pass")  # noqa: T201
            assert second.stop() == 0
        yield settings


def _applied(conn: Any) -> int:
    row = conn.execute("SELECT coalesce(sum(next_offset), 0) FROM partitions").fetchone()
    return int(row[0])


def query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with connected(settings, "worker") as conn:
        return conn.execute(statement).fetchall()  # type: ignore[arg-type]


def seller_of(settings: Settings) -> dict[str, str]:
    return {payee: key for payee, key in query(settings, "SELECT payee_id, key FROM payee_keys")}


def test_owner_credits_sum_to_the_file(loaded: Settings, expected: Expected) -> None:
    """80,487,704.1832 over 3,806 orders; 27,659 not eligible; none held."""
    ((amount, count),) = query(
        loaded, "SELECT sum(amount), count(*) FROM credits WHERE role = 'owner'"
    )
    assert (amount, count) == (Decimal("80487704.1832"), 3806)
    assert amount == sum(expected.credited.values())
    assert query(loaded, "SELECT count(*) FROM ineligible") == [(27_659,)]
    assert query(loaded, "SELECT count(*) FROM holds") == [(0,)]
    assert query(loaded, "SELECT outcome, count(*) FROM deals GROUP BY 1 ORDER BY 1") == [
        ("credited", 3806),
        ("not_eligible", 27_659),
    ]


def test_nothing_was_counted_twice(loaded: Settings) -> None:
    """One credit per order and role and payee, no reversal, one revision each, no refusal."""
    ((rows, ids, reversals),) = query(
        loaded,
        "SELECT count(*), count(DISTINCT credit_id), count(reverses) FROM credits",
    )
    assert (rows, reversals) == (ids, 0)
    assert query(loaded, "SELECT count(*), max(version) FROM deals") == [(31_465, 1)]
    assert query(loaded, "SELECT count(*) FROM deal_revisions") == [(31_465,)]
    assert query(loaded, "SELECT count(*) FROM dead_letters") == [(0,)]


def test_commission_is_exact(loaded: Settings, expected: Expected) -> None:
    """At each seller's rate, rounded per seller and quota window."""
    exact = {cell: c * expected.rates[cell[0]] for cell, c in expected.credited.items()}
    assert sum(exact.values()) == Decimal("1101643.4625788")
    rounded = {cell: pay.quantize(CENT, ROUND_HALF_EVEN) for cell, pay in exact.items()}
    assert sum(rounded.values()) == Decimal("1101643.43")
    keys = seller_of(loaded)
    booked = {
        (keys[payee], period): earned
        for payee, period, earned in query(
            loaded,
            "SELECT a.payee_id, r.starts_on::text, p.earned FROM positions p"
            " JOIN accounts a USING (account_id) JOIN periods r USING (period_id)"
            " WHERE p.component = 'commission' AND r.known_to IS NULL",
        )
    }
    assert {cell: pay for cell, pay in booked.items() if pay} == {
        cell: pay for cell, pay in rounded.items() if pay
    }
    ((entries,),) = query(loaded, "SELECT sum(earned) FROM ledger")
    assert entries == Decimal("1101643.43")


def test_seller_275(loaded: Settings, expected: Expected) -> None:
    """450 orders, 9,293,903.0046."""
    assert expected.orders["275"] == 450
    rows = query(
        loaded,
        "SELECT count(*), sum(amount) FROM credits JOIN payee_keys USING (payee_id)"
        " WHERE key = '275' AND role = 'owner'",
    )
    assert rows == [(450, Decimal("9293903.0046"))]


def test_attainment_of_all_163_windows(loaded: Settings, expected: Expected) -> None:
    """Credited and quota of each seller and window, as published and as computed from the file."""
    keys = seller_of(loaded)
    starts = dict(query(loaded, "SELECT period_id, starts_on::text FROM periods"))
    newest: dict[str, Any] = {}
    for record in published(loaded, "progress"):
        state = msgspec.json.decode(record.value)
        known = newest.get(state["account_id"])
        if known is None or known["version"] < state["version"]:
            newest[state["account_id"]] = state
    seen = {
        (keys[state["payee_id"]], starts[cell["period"]]): cell
        for state in newest.values()
        for cell in state["positions"]
        if cell["counts_for_attainment"]
    }
    assert len(expected.quotas) == 163
    for window, quota in expected.quotas.items():
        credited = expected.credited.get(window, Decimal(0))
        if window in seen:
            assert Decimal(seen[window]["credited"]) == credited, window
            assert Decimal(seen[window]["quota"]) == quota, window
            ratio = Decimal(seen[window]["attainment_ratio"])
            assert abs(ratio - credited / quota) < Decimal("0.000001"), window
            assert ratio <= credited / quota, window  # never rounded up
        else:
            assert credited == 0, window


def test_what_was_published_is_what_was_booked(loaded: Settings) -> None:
    """Law 7: credits and accruals, de-duplicated by id, are exactly the rows."""
    for topic, id_, statement in (
        ("credits", "credit_id", "SELECT credit_id, amount, batch FROM credits"),
        ("accruals", "entry_id", "SELECT entry_id, earned, batch FROM ledger"),
    ):
        facts = {}
        for record in published(loaded, topic):
            fact = msgspec.json.decode(record.value)
            amount = fact["amount" if topic == "credits" else "earned"]
            facts[fact[id_]] = (Decimal(amount), fact["batch"])
        rows = {key: (amount, batch) for key, amount, batch in query(loaded, statement)}
        assert facts == rows, topic


def test_marks_cover_every_offset_once(loaded: Settings) -> None:
    """Each batch has its mark, the last record of it, and the marks' ranges join without a hole."""
    marks = {}
    for record in published(loaded, "batches"):
        mark = msgspec.json.decode(record.value)
        marks[mark["batch"]] = mark
    assert set(marks) == {batch for (batch,) in query(loaded, "SELECT batch FROM batches")}
    for partition, end in ends_of(loaded).items():
        ranges = sorted(
            (source["first"], source["next"])
            for mark in marks.values()
            for source in mark["sources"]
            if source["partition"] == partition
        )
        assert ranges[0][0] == 0
        assert ranges[-1][1] == end
        assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))


def test_rollups_reach_managers_and_pay_nothing(loaded: Settings, expected: Expected) -> None:
    """Each order of a seller once to each manager above; the vice president sees all."""
    ((earned,),) = query(loaded, "SELECT sum(earned) FROM positions WHERE component = 'team'")
    assert earned == 0
    rows = query(
        loaded,
        "SELECT sum(amount) FROM credits JOIN payee_keys USING (payee_id)"
        " WHERE key = '273' AND role = 'rollup'",
    )
    assert rows == [(sum(expected.credited.values()),)]


@pytest.fixture(scope="module", autouse=True)
def settled(loaded: Settings) -> None:
    with connected(loaded, "worker") as conn:
        assert is_settled(conn, ends_of(loaded))
