"""Statement lines: each credit's share in canonical order, and corrections of locked periods."""

import datetime as dt
from decimal import Decimal

import msgspec

from domain import accounts
from domain.exact import exact_arithmetic
from domain.statements import correction_lines, lines, statement_hash
from schemas.ids import AccountId, PeriodId
from schemas.messages import DealStatus
from schemas.state import Line
from tests.domain.builders import Books, company, day, deal, split

SAMPLE = company()
ANN = AccountId("ann.FY24")
Q1 = PeriodId("Q1")


def lines_of(books: Books, account: str = "ann.FY24", period: str = "Q1") -> tuple[Line, ...]:
    credits = [one for one in books.in_force(account) if one.origin_period == period]
    with exact_arithmetic():
        return lines(credits, accounts.terms_of(books.accounts[account], books.reference))


def shown(found: tuple[Line, ...]) -> list[tuple[int, str | None, str, str]]:
    return [(one.ordinal, one.deal_id, str(one.credited), str(one.earned)) for one in found]


def test_lines_follow_the_closing_date_not_the_arrival() -> None:
    books = Books(SAMPLE)
    books.batch(deal(key="late", amount="8000.00", closed_on=day("2024-03-01")))
    entries = books.batch(deal(key="early", amount="4000.00", closed_on=day("2024-01-15")))
    assert shown(lines_of(books)) == [
        (1, "crm:early", "4000.00", "40.00"),
        (2, "crm:late", "8000.00", "100.00"),  # 6,000 at 1 %, 2,000 at 2 %
    ]
    assert entries[0].earned == 60  # on arrival it paid at the upper tier: an explanation


def test_lines_of_one_instant_follow_the_deal_id() -> None:
    books = Books(SAMPLE)
    books.batch(*(deal(key=key, amount="100.005") for key in "cab"))
    assert shown(lines_of(books)) == [
        (1, "crm:a", "100.005", "1.00"),
        (2, "crm:b", "100.005", "1.00"),
        (3, "crm:c", "100.005", "1.00"),
    ]


def test_an_instant_within_the_day_comes_before_the_deal_id() -> None:
    books = Books(SAMPLE)
    noon = dt.datetime(2024, 2, 1, 17, tzinfo=dt.UTC)
    books.batch(deal(key="a", closed_at=noon), deal(key="b"))
    assert [one.deal_id for one in lines_of(books)] == ["crm:b", "crm:a"]


def test_a_credit_has_a_line_in_each_component_that_counts_it() -> None:
    books = Books(SAMPLE)
    books.batch(deal(owner_key="BOB", splits=(split("ANN", "0.5", "overlay"),)), deal(key="2"))
    found = [(one.component, one.role) for one in lines_of(books)]
    assert found == [("specialist", "overlay"), ("direct", "owner")]
    first = lines_of(books)[0]
    assert (first.deal_source, first.deal_revision) == ("crm", 1)
    assert (first.plan_id, first.plan_version) == ("sales", 1)


def test_a_correction_is_the_new_minus_the_frozen_share() -> None:
    books = Books(SAMPLE)
    books.batch(deal(key="1", amount="6000.00"), deal(key="2", amount="6000.00"))
    frozen = lines_of(books)
    assert [str(one.earned) for one in frozen] == ["60.00", "80.00"]
    books.batch(deal(2, key="1", status=DealStatus.CANCELLED), deal(key="3", amount="100.00"))
    corrections = correction_lines(lines_of(books), frozen)
    assert shown(corrections) == [
        (1, "crm:1", "-6000.00", "-60.00"),  # left: minus its frozen share
        (2, "crm:2", "0.00", "-20.00"),  # no longer above quota
        (3, "crm:3", "100.00", "1.00"),
    ]
    assert {one.credit_id for one in corrections} == {None}
    assert {one.origin_period for one in corrections} == {"Q1"}
    now = sum(one.earned for one in lines_of(books))
    assert sum(one.earned for one in (*frozen, *corrections)) == now


def test_a_second_correction_counts_the_first_as_frozen() -> None:
    books = Books(SAMPLE)
    books.batch(deal(1, amount="1000.00"))
    frozen = lines_of(books)
    books.batch(deal(2, amount="1500.00"))
    first = correction_lines(lines_of(books), frozen)
    books.batch(deal(3, amount="1200.00"))
    second = correction_lines(lines_of(books), (*frozen, *first))
    assert [str(one.earned) for one in (*first, *second)] == ["5.00", "-3.00"]
    assert second[0].deal_revision == 3
    assert correction_lines(lines_of(books), (*frozen, *first, *second)) == ()


def test_the_hash_is_that_of_the_content() -> None:
    books = Books(SAMPLE)
    books.batch(deal(key="1"), deal(key="2"))
    found = lines_of(books)
    own = statement_hash(found, account_id=ANN, period_id=Q1)
    padded = [
        msgspec.structs.replace(one, credited=one.credited.quantize(Decimal("1.0000000000000000")))
        for one in found
    ]
    assert statement_hash(padded, account_id=ANN, period_id=Q1) == own  # as a column pads it
    assert len(own) == 64
    others = {
        statement_hash(found[::-1], account_id=ANN, period_id=Q1),
        statement_hash(found[:1], account_id=ANN, period_id=Q1),
        statement_hash((), account_id=ANN, period_id=Q1),
        statement_hash(found, account_id=ANN, period_id=PeriodId("Q2")),
        statement_hash(
            (msgspec.structs.replace(found[0], earned=Decimal("40.01")), found[1]),
            account_id=ANN,
            period_id=Q1,
        ),
    }
    assert len(others) == 5 and own not in others
