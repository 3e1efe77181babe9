"""Ranks on a board: ties 1-1-3, movement since the start of the day, gaps to the next."""

from decimal import Decimal

import pytest

from domain.standings import Contender, changed, rank
from schemas.ids import PayeeId
from schemas.messages import StandingRow
from schemas.reference import BoardMeasure

AMOUNT, ATTAINMENT = BoardMeasure.AMOUNT, BoardMeasure.ATTAINMENT


def contender(name: str, amount: str, quota: str | None = "1000") -> Contender:
    return Contender(PayeeId(name), Decimal(amount), Decimal(quota) if quota else None)


def shown(rows: tuple[StandingRow, ...]) -> list[tuple[str, int | None, str | None]]:
    return [(row.payee_id, row.rank, row.gap_to_next) for row in rows]


@pytest.mark.parametrize(
    ("contenders", "measure", "rows"),
    [
        (
            [("cy", "300"), ("al", "500"), ("bo", "500"), ("di", "250")],
            AMOUNT,
            [("al", 1, None), ("bo", 1, None), ("cy", 3, "200"), ("di", 4, "50")],
        ),
        (  # a tie below the top has the gap to what is above both
            [("cy", "300"), ("al", "500"), ("bo", "300")],
            AMOUNT,
            [("al", 1, None), ("bo", 2, "200"), ("cy", 2, "200")],
        ),
        (
            [("al", "500", "1000"), ("bo", "400", "500"), ("cy", "900", None), ("di", "0", "10")],
            ATTAINMENT,  # by attainment, who has no quota has no rank and stands last
            [("bo", 1, None), ("al", 2, "0.300000"), ("di", 3, "0.500000"), ("cy", None, None)],
        ),
        (
            [("al", "500", "0"), ("bo", "-20", "500")],
            ATTAINMENT,
            [("bo", 1, None), ("al", None, None)],
        ),
        ([("al", "500", None), ("bo", "900", None)], AMOUNT, [("bo", 1, None), ("al", 2, "400")]),
        ([], ATTAINMENT, []),
    ],
)
def test_ranks(
    contenders: list[tuple[str, ...]],
    measure: BoardMeasure,
    rows: list[tuple[str, int | None, str | None]],
) -> None:
    everyone = [contender(*one) for one in contenders]
    assert shown(rank(everyone, measure)) == rows
    assert shown(rank(everyone[::-1], measure)) == rows


def test_moved_is_opening_minus_now() -> None:
    everyone = [contender("al", "500"), contender("bo", "900"), contender("cy", "100")]
    rows = rank(everyone, AMOUNT, {PayeeId("al"): 1, PayeeId("bo"): 3})
    assert [(row.payee_id, row.moved) for row in rows] == [("bo", 2), ("al", -1), ("cy", None)]


def test_a_row_shows_amount_quota_and_attainment_and_no_pay() -> None:
    (row,) = rank([contender("al", "999.9999", "1000.00")], ATTAINMENT)
    assert (row.amount, row.quota, row.attainment_ratio) == ("999.9999", "1000.00", "0.999999")


def test_only_what_changed_is_told() -> None:
    old = rank([contender("al", "500"), contender("bo", "400"), contender("cy", "300")], AMOUNT)
    new = rank([contender("al", "500"), contender("bo", "450"), contender("di", "10")], AMOUNT)
    told = changed(old, new)
    assert [row.payee_id for row in told.rows] == ["bo", "di"]
    assert told.removed == ("cy",)
    assert changed(new, new) == ((), ())
