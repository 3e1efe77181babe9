"""Every list against a naive filter over its own rows, page by page, while deals come in.

On the sample company: what stood before comes exactly once, nothing comes that the filter leaves
out, and the order is the one that was asked for.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import httpx
import pytest

from deploy.local.stack import Stack
from tests.e2e.company import MANAGER, SELLER, next_days, sample_site
from tests.e2e.support import Site, deal
from tests.workers import settle

Row = dict[str, Any]
PAGES: Final = 7  # so many at least, of what there is
STEP_S: Final = 0.05


class Asked(NamedTuple):
    """A filter as a caller writes it, and what it means of a row."""

    given: Mapping[str, str]
    holds: Callable[[Row], bool]


class Kind(NamedTuple):
    """A list: its address, what names a row, within what it is looked at, its sorts and filters."""

    path: str
    id: tuple[str, ...]
    within: Mapping[str, str]
    sorts: tuple[str, ...]
    filters: tuple[Asked, ...]


def same(name: str, value: str, field: str | None = None) -> Asked:
    return Asked({name: value}, lambda row: str(row[field or name]).lower() == value.lower())


def between(name: str, first: str, end: str) -> Asked:
    given = {f"{name}[gte]": first, f"{name}[lt]": end}
    return Asked(given, lambda row: row[name] is not None and first <= row[name] < end)


def found_by(text: str, *fields: str) -> Asked:
    """The key begins with it, or another field contains it."""

    def holds(row: Row) -> bool:
        others = (str(row.get(field) or "").lower() for field in fields)
        return str(row["key"]).lower().startswith(text) or any(text in other for other in others)

    return Asked({"q": text}, holds)


STATEMENT: Final = f"/v1/payees/{SELLER}/statements/2013-11-30/lines"
KINDS: Final = (
    Kind(
        "/v1/deals",
        ("deal_id",),
        {"closed_on[gte]": "2014-01-01"},
        ("-received_at", "received_at", "deal_id"),
        (
            Asked({}, lambda row: True),
            same("fate", "credited"),
            same("fate", "not_eligible"),
            same("status", "won"),
            same("source", "adventureworks"),
            found_by("so650", "name", "customer"),
            Asked({"closed_on[lt]": "2014-02-01"}, lambda row: row["closed_on"] < "2014-02-01"),
            Asked(
                {"fate": "credited", "q": "so6"},
                lambda row: row["fate"] == "credited" and row["key"].lower().startswith("so6"),
            ),
        ),
    ),
    Kind(
        "/v1/credits",
        ("credit_id",),
        {"period": "2013-11-30"},
        ("-booked_at", "booked_at"),
        (
            Asked({}, lambda row: True),
            Asked({"payee_id": SELLER}, lambda row: row["payee"]["payee_id"] == SELLER),
        ),
    ),
    Kind(
        STATEMENT,
        ("deal_id", "ordinal", "component"),
        {},
        ("closed_on", "-closed_on"),
        (
            Asked({}, lambda row: True),
            same("role", "owner"),
            same("component", "commission"),
            Asked({"is_correction": "false"}, lambda row: row["is_correction"] is False),
            found_by("so6", "deal_name", "customer"),
        ),
    ),
    Kind(
        f"/v1/payees/{SELLER}/feed",
        ("id",),
        {},
        ("-booked_at", "booked_at"),
        (
            Asked({}, lambda row: True),
            same("kind", "credit"),
            same("kind", "alert"),
            same("period", "2013-11-30"),
        ),
    ),
    Kind(
        "/v1/alerts",
        ("alert_id",),
        {},
        ("-first_raised_at", "first_raised_at"),
        (
            Asked({}, lambda row: True),
            same("state", "open"),
            same("state", "cleared"),
            same("period", "2014-03-01"),
            Asked({"payee_id": MANAGER}, lambda row: row["payee"]["payee_id"] == MANAGER),
        ),
    ),
    Kind(
        "/v1/held",
        ("deal_id", "share"),
        {},
        ("held_since", "-held_since"),
        (
            Asked({}, lambda row: True),
            same("reason", "unknown_payee"),
            same("reason", "no_owner"),
            found_by("so6939", "name"),
        ),
    ),
    Kind(
        "/v1/not-eligible",
        ("deal_id",),
        {"closed_on[gte]": "2014-01-01"},
        ("-received_at", "received_at"),
        (
            Asked({}, lambda row: True),
            same("source", "adventureworks", "source_of_key"),
            found_by("so650", "name"),
            Asked({"closed_on[lt]": "2014-02-01"}, lambda row: row["closed_on"] < "2014-02-01"),
        ),
    ),
    Kind(
        "/v1/dead-letters",
        ("dead_letter_id",),
        {},
        ("-booked_at", "booked_at"),
        (
            Asked({}, lambda row: True),
            same("code", "equal_revision_conflict"),
            same("code", "unreadable"),
            Asked(
                {"q": "adventureworks:twice"},
                lambda row: row["source_key"].startswith("adventureworks:TWICE"),
            ),
        ),
    ),
)


class Writer:
    """Sends deals of every fate, one after the other, until it is told to stop."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def send(self) -> None:
        """A credited one, a held one, one that is not eligible, two contents of one revision."""
        number = next(self._numbers)
        day = {"closed_on": "2014-04-14"}
        bodies = [
            deal(f"SO650-{number}", "10.00", **day),
            deal(f"SO6939-{number}", "10.00", owner_key="9998", **day),
            deal(f"SO65-{number}", "10.00", channel="online", owner_key=None, **day),
            deal(f"TWICE-{number}", "10.00", **day),
            deal(f"TWICE-{number}", "11.00", **day),
        ]
        self._client.post("/v1/deals", json=bodies).raise_for_status()

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(STEP_S):
            self.send()


@pytest.fixture(scope="module")
def site(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with sample_site(stack, migrated_template, tmp_path_factory.mktemp("lists")) as found:
        next_days(found, 16)
        yield found


@pytest.fixture(scope="module")
def writer(site: Site) -> Iterator[Writer]:
    headers = {"Authorization": f"Bearer {site.token}"}
    with httpx.Client(base_url=site.address, headers=headers, timeout=30) as client:
        found = Writer(client)
        for _ in range(PAGES * 3):
            found.send()
        settle(site.settings, site.worker)
        with found:
            yield found


@pytest.fixture(scope="module")
def reader(site: Site, writer: Writer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {site.token}"}
    with httpx.Client(base_url=site.address, headers=headers, timeout=30) as client:
        yield client


def pages(client: httpx.Client, path: str, given: Mapping[str, str], limit: int) -> list[Row]:
    rows: list[Row] = []
    cursor: dict[str, str] = {}
    while True:
        asked = {**given, **cursor, "limit": str(limit)}
        page = client.get(path, params=asked).raise_for_status().json()
        assert len(page["rows"]) <= limit
        rows += page["rows"]
        if page["next_cursor"] is None:
            return rows
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.path.rpartition("/")[2])
def test_a_list_is_its_naive_filter_page_by_page(reader: httpx.Client, kind: Kind) -> None:
    """Each sort with each filter, while rows are added."""
    before = pages(reader, kind.path, kind.within, 500)
    assert before
    for sort, asked in itertools.product(kind.sorts, kind.filters):
        naive = {_id(kind, row) for row in before if asked.holds(_whole(row))}
        limit = min(500, max(1, len(naive) // PAGES))
        rows = pages(reader, kind.path, {**kind.within, **asked.given, "sort": sort}, limit)
        ids = [_id(kind, row) for row in rows]
        about = f"{kind.path} {dict(asked.given)} {sort}"
        assert len(ids) == len(set(ids)), f"{about}: a row came twice"
        assert naive <= set(ids), f"{about}: a row is missing"
        assert all(asked.holds(_whole(row)) for row in rows), f"{about}: a row does not belong"
        field = sort.lstrip("-")
        if rows and field in rows[0]:
            order = [row[field] for row in rows]
            assert order == sorted(order, reverse=sort.startswith("-")), f"{about}: the order"


def _id(kind: Kind, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in kind.id)


def _whole(row: Row) -> Row:
    return {**row, "source_of_key": str(row.get("deal_id", "")).partition(":")[0]}
