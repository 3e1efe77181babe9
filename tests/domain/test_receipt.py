"""Receipts: the parts of all deals are the statement, and a sentence says how each comes about."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain import accounts
from domain.exact import exact_arithmetic
from domain.receipt import Part, receipt, sentence
from domain.statements import lines
from schemas.ids import DealId
from tests.domain.builders import Books, company, day, deal

SAMPLE = company()
ANN = "ann.FY24"
amounts = st.decimals(
    min_value=Decimal("-20000"), max_value=Decimal("20000"), places=3, allow_nan=False
)


def receipts(books: Books, keys: list[str]) -> dict[str, tuple[Part, ...]]:
    credits = books.in_force(ANN)
    with exact_arithmetic():
        terms = accounts.terms_of(books.accounts[ANN], books.reference)  # type: ignore[index]
        return {key: receipt(DealId(f"crm:{key}"), credits, terms) for key in keys}


@given(
    st.lists(
        st.tuples(amounts, st.dates(day("2024-01-01"), day("2024-06-29"))), min_size=1, max_size=12
    )
)
def test_the_parts_of_all_deals_are_the_lines_of_the_statements(
    given_: list[tuple[Decimal, object]],
) -> None:
    """Each line of each period is one part, with its money; slices sum to the exact pay."""
    books = Books(SAMPLE)
    keys = [str(index) for index, _ in enumerate(given_)]
    books.batch(
        *(
            deal(key=key, amount=format(amount, "f"), closed_on=on)
            for key, (amount, on) in zip(keys, given_, strict=True)
        )
    )
    by_period = defaultdict(list)
    for credit in books.in_force(ANN):
        by_period[credit.origin_period].append(credit)
    with exact_arithmetic():
        terms = accounts.terms_of(books.accounts[ANN], books.reference)  # type: ignore[index]
        expected = {
            (line.credit_id, line.component, line.earned)
            for credits in by_period.values()
            for line in lines(credits, terms)
        }
        parts = [part for found in receipts(books, keys).values() for part in found]
        assert {
            (part.credit.credit_id, part.component.component, part.earned) for part in parts
        } == expected
        for part in parts:
            assert part.after - part.before == part.credit.amount
            assert sum(one.credited for one in part.slices) == part.credit.amount
            assert part.exact + part.rounding == part.earned
            assert abs(part.rounding) <= Decimal("0.01")


def test_a_sentence_says_the_rate_and_the_rounding() -> None:
    """One rate, two rates, a share moved by the rounding of the total, a credit of nothing."""
    books = Books(SAMPLE)
    books.batch(
        deal(key="1", amount="6000.00"),
        deal(key="2", amount="6000.00"),
        deal(key="3", amount="0.40"),
        deal(key="4", amount="0"),
    )
    found = receipts(books, ["1", "2", "3", "4"])
    assert [sentence(parts[0]) for parts in found.values()] == [
        "6,000.00 is paid at 1 %: 60.00.",
        "Of 6,000.00, 4,000.00 at 1 % and 2,000.00 at 2 %: 80.00.",
        "0.40 is paid at 2 %: 0.008, which is 0.01 once the period's total is rounded to 2 places "
        "(half to even).",
        "Nothing is credited, so nothing is paid.",
    ]
