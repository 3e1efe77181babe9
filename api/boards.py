"""A board as people see it: the newest standing, with names. No pay, ever.

Its version is that of the standing. Before there is one, the people of the board are listed with
their quotas and without ranks, under version 0.
"""

from decimal import Decimal

import msgspec

from api import periods
from api.curves import Shapes
from api.world import World
from db import boards as rows
from db import standings
from db.connect import Connection
from domain.exact import exact_arithmetic
from schemas.ids import PayeeId, PeriodId
from schemas.live import BoardRow, BoardState
from schemas.messages import StandingRow, StandingsChanged
from schemas.money import ZERO, exact, ratio, text_of
from schemas.reference import Board, Period


class BoardAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A board and its version; of two answers the greater version is the newer."""

    version: int
    board: BoardState


def answer(connection: Connection, world: World, shapes: Shapes, board: Board) -> BoardAnswer:
    """Call it in one REPEATABLE READ transaction, with the world of the same."""
    found = rows.standing(connection, board.board_id)
    standing = found.standing
    if standing is None or world.reference.period(PeriodId(standing.period)) is None:
        with exact_arithmetic():
            return BoardAnswer(version=0, board=_without_facts(connection, world, shapes, board))
    return BoardAnswer(version=found.version, board=_board(world, board, standing))


def _without_facts(
    connection: Connection, world: World, shapes: Shapes, board: Board
) -> BoardState:
    period = periods.current(world)
    assert period is not None, "an installation has periods"
    expected = shapes.expected(connection, world, period)
    standing_rows = tuple(_unranked(world, board, period))
    quotas = [exact(row.quota) for row in standing_rows if row.quota is not None]
    return _board(
        world,
        board,
        StandingsChanged(
            board_id=board.board_id,
            version=0,
            period=period.period_id,
            business_date=world.today,
            complete_through=standings.complete_through(connection),
            expected_share=text_of(expected.share) if expected else None,
            curve=expected.curve if expected else None,
            total_amount="0",
            total_quota=text_of(sum(quotas, ZERO)) if quotas else None,
            currency=world.reference.currency,
            rows=standing_rows,
            removed=(),
            why=("no facts yet",),
            is_replay=False,
        ),
    )


def _unranked(world: World, board: Board, period: Period) -> list[StandingRow]:
    found = []
    for payee_id in sorted(world.people):
        person = world.reference.person_on(PayeeId(payee_id), world.today)
        if person is None or person.role not in board.roles:
            continue
        quota = world.reference.quota_of(person.payee_id, period.period_id)
        found.append(
            StandingRow(
                payee_id=payee_id,
                rank=None,
                moved=None,
                amount="0",
                quota=None if quota is None else text_of(quota),
                attainment_ratio=None,
                gap_to_next=None,
            )
        )
    return found


def _board(world: World, board: Board, standing: StandingsChanged) -> BoardState:
    return BoardState(
        board_id=board.board_id,
        name=board.name,
        measure=board.measure.value,
        stamps=periods.stamps(
            world,
            standing.period,
            complete_through=standing.complete_through,
            currency=standing.currency,
        ),
        business_date=standing.business_date,
        moved_since=f"start of {periods.day_in_words(standing.business_date)}",
        expected_share=standing.expected_share,
        curve=standing.curve,
        total_amount=standing.total_amount,
        total_quota=standing.total_quota,
        total_ratio=_ratio(standing.total_amount, standing.total_quota),
        rows=tuple(_row(world, row) for row in standing.rows),
    )


def _row(world: World, row: StandingRow) -> BoardRow:
    return BoardRow(
        payee_id=row.payee_id,
        name=world.name_of(row.payee_id),
        territory=world.territory_of(row.payee_id),
        rank=row.rank,
        moved=row.moved,
        amount=row.amount,
        quota=row.quota,
        attainment_ratio=row.attainment_ratio,
        gap_to_next=row.gap_to_next,
    )


def _ratio(amount: str, quota: str | None) -> str | None:
    whole = Decimal(0) if quota is None else exact(quota)
    return text_of(ratio(exact(amount), whole)) if whole > 0 else None
