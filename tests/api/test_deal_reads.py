"""Deals over HTTP: receipts that agree with the ledger, fates in words, lists that lose nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from db.connect import Connection
from schemas import limits
from schemas.messages import DealStatus, RefusalCode, Split
from schemas.refusals import REMEDIES
from schemas.settings import Settings
from tests.api.support import Served, deal, served
from tests.books import Books, won
from tests.database import ADA, BEN, MEG, connected

DAY = dt.date(2024, 2, 10)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def books(settings: Settings) -> Iterator[Books]:
    """The worker's protocol, with some deals booked."""
    found = Books(settings)
    found.book(
        won("A1", "60000.00", DAY, name="Roof", customer={"key": "c1", "name": "Açaí 100%"}),
        won("A2", "70000.33", DAY),
        won("B1", "500.00", DAY, owner=BEN),
        won("open", "10.00", DAY, status=DealStatus.OPEN),
        won("lost/one two", "10.00", DAY, status=DealStatus.LOST),
        won("held", "10.00", DAY, owner="p-nobody"),
    )
    found.book(won("A1", "61000.00", DAY, revision=2, name="Roof"))
    found.book(won("A1", "59000.00", DAY, revision=1, name="Roof"))
    yield found
    found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(settings: Settings, books: Books) -> AsyncIterator[Served]:
    async with served(settings) as running:
        yield running


async def test_a_receipt_says_how_each_cent_comes_about(api: Served) -> None:
    """The slices, the place, the rounding; both deals together are what the ledger has earned."""
    first = await api.json("/v1/deals/crm:A1", "ada")
    second = await api.json("/v1/deals/crm:A2", "ada")
    assert first["deal"]["fate_words"] == "Credited to Ada."
    own = [line for one in (first, second) for line in one["receipt"]]
    assert {line["payee"]["payee_id"] for line in own} == {ADA}
    assert [line["before"] for line in own] == ["0", "61000.00"]
    assert [len(line["slices"]) for line in own] == [1, 2]
    assert own[1]["slices"][0]["credited"] == "39000.00"
    assert own[1]["slices"][1]["credited"] == "31000.33"
    assert "39,000.00 at 1.5 % and 31,000.33 at 3 %" in own[1]["sentence"]
    for line in own:
        assert Decimal(line["exact"]) + Decimal(line["rounding"]) == Decimal(line["earned"])
    with connected(api.settings, "api") as conn:
        earned = _one(conn, "SELECT sum(earned) FROM ledger WHERE payee_id = %s", ADA)
    assert sum(Decimal(line["earned"]) for line in own) == earned


async def test_revisions_say_what_they_changed_and_which_one_counts(api: Served) -> None:
    """Newest first, against the next lower of their source; only admins see them as received."""
    found = await api.json("/v1/deals/crm:A1", "ada")
    words = [(one["revision"], one["is_current"], one["words"]) for one in found["revisions"]]
    assert words[1][1] is True
    assert words[1][2].startswith("amount ") and "-> 61,000.00" in words[1][2]
    assert [one[0] for one in words] == [1, 2, 1]
    assert [one["content"] for one in found["revisions"]] == [None] * 3
    whole = await api.json("/v1/deals/crm:A1", "ann")
    assert whole["revisions"][1]["content"]["amount"] == "61000.00"
    reversals = [one for one in whole["credits"] if one["reverses"]]
    assert reversals and not any(one["is_in_force"] for one in reversals)


async def test_a_manager_sees_his_own_roll_up_beside_his_sellers_credit(api: Served) -> None:
    """Both receipts; the seller sees how many credits of others there are, and no more."""
    of_meg = await api.json("/v1/deals/crm:A1", "meg")
    assert [line["payee"]["payee_id"] for line in of_meg["receipt"]] == [ADA, MEG]
    of_ada = await api.json("/v1/deals/crm:A1", "ada")
    assert of_ada["others_credited"] == 1


@pytest.mark.parametrize(
    ("key", "user", "words"),
    [
        ("open", "ada", "Not counted: it is still open."),
        ("lost/one two", "ada", "Not counted: it was lost."),
        ("held", "ann", "Held: the source's key belongs to no person."),
    ],
)
async def test_a_deal_says_why_it_is_not_credited(
    api: Served, key: str, user: str, words: str
) -> None:
    """In words, and what to do where there is something to do; ids may hold anything."""
    found = await api.json(f"/v1/deals/crm:{key}", user)
    assert found["deal"]["fate_words"].startswith(words)
    assert (found["next_step"] is not None) == (key == "held")


async def test_another_sellers_deal_is_not_there(api: Served) -> None:
    """The same answer as for one that does not exist."""
    theirs = await api.get("/v1/deals/crm:B1", "ada")
    nothing = await api.get("/v1/deals/crm:none", "ada")
    assert (theirs.status_code, nothing.status_code) == (404, 404)
    assert _but_id(theirs.json()) == _but_id(nothing.json())
    for path in ("/v1/tracking?deal_id=crm:B1", "/v1/tracking?deal_id=crm:none"):
        assert (await api.get(path, "ada")).status_code == 404


async def test_a_posted_deal_is_received_then_booked(api: Served, books: Books) -> None:
    """Its tracking id answers at once, a retry has the same; a lower revision is superseded."""
    body = deal("T1", amount="10.00", revision=5)
    posted = (await api.post_deals(body)).json()["deals"][0]
    again = (await api.post_deals(body)).json()["deals"][0]
    assert again["tracking_id"] == posted["tracking_id"]
    path = f"/v1/tracking/{posted['tracking_id']}"
    found = await api.json(path, "loader")
    assert (found["fate"], found["booked_at"]) == ("received", None)
    older = (await api.post_deals(deal("T1", amount="9.00", revision=4))).json()["deals"][0]
    books.book(won("T1", "10.00", DAY, revision=5), won("T1", "9.00", DAY, revision=4))
    found = await api.json(path, "loader")
    assert found["fate"] == "credited"
    gone = await api.json(f"/v1/tracking/{older['tracking_id']}", "loader")
    assert (gone["fate"], gone["fate_words"]) == (
        "superseded",
        "Superseded: crm's revision 5 counts.",
    )
    all_ = await api.json("/v1/tracking", "ada", deal_id="crm:T1")
    assert sorted(one["fate"] for one in all_["rows"]) == ["credited", "superseded"]


async def test_what_was_posted_is_written_down_for_every_process(api: Served) -> None:
    """Not only the process that took it can say so."""
    posted = (await api.post_deals(deal("T2"))).json()["deals"][0]
    async with asyncio.timeout(30):
        while api.services.postings.waiting(posted["tracking_id"]):
            await asyncio.sleep(0.05)
    with connected(api.settings, "api") as conn:
        query = "SELECT posted_by FROM postings WHERE tracking_id = %s"
        assert _one(conn, query, posted["tracking_id"]) == "loader"


async def test_a_refused_revision_says_so_by_its_tracking_id(api: Served, books: Books) -> None:
    """A deal that is full of revisions takes no more; its sender is told what to do."""
    states = [won("full", f"{n}.00", DAY, revision=n) for n in range(1, 1_002)]
    books.book(*states[:1_000])
    last = msgspec.to_builtins(states[1_000])
    tracking = (await api.post_deals(last)).json()["deals"][0]["tracking_id"]
    books.book(states[1_000])
    found = await api.json(f"/v1/tracking/{tracking}", "loader")
    assert found["fate"] == "refused"
    assert found["fate_words"].startswith("Refused: ")
    assert found["next_step"] == REMEDIES[RefusalCode.TOO_MANY_REVISIONS]


async def test_lists_agree_with_a_naive_filter_while_writes_go_on(
    api: Served, books: Books
) -> None:
    """Each row that stood throughout comes once, whatever is booked between two pages."""
    questions: list[dict[str, str]] = [
        {},
        {"payee_id": ADA},
        {"fate": "held"},
        {"status": "lost"},
        {"q": "a"},
        {"q": "100%"},
        {"closed_on[gte]": "2024-02-10", "closed_on[lt]": "2024-02-11"},
        {"period": "2024-Q1", "payee_id": BEN},
    ]
    for sort in ("-received_at", "received_at", "deal_id"):
        everything = await _all(api, sort, {})
        assert everything == sorted(everything, key=_order(sort), reverse=sort.startswith("-"))
        for number, question in enumerate(questions):
            before = await _all(api, sort, question)
            if "payee_id" not in question:
                naive = [row for row in everything if _is(row, question)]
                assert [row["deal_id"] for row in naive] == [
                    row["deal_id"] for row in before if row in everything
                ]
            expected = {row["deal_id"] for row in before}
            seen = await _paged(api, books, f"{sort}{number}", {**question, "sort": sort})
            assert len(seen) == len(set(seen)), "a row came twice"
            assert expected <= set(seen), "a row is missing"


async def _paged(api: Served, books: Books, name: str, question: dict[str, str]) -> list[str]:
    """The ids of all pages of two; after each of the first ones a deal is booked."""
    seen: list[str] = []
    cursor = None
    for page_number in range(1_000):
        given = {**question, "limit": "2", **({"cursor": cursor} if cursor else {})}
        page = await api.json("/v1/deals", "ann", **given)
        seen += [row["deal_id"] for row in page["rows"]]
        if page_number < 3:
            books.book(won(f"w{name}{page_number}", "1.00", DAY))
        cursor = page["next_cursor"]
        if cursor is None:
            return seen
    raise AssertionError("the pages do not end")


async def test_who_asks_for_a_payee_he_may_not_see_gets_nothing(api: Served) -> None:
    """A filter does not open what the address would not; the list shows only what is his."""
    assert (await api.get("/v1/deals", "ada", params={"payee_id": BEN})).status_code == 404
    assert (await api.get("/v1/credits", "ada", params={"payee_id": BEN})).status_code == 404
    own = await api.json("/v1/deals", "ada", limit="500")
    assert "crm:B1" not in {row["deal_id"] for row in own["rows"]}
    assert "crm:A1" in {row["deal_id"] for row in own["rows"]}
    credits = await api.json("/v1/credits", "ada", limit="500")
    assert {row["payee"]["payee_id"] for row in credits["rows"]} == {ADA}


async def test_credits_come_each_once_page_by_page(api: Served, books: Books) -> None:
    """By booking, newest first, against one page of all."""
    whole = await api.json("/v1/credits", "ann", limit=str(limits.LIST_ROWS_MAX))
    expected = [row["credit_id"] for row in whole["rows"]]
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        given = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        page = await api.json("/v1/credits", "ann", **given)
        seen += [row["credit_id"] for row in page["rows"]]
        books.book(won(f"c{len(seen)}", "1.00", DAY))
        cursor = page["next_cursor"]
    assert seen == expected or whole["next_cursor"] is not None


async def _all(api: Served, sort: str, question: dict[str, str]) -> list[Any]:
    found = await api.json("/v1/deals", "ann", sort=sort, limit="500", **question)
    assert found["next_cursor"] is None, "the test's company has outgrown one page"
    rows: list[Any] = found["rows"]
    return rows


def _order(sort: str) -> Callable[[dict[str, str]], tuple[str, ...]]:
    if sort == "deal_id":
        return lambda row: (row["deal_id"],)
    return lambda row: (row["received_at"], row["deal_id"])


def _is(row: dict[str, Any], question: dict[str, str]) -> bool:
    """The filters, said the slow way."""
    text = question.get("q", "").lower()
    told = [row["name"] or "", row["customer"] or ""]
    return (
        question.get("fate", row["fate"]) == row["fate"]
        and question.get("status", row["status"]) == row["status"]
        and (row["key"].lower().startswith(text) or any(text in one.lower() for one in told))
        and row["closed_on"] >= question.get("closed_on[gte]", "")
        and row["closed_on"] < question.get("closed_on[lt]", "9999")
    )


def _one(conn: Connection, query: str, value: str) -> Any:
    row = conn.execute(query.encode(), (value,)).fetchone()
    assert row is not None
    return row[0]


def _but_id(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "request_id"}


async def test_a_receipt_is_read_anew_when_an_earlier_deal_moves_it(
    api: Served, books: Books
) -> None:
    """The deal is the same, and pays otherwise: its ETag says so."""
    path = "/v1/deals/crm:B1"
    before = await api.get(path, "ben")
    etag = before.headers["etag"]
    same = await api.get(path, "ben", headers={"If-None-Match": etag})
    assert same.status_code == 304
    books.book(won("B0", "7000.00", DAY - dt.timedelta(days=5), owner=BEN))
    after = await api.get(path, "ben", headers={"If-None-Match": etag})
    assert after.status_code == 200
    (line,) = after.json()["receipt"]
    assert Decimal(line["before"]) == Decimal("7000.00")


async def test_whom_a_deal_names_finds_it_also_when_another_is_credited(
    api: Served, books: Books
) -> None:
    """Ada owns it and all of it is Ben's: both have it in their lists."""
    shares = (Split(payee_key="ben", share="1"),)
    books.book(won("given", "10.00", DAY, splits=shares))
    for user in ("ada", "ben"):
        rows = (await api.json("/v1/deals", user, q="given"))["rows"]
        assert [row["deal_id"] for row in rows] == ["crm:given"]


async def test_what_was_not_recorded_is_sent_when_the_request_is_repeated(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is not the one of the key: repeated, the missing one goes, then it is kept."""
    real = api.services.deals.send

    async def half(records: Any) -> Any:
        sent = await real(records[:1])
        return (*sent, *(False for _ in records[1:]))

    bodies = [deal("H1"), deal("H2")]
    key = {"Idempotency-Key": "half"}
    monkeypatch.setattr(api.services.deals, "send", half)
    first = await api.post_deals(bodies, **key)
    assert (first.status_code, first.json()["not_recorded"]) == (202, 1)
    monkeypatch.setattr(api.services.deals, "send", real)
    second = await api.post_deals(bodies, **key)
    assert second.json()["not_recorded"] == 0
    assert "idempotency-replayed" not in second.headers
    third = await api.post_deals(bodies, **key)
    assert third.headers["idempotency-replayed"] == "true"
