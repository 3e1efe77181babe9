"""Who is raised off pace over the sample company's last window, and when: stated, and recomputed.

The day-by-day expectation is computed here from the CSV files by none of the product's code.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest

from db import clock
from deploy.local.stack import Stack
from ingest import adventureworks
from schemas.messages import Alert
from schemas.settings import Settings
from streams.alerts import Alerts
from streams.business import Business
from tests.books import Books
from tests.database import connected, copied
from tests.workers import install_sample

DATA = Path(adventureworks.__file__).parent / "data" / "adventureworks"
START, END = dt.date(2014, 3, 1), dt.date(2014, 6, 1)
LAST_START, LAST_END = dt.date(2013, 2, 28), dt.date(2013, 5, 30)
DAY = dt.timedelta(days=1)
BATCH = 2_000

# The whole story of the window. 17 sellers and managers have a quota; the days of sales are the
# 3rd and 31st of March, the 30th of April and the 1st of May.
STORY = {
    ("2014-03-04", "raised"): "274 275 276 277 278 279 282 284 285 286 287 290",
    ("2014-04-01", "cleared"): "274 276 285 287 290",
    ("2014-04-02", "raised"): "280 281 283 288 289",
    ("2014-05-02", "cleared"): "275 280 283",
    ("2014-05-05", "raised"): "285 287",
}


class Order(NamedTuple):
    seller: str
    closed_on: dt.date
    amount: Decimal


def read(name: str) -> list[dict[str, str]]:
    opened = gzip.open if name.endswith(".gz") else open
    with opened(DATA / name, "rt", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def seller_orders() -> list[Order]:
    return [
        Order(
            row["SalesPersonID"],
            dt.date.fromisoformat(row["OrderDate"]),
            Decimal(row["SubTotal"]),
        )
        for row in read("orders.csv.gz")
        if row["SalesPersonID"]
    ]


def sold_on(order_date: dt.date) -> dt.date:
    """The replay sells a weekend's orders on the Monday after it."""
    return order_date + DAY * {5: 2, 6: 1}.get(order_date.weekday(), 0)


def expected_story() -> list[tuple[str, str, str]]:
    """Two looks a working day (its start, and its end with what was sold), as the rule says."""
    orders = seller_orders()
    quotas = {
        row["BusinessEntityID"]: Decimal(row["SalesQuota"])
        for row in read("quota_history.csv")
        if row["QuotaDate"] == START.isoformat()
    }
    last_year = [o for o in orders if LAST_START <= o.closed_on < LAST_END]
    whole = sum(o.amount for o in last_year)
    credited: dict[str, Decimal] = defaultdict(Decimal)
    below: dict[str, dt.date] = {}  # since which working day's last look
    above: dict[str, dt.date] = {}
    raised: set[str] = set()
    story: list[tuple[str, str, str]] = []
    day = START
    while day < END:
        gone = (day - START).days
        expected = (
            sum((o.amount for o in last_year if (o.closed_on - LAST_START).days < gone), Decimal(0))
            / whole
        )
        sold = [o for o in orders if o.closed_on >= START and sold_on(o.closed_on) == day]
        if day.weekday() < 5 and expected >= Decimal("0.05"):
            for seller in sorted(quotas):
                before_below, before_above = below.get(seller), above.get(seller)
                looks = [credited[seller]]
                if any(o.seller == seller for o in sold):
                    looks.append(
                        credited[seller] + sum(o.amount for o in sold if o.seller == seller)
                    )
                for amount in looks:
                    pace = amount / quotas[seller] / expected
                    if pace < Decimal("0.85"):
                        below[seller] = before_below or day
                    else:
                        below.pop(seller, None)
                    if pace > Decimal("0.92"):
                        above[seller] = before_above or day
                    else:
                        above.pop(seller, None)
                    if seller not in raised and below.get(seller, day) < day:
                        raised.add(seller)
                        story.append((day.isoformat(), "raised", seller))
                    elif seller in raised and above.get(seller, day) < day:
                        raised.discard(seller)
                        story.append((day.isoformat(), "cleared", seller))
        for order in sold:
            credited[order.seller] += order.amount
        day += DAY
    return sorted(story)


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        install_sample(given)
        yield given


def set_business(settings: Settings, day: dt.date, hour: int) -> None:
    zone = ZoneInfo(adventureworks.TIME_ZONE)
    with connected(settings, "api") as conn:
        clock.append(
            conn,
            real=dt.datetime.now(dt.UTC),
            business=dt.datetime.combine(day, dt.time(hour), zone),
            rate=Decimal(0),
            set_by="test",
        )


def raised_again(told: list[tuple[str, Alert]]) -> list[tuple[Alert, Alert]]:
    """Every raise after an account's first, with the clear before it. There must be one."""
    last: dict[str, tuple[str, Alert]] = {}
    again: list[tuple[Alert, Alert]] = []
    for what, alert in told:
        if what == "updated":
            continue
        before = last.get(alert.subject)
        if what == "raised" and before is not None:
            assert before[0] == "cleared", f"{alert.subject} is raised twice"
            again.append((before[1], alert))
        last[alert.subject] = what, alert
    return again


def test_the_last_window(settings: Settings) -> None:
    """A load of history raises nobody; then each on its day, none twice without a new fact."""
    deals = list(adventureworks.deals())
    keys: dict[str, str] = {}
    with connected(settings, "worker") as conn, closing(Books(settings)) as books:
        keys = dict(conn.execute("SELECT payee_id, key FROM payee_keys").fetchall())
        alerts = Alerts(conn, Business(conn))
        set_business(settings, START, 0)
        history = [d for d in deals if d.closed_on and d.closed_on < START]
        for first in range(0, len(history), BATCH):
            progress = books.book(*history[first : first + BATCH], is_replay=True)
            alerts.on_progress(progress)
        assert conn.execute("SELECT count(*) FROM alert_events").fetchall() == [(0,)]

        sales = [d for d in deals if d.owner_key and d.closed_on and d.closed_on >= START]
        day = START
        while day < END:
            set_business(settings, day, 0)
            alerts.on_tick()
            alerts.on_tick()  # a second look without a new fact
            sold = [d for d in sales if d.closed_on and sold_on(d.closed_on) == day]
            if sold:
                set_business(settings, day, 18)
                alerts.on_progress(books.book(*sold))
            day += DAY
        told = [
            (type_.split(".")[2], msgspec.json.decode(text, type=Alert))
            for type_, text in conn.execute(
                "SELECT message_type, message::text FROM alert_outbox ORDER BY id"
            )
        ]
    story = sorted(
        (str(alert.business_date), what, keys[alert.payee_id or ""])
        for what, alert in told
        if what != "updated"
    )
    assert story == expected_story()
    assert story == [
        (day, what, key) for (day, what), keys_ in STORY.items() for key in keys_.split()
    ]
    again = raised_again(told)
    assert {(str(second.business_date), keys[second.payee_id or ""]) for _, second in again} == {
        ("2014-05-05", "285"),
        ("2014-05-05", "287"),
    }
    for clear, second in again:
        assert Decimal(second.expected_share) > Decimal(clear.expected_share)
    assert {alert.curve for _, alert in told} == {"last_year"}
