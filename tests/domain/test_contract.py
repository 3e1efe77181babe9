"""The contract of a deal beyond its schema, and the digest of its content."""

from typing import Any

import msgspec
import pytest

from domain.contract import check, content_digest
from schemas.messages import (
    DealChanged,
    DealLine,
    DealStatus,
    Milestone,
    MilestoneKind,
    RefusalCode,
)
from tests.domain.builders import at, day, deal, split


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"closed_on": None, "closed_at": at("2024-02-01T10:00:00+00:00")},
        {"status": DealStatus.OPEN, "closed_on": None, "amount": None, "currency": None},
        {"lines": (DealLine(amount="4000.5"), DealLine(amount="-0.50"))},  # 4,000.0 is 4,000.00
        {"splits": (split("A", "0.3"), split("B", "0.70"), split("A", "1", "overlay"))},
        {"splits": (split("A", "0.25", "overlay"),)},  # the owner has the deal
        # U+0000 written out is six ordinary characters
        {"name": "a \\u0000 that is written out"},
    ],
)
def test_a_good_deal_is_not_refused(changes: dict[str, Any]) -> None:
    assert check(deal(**changes)) is None


@pytest.mark.parametrize(
    ("changes", "code", "where"),
    [
        ({"splits": (split("A", "0.3"), split("B", "0.6999"))}, "splits_do_not_sum", "splits"),
        ({"splits": (split("A", "0.5"), split("A", "0.5"))}, "breaks_contract", "splits"),
        (
            {
                "splits": (
                    split("A", "0.5", remainder=True),
                    split("B", "0.5", remainder=True),
                )
            },
            "breaks_contract",
            "splits",
        ),
        ({"lines": (DealLine(amount="3999.99"),)}, "lines_do_not_sum", "lines"),
        (
            {"amount": None, "status": DealStatus.OPEN, "lines": (DealLine(amount="1"),)},
            "lines_do_not_sum",
            "lines",
        ),
        ({"closed_on": None}, "won_without_date", "closed_on"),
        ({"amount": None}, "won_without_amount", "amount"),
        ({"currency": None}, "won_without_amount", "currency"),
        ({"closed_on": day("1989-12-31")}, "date_out_of_range", "closed_on"),
        ({"changed_on": day("2101-01-01")}, "date_out_of_range", "changed_on"),
        ({"closed_at": at("2101-01-01T00:00:00+00:00")}, "date_out_of_range", "closed_at"),
        (
            {"milestones": (Milestone(kind=MilestoneKind.PAID, on=day("1900-01-01")),)},
            "date_out_of_range",
            "milestones[0].on",
        ),
        ({"closed_at": at("2024-02-01T10:00:00")}, "breaks_contract", "closed_at"),
        ({"amount": "1234567890123456"}, "breaks_contract", "amount"),
        ({"amount": "1.0000001"}, "breaks_contract", "amount"),
        ({"deal_id": "17"}, "breaks_contract", "deal_id"),
        ({"name": "nul \0 in a name"}, "breaks_contract", "text"),
        ({"attributes": {"a": "\0"}}, "breaks_contract", "text"),
    ],
)
def test_refuses_with_a_code_and_the_place(changes: dict[str, Any], code: str, where: str) -> None:
    refusal = check(deal(**changes))
    assert refusal is not None
    assert (refusal.code, refusal.where) == (RefusalCode(code), where)
    assert refusal.problem


def decoded(text: str) -> DealChanged:
    return msgspec.json.decode(text, type=DealChanged)


COMMON = '"source":"crm","key":"1","deal_id":"crm:1","revision":1,"changed_on":"2024-02-01"'


def test_the_order_of_keys_does_not_change_the_content() -> None:
    one = decoded(f'{{{COMMON},"status":"won","amount":"1.0","attributes":{{"a":1,"b":"x"}}}}')
    two = decoded(f'{{"attributes":{{"b":"x","a":1}},"amount":"1.0","status":"won",{COMMON}}}')
    assert content_digest(one) == content_digest(two)


def test_the_notation_of_an_instant_does_not_change_the_content() -> None:
    one = decoded(f'{{{COMMON},"status":"won","closed_at":"2024-02-01T10:00:00Z"}}')
    two = decoded(f'{{{COMMON},"status":"won","closed_at":"2024-02-01T12:00:00+02:00"}}')
    assert content_digest(one) == content_digest(two)


@pytest.mark.parametrize(
    "changes", [{"amount": "4000.0"}, {"revision": 2}, {"owner_key": "BOB"}, {"name": "x"}]
)
def test_another_content_has_another_digest(changes: dict[str, Any]) -> None:
    """The precision of an amount is content: splits are rounded to it."""
    assert content_digest(deal()) != content_digest(msgspec.structs.replace(deal(), **changes))
