"""Standings on a real database: versions, ties, movement, eligibility, the day's turn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from db import boards
from db.connect import Connection
from db.reference import reference_change
from deploy.local.stack import Stack
from schemas import limits
from schemas.ids import BoardId
from schemas.messages import ProgressChanged, StandingsChanged
from schemas.settings import Settings
from streams.business import Business
from streams.followers import standings_follower
from streams.outbound import PublishFailed
from streams.standings import Standings
from tests.books import Books, Heard, emptied, set_day, won
from tests.database import ADA, BEN, FIRST, MEG, company, connected, copied

DAY = dt.date(2024, 2, 5)
NEXT_DAY = dt.date(2024, 2, 6)
BOARD = BoardId("sellers")


class Office:
    """A company on a day, its books, and standings that publish into `heard`."""

    def __init__(self, settings: Settings, conn: Connection, books: Books) -> None:
        self.settings = settings
        self.conn = conn
        self.books = books
        self.heard = Heard()
        self.standings = self.another()
        self.now = 0.0

    def another(self) -> Standings:
        """Standings as they are after a start, or in another worker."""
        return Standings(self.conn, self.heard, Business(self.conn))

    def settle(self, standings: Standings | None = None) -> list[StandingsChanged]:
        """Compute all that is dirty, throttled boards included; what was published."""
        standings = standings or self.standings
        self.now += 1
        standings.recompute_due(self.now)
        assert standings.is_settled
        return self.heard.of(StandingsChanged)

    def book(self, *deals: object, is_replay: bool = False) -> list[StandingsChanged]:
        self.standings.mark(self.books.book(*deals, is_replay=is_replay))  # type: ignore[arg-type]
        return self.settle()


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        yield given


@pytest.fixture
def office(settings: Settings) -> Iterator[Office]:
    emptied(settings)
    company(settings)
    set_day(settings, DAY)
    with connected(settings, "worker") as conn, closing(Books(settings)) as books:
        yield Office(settings, conn, books)


def ranks(board: StandingsChanged) -> dict[str, tuple[int | None, int | None]]:
    return {row.payee_id: (row.rank, row.moved) for row in board.rows}


def test_after_a_start_a_board_has_everybody_at_rank_one(office: Office) -> None:
    (board,) = office.settle()
    assert (board.version, board.period, board.business_date) == (1, FIRST, DAY)
    assert ranks(board) == {ADA: (1, 0), BEN: (1, 0)}  # Meg is a manager: not on this board
    assert board.total_quota == "200000"
    assert board.is_replay  # a start is nobody's achievement


def test_a_deal_moves_its_seller_and_only_changed_rows_are_published(office: Office) -> None:
    office.settle()
    (board,) = office.book(won("1", "25000.00", DAY))
    assert board.version == 2
    assert ranks(board) == {ADA: (1, 0), BEN: (2, -1)}
    ada = board.rows[0]
    assert (ada.amount, ada.attainment_ratio) == ("25000.00", "0.250000")
    assert board.rows[1].gap_to_next == "0.250000"
    assert (board.why, board.is_replay) == (("deal_credited",), False)
    (board,) = office.book(won("2", "5000.00", DAY, owner=BEN))
    assert ranks(board) == {BEN: (2, -1)}  # Ada's row is as it was
    assert board.total_amount == "30000.00"
    stored = boards.standing(office.conn, BOARD)
    assert stored.version == 3
    assert stored.standing is not None
    assert len(stored.standing.rows) == 2


def test_ties_share_a_rank(office: Office) -> None:
    office.settle()
    (board,) = office.book(won("1", "100.00", DAY), won("2", "100.00", DAY, owner=BEN))
    assert ranks(board) == {ADA: (1, 0), BEN: (1, 0)}


def test_progress_of_another_period_moves_no_board(office: Office) -> None:
    office.settle()
    assert office.book(won("1", "100.00", dt.date(2024, 5, 1))) == []


def test_a_replay_is_marked_and_one_live_cause_makes_it_live(office: Office) -> None:
    office.settle()
    (board,) = office.book(won("1", "100.00", DAY), is_replay=True)
    assert board.is_replay
    office.standings.mark(office.books.book(won("2", "100.00", DAY), is_replay=True))
    office.standings.mark(office.books.book(won("3", "100.00", DAY)))
    (board,) = office.settle()
    assert not board.is_replay


def test_a_board_is_computed_at_most_every_quarter_second(office: Office) -> None:
    office.settle()
    office.standings.mark(office.books.book(won("1", "100.00", DAY)))
    assert office.standings.recompute_due(office.now + 0.1) == ()
    assert not office.standings.is_settled
    assert 0 < office.standings.due_in(office.now + 0.1) <= 0.15
    assert office.standings.recompute_due(office.now + 0.25) == (BOARD,)
    assert office.standings.is_settled


def test_movement_is_since_the_start_of_the_business_day(office: Office) -> None:
    office.settle()
    office.book(won("1", "100.00", DAY))
    set_day(office.settings, NEXT_DAY)
    office.standings.look()  # the first look only remembers
    office.standings.mark_all("new business day")
    (board,) = office.settle()
    assert ranks(board) == {BEN: (2, 0)}  # as the day begins; Ada's row is as it was
    (board,) = office.book(won("2", "300.00", NEXT_DAY, owner=BEN))
    assert ranks(board) == {BEN: (1, 1), ADA: (2, -1)}
    # A start in the middle of the day does not forget where it began.
    again = office.another()
    assert office.settle(again) == []
    again.mark(office.books.book(won("3", "900.00", NEXT_DAY)))
    (board,) = office.settle(again)
    assert ranks(board) == {ADA: (1, 0), BEN: (2, 0)}


def test_looking_marks_boards_when_the_day_or_reference_data_move(office: Office) -> None:
    office.settle()
    office.standings.look()
    assert office.standings.is_settled
    set_day(office.settings, NEXT_DAY)
    office.standings.look()
    (board,) = office.settle()
    assert (board.business_date, board.why) == (NEXT_DAY, ("new business day",))
    with (
        connected(office.settings, "api") as conn,
        reference_change(conn, actor="test", action="set quota", entity=FIRST) as change,
    ):
        row = {"payee_id": BEN, "period_id": FIRST, "amount": Decimal(50_000)}
        change.put("quotas", [row])
    office.standings.look()
    (board,) = office.settle()
    assert (board.total_quota, board.why) == ("150000", ("reference data changed",))
    assert [row.payee_id for row in board.rows] == [BEN]


def test_a_source_moves_the_stamp_once_it_is_complete_in_every_partition(office: Office) -> None:
    (board,) = office.settle()
    assert board.complete_through is None
    office.standings.look()
    at = dt.datetime(2024, 2, 5, 12, tzinfo=dt.UTC)
    office.books.complete_through(at)
    office.standings.look()
    (board,) = office.settle()
    assert (board.complete_through, board.rows) == (at, ())


def test_who_leaves_is_removed_and_who_comes_stands_on_the_board(office: Office) -> None:
    office.settle()
    with (
        connected(office.settings, "api") as conn,
        reference_change(conn, actor="test", action="people", entity="people") as change,
    ):
        person = {"role": "rep", "starts_on": dt.date(2024, 1, 1)}
        change.put(
            "people",
            [{"payee_id": BEN, "name": "Ben", "ends_on": DAY, **person}],
        )
        change.put("people", [{"payee_id": "p-cy", "name": "Cy", **person}])
    office.standings.mark_all("reference data changed")
    (board,) = office.settle()
    assert board.removed == (BEN,)
    (cy,) = (row for row in board.rows if row.payee_id == "p-cy")
    assert (cy.rank, cy.quota, cy.attainment_ratio) == (None, None, None)  # no quota, no rank
    assert MEG not in {row.payee_id for row in board.rows}


def test_a_version_that_was_not_acknowledged_is_said_again_in_full(office: Office) -> None:
    office.settle()
    office.standings.mark(office.books.book(won("1", "100.00", DAY)))
    office.heard.failures = 1
    with pytest.raises(PublishFailed):
        office.standings.recompute_due(office.now + 1)
    assert not office.standings.is_settled  # so its progress is not acknowledged
    office.now += 1
    (board,) = office.settle()
    assert (board.version, board.is_replay) == (2, True)  # nothing new: the same version again
    assert ranks(board) == {ADA: (1, 0), BEN: (2, -1)}
    assert office.settle(office.another()) == []  # now it is known to be there


def test_after_a_version_that_may_be_lost_the_next_carries_all_rows(office: Office) -> None:
    office.settle()
    office.standings.mark(office.books.book(won("1", "100.00", DAY)))
    office.heard.failures = 1
    with pytest.raises(PublishFailed):
        office.standings.recompute_due(office.now + 1)
    other = office.another()
    other.mark(office.books.book(won("2", "5.00", DAY, owner=BEN)))
    (board,) = office.settle(other)
    assert board.version == 3
    assert {row.payee_id for row in board.rows} == {ADA, BEN}  # Ada's change is in it


def test_an_older_state_that_comes_later_is_put_right_on_the_topic(office: Office) -> None:
    (first,) = [state for state in office.books.book(won("1", "10.00", DAY)) if is_of(state, ADA)]
    (second,) = [state for state in office.books.book(won("2", "10.00", DAY)) if is_of(state, ADA)]
    assert office.standings.mark([second]) == ()
    outdated = office.standings.mark([first])
    assert outdated == (first.account_id,)
    office.standings.republish(outdated)
    (state,) = office.heard.of(ProgressChanged)
    assert (state.version, state.batch, state.is_replay) == (2, second.batch, True)
    assert state.positions == second.positions
    assert office.standings.mark([first, second]) == ()  # the newest is the last again


def is_of(state: ProgressChanged, payee_id: str) -> bool:
    return state.payee_id == payee_id


def test_nothing_is_computed_outside_of_all_periods(office: Office) -> None:
    set_day(office.settings, dt.date(2026, 1, 1))
    assert office.settle() == []


def test_a_follower_survives_a_lost_connection(office: Office) -> None:
    with closing(standings_follower(office.settings, office.heard)) as follower:
        follower.follow(())  # a start
        assert len(office.heard.of(StandingsChanged)) == 1
        with connected(office.settings, "owner") as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'paceboard standings'"
            )
        follower.follow(office.books.book(won("1", "100.00", DAY)))
        (board,) = office.heard.of(StandingsChanged)
        assert ranks(board) == {ADA: (1, 0), BEN: (2, -1)}


def test_many_rows_go_out_in_several_records_of_one_version(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STANDING_ROWS_MAX", 1)
    first, second = office.settle()
    assert first.version == second.version == 1
    assert [row.payee_id for row in (*first.rows, *second.rows)] == [ADA, BEN]


# ---- bounds that speak ----


def test_a_board_that_is_cut_says_so(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each number of rows that are not shown, and as a gauge."""
    monkeypatch.setattr(limits, "BOARD_ROWS_MAX", 1)
    with capture_logs() as said:
        (board,) = office.settle()
        office.book(won("1", "100.00", DAY))
    assert len(board.rows) == 1
    assert [line for line in said if line["event"] == "board_rows_cut"] == [
        {
            "event": "board_rows_cut",
            "log_level": "warning",
            "board": BOARD,
            "cut": 1,
            "rows_max": 1,
        }
    ]
    assert rows_cut() == 1
    monkeypatch.undo()
    office.standings.mark_all("test")
    office.settle()
    assert rows_cut() == 0


def rows_cut() -> float | None:
    return REGISTRY.get_sample_value("paceboard_board_rows_cut", {"board": BOARD})


def test_a_day_without_period_is_said_once_a_board(office: Office) -> None:
    with capture_logs() as said:
        for day in (dt.date(2031, 1, 1), dt.date(2031, 1, 1), dt.date(2031, 1, 2)):
            set_day(office.settings, day)
            office.standings.look()
            assert office.settle() == []
    days = [
        (line["log_level"], line["board"], line["day"])
        for line in said
        if line["event"] == "board_without_period"
    ]
    assert days == [("info", BOARD, "2031-01-01"), ("info", BOARD, "2031-01-02")]
