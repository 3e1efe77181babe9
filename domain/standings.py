"""Standings: who stands where on a board, and which rows changed."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from schemas.ids import PayeeId
from schemas.messages import StandingRow
from schemas.money import ratio, text_of
from schemas.reference import BoardMeasure


class Contender(NamedTuple):
    """A payee on a board, with what he has credited in its period and his quota there."""

    payee_id: PayeeId
    amount: Decimal
    quota: Decimal | None


class Changed(NamedTuple):
    """Rows that are new or differ, in the board's order, and who is no longer on it."""

    rows: tuple[StandingRow, ...]
    removed: tuple[PayeeId, ...]


def rank(
    contenders: Iterable[Contender],
    measure: BoardMeasure,
    opening_ranks: Mapping[PayeeId, int] | None = None,
) -> tuple[StandingRow, ...]:
    """The rows of a board, best first. Who ties shares a rank (1, 1, 3), ordered by payee id.

    By attainment, who has no quota (or one of zero) has no rank and stands last. `opening_ranks`
    are those of the start of the business day: `moved` is opening minus now, up is positive.
    Equality is that of the ratio shown, to six places.
    """
    scored = [(contender, _score(contender, measure)) for contender in contenders]
    ranked = [(contender, score) for contender, score in scored if score is not None]
    ranked.sort(key=lambda row: (-row[1], row[0].payee_id))
    unranked = sorted(contender for contender, score in scored if score is None)
    rows = _ranked_rows(ranked, opening_ranks or {})
    return (*rows, *(_row(contender, None, None, None) for contender in unranked))


def changed(old: Sequence[StandingRow], new: Sequence[StandingRow]) -> Changed:
    """What a subscriber who has the old rows must be told."""
    before = {row.payee_id: row for row in old}
    rows = tuple(row for row in new if before.pop(row.payee_id, None) != row)
    return Changed(rows, tuple(PayeeId(payee_id) for payee_id in sorted(before)))


def attainment_ratio(contender: Contender) -> Decimal | None:
    """Credited amount against quota; no quota, no ratio."""
    if contender.quota is None or contender.quota <= 0:
        return None
    return ratio(contender.amount, contender.quota)


def _score(contender: Contender, measure: BoardMeasure) -> Decimal | None:
    return contender.amount if measure is BoardMeasure.AMOUNT else attainment_ratio(contender)


def _ranked_rows(
    ranked: Sequence[tuple[Contender, Decimal]], opening_ranks: Mapping[PayeeId, int]
) -> list[StandingRow]:
    rows: list[StandingRow] = []
    place, gap, last = 0, None, None
    for position, (contender, score) in enumerate(ranked, start=1):
        if score != last:
            place, gap, last = position, None if last is None else last - score, score
        opening = opening_ranks.get(contender.payee_id)
        rows.append(_row(contender, place, opening and opening - place, gap))
    return rows


def _row(
    contender: Contender, place: int | None, moved: int | None, gap: Decimal | None
) -> StandingRow:
    attained = attainment_ratio(contender)
    return StandingRow(
        payee_id=contender.payee_id,
        rank=place,
        moved=moved,
        amount=text_of(contender.amount),
        quota=None if contender.quota is None else text_of(contender.quota),
        attainment_ratio=None if attained is None else text_of(attained),
        gap_to_next=None if gap is None else text_of(gap),
    )
