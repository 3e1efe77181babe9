"""What each share of a deal is worth, to the last digit: shares sum exactly to the deal."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from schemas.messages import DealChanged, Role, Split, SplitRole
from schemas.money import MINOR_UNITS, ZERO, RoundingMode, exact, rounded

_MINOR_UNIT_ELSE = 2


class Share(NamedTuple):
    """A direct share or an overlay of a deal, in the deal's currency; nobody owns it: no key."""

    payee_key: str | None
    role: Role
    amount: Decimal


def shares(deal: DealChanged) -> list[Share]:
    """The shares of a deal with an amount: the splits, or the owner for all of it; then overlays.

    Splits are rounded half-even per deal line to the precision of the line's amount, at least the
    currency's minor unit; the remainder goes to the share that takes it, else to the last.
    """
    assert deal.amount is not None
    if not deal.splits:
        return [Share(deal.owner_key, Role.OWNER, exact(deal.amount))]
    splits = [split for split in deal.splits if split.role is SplitRole.SPLIT]
    overlays = [split for split in deal.splits if split.role is SplitRole.OVERLAY]
    lines = [(exact(text), _places(text, deal.currency)) for text in _line_amounts(deal)]
    direct = _splits(splits, lines) if splits else [_owner(deal)]
    return [*direct, *(_overlay(overlay, lines) for overlay in overlays)]


def _owner(deal: DealChanged) -> Share:
    return Share(deal.owner_key, Role.OWNER, exact(deal.amount or "0"))


def _line_amounts(deal: DealChanged) -> Iterator[str]:
    """The amounts of the lines; a deal without lines is one line."""
    yield from (line.amount for line in deal.lines) if deal.lines else (deal.amount or "0",)


def _places(text: str, currency: str | None) -> int:
    """The precision of an amount, at least its currency's minor unit."""
    return max(len(text.partition(".")[2]), MINOR_UNITS.get(currency or "", _MINOR_UNIT_ELSE))


def _splits(splits: list[Split], lines: list[tuple[Decimal, int]]) -> list[Share]:
    takers = [index for index, split in enumerate(splits) if split.takes_remainder]
    taker = takers[0] if takers else len(splits) - 1
    amounts = [_worth(split, lines) for split in splits]
    others = sum((amount for index, amount in enumerate(amounts) if index != taker), ZERO)
    amounts[taker] = sum((amount for amount, _ in lines), ZERO) - others
    return [
        Share(split.payee_key, Role.SPLIT, amount)
        for split, amount in zip(splits, amounts, strict=True)
    ]


def _overlay(overlay: Split, lines: list[tuple[Decimal, int]]) -> Share:
    return Share(overlay.payee_key, Role.OVERLAY, _worth(overlay, lines))


def _worth(split: Split, lines: list[tuple[Decimal, int]]) -> Decimal:
    """The share of each line, rounded by itself, summed."""
    share = exact(split.share)
    worth = (
        rounded(amount * share, mode=RoundingMode.HALF_EVEN, places=places)
        for amount, places in lines
    )
    return sum(worth, ZERO)
