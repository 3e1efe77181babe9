"""Standings: boards as a function of the positions, recomputed when something may have moved them.

    standings.mark(progress)             boards of those payees become dirty
    standings.recompute_due(now)         at most every BOARD_RECOMPUTE_MS_MIN a board: lock its row,
                                         one query, next version, commit; then publish what changed
    ... until standings.is_settled      only now acknowledge the progress

A record carries the rows that changed since the last version known to be on the topic; where a
version may not be there (its worker died before it was acknowledged), all rows. So whoever reads
the topic in order and drops what is older than what he has misses nothing. More rows than a record
holds come in several records of one version.
"""

import datetime as dt
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog
from prometheus_client import Gauge

from db import retries
from db import standings as boards
from db.connect import Connection
from db.standings import BoardState
from domain.exact import exact_arithmetic
from domain.reference import Reference
from domain.standings import Contender, changed, rank
from schemas import limits
from schemas.ids import AccountId, BoardId, PayeeId
from schemas.messages import ProgressChanged, StandingRow, StandingsChanged
from schemas.money import ZERO, text_of
from schemas.reference import Board, Period
from streams.attained import attained
from streams.business import Moment, Moments
from streams.facts import progress_changed
from streams.outbound import Outbound
from streams.pacing import Pacing

log = structlog.get_logger()

WHY_START: Final = "start"
WHY_NEW_DAY: Final = "new business day"
WHY_REFERENCE: Final = "reference data changed"
WHY_COMPLETE: Final = "a source is complete further on"
RECOMPUTE_S_MIN: Final = limits.BOARD_RECOMPUTE_MS_MIN / 1_000

ROWS_CUT: Final = Gauge(
    "paceboard_board_rows_cut", "Rows beyond the most a board shows, as computed last.", ["board"]
)


@dataclass
class _Dirt:
    """Why a board must be computed again; a replay as long as every cause is one."""

    why: set[str] = field(default_factory=set)
    is_replay: bool = True

    def add(self, why: str, *, is_replay: bool) -> None:
        self.why.add(why)
        self.is_replay = self.is_replay and is_replay


class Standings:
    """One per thread and connection; several may work on the same boards."""

    def __init__(
        self,
        conn: Connection,
        outbound: Outbound,
        moments: Moments,
        pacing: Pacing | None = None,
    ) -> None:
        self._conn = conn
        self._outbound = outbound
        self._moments = moments
        self._pacing = pacing or Pacing(conn)
        self._dirty: dict[BoardId, _Dirt] = {}
        self._all_dirty: _Dirt | None = _Dirt({WHY_START})
        self._computed_at: dict[BoardId, float] = {}
        self._versions: dict[AccountId, int] = {}
        self._looked_at: tuple[object, object, object] | None = None
        self._without_period: dict[BoardId, dt.date] = {}  # said on that business day
        self._cut: dict[BoardId, int] = {}

    # ---- what makes boards dirty ----

    def mark(self, progress: Iterable[ProgressChanged]) -> tuple[AccountId, ...]:
        """Mark the boards those payees stand on; the accounts whose older state came later.

        The last record on a compacted topic should be the newest: hand them to `republish`.
        """
        outdated: dict[AccountId, None] = {}
        moment: Moment | None = None
        for state in progress:
            account = AccountId(state.account_id)
            if state.version < self._versions.get(account, 0):
                outdated[account] = None
                continue
            outdated.pop(account, None)
            self._versions[account] = state.version
            moment = moment or self._moments()
            for board_id in _boards_of(state, moment):
                dirt = self._dirty.setdefault(board_id, _Dirt())
                dirt.add(state.cause.value, is_replay=state.is_replay)
        return tuple(outdated)

    def mark_all(self, why: str, *, is_replay: bool = False) -> None:
        """Mark every board."""
        self._all_dirty = self._all_dirty or _Dirt()
        self._all_dirty.add(why, is_replay=is_replay)

    def look(self) -> None:
        """Mark every board when the business day, reference data or a source's stamp has moved."""
        moment = self._moments()
        if moment.period is None:
            self._say_without_period(moment)
        now = moment.today, moment.reference.version, boards.complete_through(self._conn)
        before, self._looked_at = self._looked_at, now
        if before is None:
            return
        for was, is_, why in zip(
            before, now, (WHY_NEW_DAY, WHY_REFERENCE, WHY_COMPLETE), strict=True
        ):
            if was != is_:
                self.mark_all(why)

    def _say_without_period(self, moment: Moment) -> None:
        """Once per board and business day; only the leased job looks."""
        for board in moment.reference.rows.boards:
            if self._without_period.get(board.board_id) != moment.today:
                self._without_period[board.board_id] = moment.today
                log.info("board_without_period", board=board.board_id, day=str(moment.today))

    def republish(self, accounts: Sequence[AccountId]) -> None:
        """Put the present state of accounts on `progress` again, as a replay."""
        if not accounts:
            return
        reference = self._moments().reference
        messages = [
            progress_changed(
                state,
                reference,
                batch=batch,
                booked_at=state.booked_at,
                is_replay=True,
            )
            for state, batch in boards.accounts_with_batches(self._conn, accounts)
            if state.booked_at is not None
        ]
        self._outbound.publish(messages, is_replay=True)
        log.info("progress_republished", accounts=len(messages))

    # ---- what becomes of it ----

    def follow(self, progress: Sequence[ProgressChanged]) -> None:
        """All of it: mark, put right, compute, publish. When it returns, acknowledge."""
        self.republish(self.mark(progress))
        while not self.is_settled:
            time.sleep(self.due_in(time.monotonic()))
            self.recompute_due(time.monotonic())

    @property
    def is_settled(self) -> bool:
        """Whether all that was marked is computed and published."""
        return self._all_dirty is None and not self._dirty

    def due_in(self, now: float) -> float:
        """Seconds until something is due; 0 where it is already, BOARD_RECOMPUTE at rest."""
        if self._all_dirty is not None:
            return 0.0
        waits = (self._wait(board_id, now) for board_id in self._dirty)
        return max(0.0, min(waits, default=RECOMPUTE_S_MIN))

    def recompute_due(self, now: float) -> tuple[BoardId, ...]:
        """Compute and publish the dirty boards that are due; `now` in seconds, monotonic.

        A board stays dirty when it raises. Raises PublishFailed and psycopg.Error.
        """
        if self.is_settled:
            return ()
        moment = self._moments()
        by_id = {board.board_id: board for board in moment.reference.rows.boards}
        self._spread(by_id)
        due = [board_id for board_id in self._dirty if self._wait(board_id, now) <= 0]
        for board_id in due:
            if board_id in by_id:
                self._recompute(by_id[board_id], moment, self._dirty[board_id])
            self._computed_at[board_id] = now
            del self._dirty[board_id]
        return tuple(due)

    def _wait(self, board_id: BoardId, now: float) -> float:
        computed_at = self._computed_at.get(board_id)
        return 0.0 if computed_at is None else computed_at + RECOMPUTE_S_MIN - now

    def _spread(self, board_ids: Iterable[BoardId]) -> None:
        if self._all_dirty is None:
            return
        for board_id in board_ids:
            dirt = self._dirty.setdefault(board_id, _Dirt())
            for why in self._all_dirty.why:
                dirt.add(why, is_replay=self._all_dirty.is_replay)
        self._all_dirty = None

    def _recompute(self, board: Board, moment: Moment, dirt: _Dirt) -> None:
        period = moment.period
        if period is None:
            return  # `look` says so
        with exact_arithmetic():
            message = retries.run(self._conn, lambda: self._step(board, period, moment, dirt))
        if message is not None:
            self._outbound.publish(_records(message), is_replay=message.is_replay)
            boards.note_published(self._conn, board.board_id, message.version)

    def _step(
        self, board: Board, period: Period, moment: Moment, dirt: _Dirt
    ) -> StandingsChanged | None:
        """Within the transaction: the board's new state, and what is to be published of it."""
        state = boards.lock(self._conn, board.board_id)
        contenders = self._contenders(board, period, moment)
        opening = _opening_ranks(state, period, moment)
        if opening is None:
            opening = _ranks(rank(contenders, board.measure))
        rows = self._cut_off(board, rank(contenders, board.measure, opening))
        fresh = self._standing(board, period, moment, state, contenders, rows, dirt)
        old = state.standing
        if old is not None and _content(old) == _content(fresh):
            # Nothing new; say it again where the last version may never have been said.
            unsaid = state.published_version < state.version
            return msgspec.structs.replace(old, is_replay=True) if unsaid else None
        boards.write(
            self._conn,
            board.board_id,
            state._replace(
                version=fresh.version,
                period_id=period.period_id,
                business_date=moment.today,
                opening_ranks=opening,
                standing=fresh,
            ),
        )
        if state.published_version < state.version or old is None or old.period != fresh.period:
            return fresh
        return msgspec.structs.replace(fresh, rows=changed(old.rows, fresh.rows).rows)

    def _cut_off(self, board: Board, rows: tuple[StandingRow, ...]) -> tuple[StandingRow, ...]:
        """The rows that a board shows; how many it does not is said when the number changes."""
        cut = max(0, len(rows) - limits.BOARD_ROWS_MAX)
        ROWS_CUT.labels(board.board_id).set(cut)
        if cut and cut != self._cut.get(board.board_id):
            log.warning(
                "board_rows_cut", board=board.board_id, cut=cut, rows_max=limits.BOARD_ROWS_MAX
            )
        self._cut[board.board_id] = cut
        return rows[: limits.BOARD_ROWS_MAX]

    def _standing(
        self,
        board: Board,
        period: Period,
        moment: Moment,
        state: BoardState,
        contenders: Sequence[Contender],
        rows: tuple[StandingRow, ...],
        dirt: _Dirt,
    ) -> StandingsChanged:
        """The board as it is now, with all its rows and the version it would have."""
        quotas = [contender.quota for contender in contenders if contender.quota is not None]
        expected = self._pacing.expected(moment.reference, period, moment.today)
        return StandingsChanged(
            board_id=board.board_id,
            version=state.version + 1,
            period=period.period_id,
            business_date=moment.today,
            complete_through=boards.complete_through(self._conn),
            expected_share=text_of(expected.share) if expected else None,
            curve=expected.curve if expected else None,
            total_amount=text_of(sum((one.amount for one in contenders), ZERO)),
            total_quota=text_of(sum(quotas, ZERO)) if quotas else None,
            currency=moment.reference.currency,
            rows=rows,
            removed=_removed(state, rows),
            why=tuple(sorted(dirt.why)),
            is_replay=dirt.is_replay,
        )

    def _contenders(self, board: Board, period: Period, moment: Moment) -> list[Contender]:
        """Who is in service on that day in one of the board's roles, each once."""
        reference, credited = moment.reference, attained(self._conn, moment.reference, period)
        return [
            Contender(
                payee_id,
                credited.get(payee_id, ZERO),
                reference.quota_of(payee_id, period.period_id),
            )
            for payee_id in _eligible(board, reference, moment)
        ]


def _boards_of(state: ProgressChanged, moment: Moment) -> list[BoardId]:
    """The boards that a change may have moved. One that names no period may be of any."""
    period = moment.period
    if state.payee_id is None or period is None:
        return []
    if state.changed_periods and period.period_id not in state.changed_periods:
        return []
    person = moment.reference.person_on(PayeeId(state.payee_id), moment.today)
    rows = moment.reference.rows.boards
    return [board.board_id for board in rows if person and person.role in board.roles]


def _eligible(board: Board, reference: Reference, moment: Moment) -> list[PayeeId]:
    payees = sorted({person.payee_id for person in reference.rows.people})
    in_service = ((payee, reference.person_on(payee, moment.today)) for payee in payees)
    return [payee for payee, person in in_service if person and person.role in board.roles]


def _opening_ranks(state: BoardState, period: Period, moment: Moment) -> dict[PayeeId, int] | None:
    """Ranks at the start of the business day: those of the last standing of the day before.

    None for the first standing of a period: nobody has moved yet.
    """
    if state.period_id != period.period_id or state.standing is None:
        return None
    if state.business_date == moment.today:
        return state.opening_ranks or {}
    return _ranks(state.standing.rows)


def _ranks(rows: Iterable[StandingRow]) -> dict[PayeeId, int]:
    return {PayeeId(row.payee_id): row.rank for row in rows if row.rank is not None}


def _removed(state: BoardState, rows: Iterable[StandingRow]) -> tuple[str, ...]:
    """Who is no longer on the board, as far as a reader of the topic may not know it yet."""
    if state.standing is None:
        return ()
    gone = {row.payee_id for row in state.standing.rows}
    if state.published_version < state.version:
        gone.update(state.standing.removed)
    return tuple(sorted(gone - {row.payee_id for row in rows}))


def _records(message: StandingsChanged) -> list[StandingsChanged]:
    """A change of many rows goes out in several records of one version."""
    most = limits.STANDING_ROWS_MAX
    return [
        msgspec.structs.replace(message, rows=message.rows[first : first + most])
        for first in range(0, max(len(message.rows), 1), most)
    ]


def _content(standing: StandingsChanged) -> StandingsChanged:
    """What a board says, without which version says it and why."""
    return msgspec.structs.replace(standing, version=0, removed=(), why=(), is_replay=False)
