"""Freezing: after a period's lock each of its accounts gets its statement, written once.

The lock decides what belongs to the statement: what was booked under a lower reference version than
its own. So freezing may take its time, start again anywhere, and gives the same.
"""

from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import Counter

from db import periods, reference
from db import statements as rows
from db.connect import Connection
from db.periods import Lock
from domain.deriving import StatementMismatch, derive
from domain.exact import exact_arithmetic
from domain.reference import Reference
from schemas import limits
from schemas.ids import AccountId, PeriodId
from schemas.statements import Statement
from streams.holding import Holding

log = structlog.get_logger()

MISMATCHES: Final = Counter(
    "paceboard_statement_mismatches", "Statements whose lines and entries do not sum to the same."
)
FROZEN: Final = Counter("paceboard_statements_frozen", "Statements frozen.")
NO_ACCOUNT: Final = AccountId("")


class Freezing:
    """Freezes locked periods in calendar order, a page of accounts a step."""

    name = "freezing"
    pause_s = limits.JOB_PAUSE_MS / 1_000

    def __init__(self) -> None:
        self._frozen: set[PeriodId] = set()
        self._reference: Reference | None = None

    def step(self, holding: Holding) -> bool:
        """One page of the earliest period that is not frozen. Raises StatementMismatch."""
        for lock in periods.locks(holding.conn):
            if lock.period_id not in self._frozen:
                return self._freeze(holding, lock)
        return False

    def _freeze(self, holding: Holding, lock: Lock) -> bool:
        period, most = lock.period_id, limits.FREEZE_ACCOUNTS_MAX
        accounts = rows.to_freeze(holding.conn, period, NO_ACCOUNT, most)
        if not accounts:
            self._frozen.add(period)
            return True
        statements, problems = derived(
            holding.conn, lock, self._as_of(holding.conn, lock), accounts
        )
        if statements:
            differing = holding.write(
                lambda: rows.freeze(holding.conn, statements, locked_at=lock.known_at)
            )
            assert not differing, f"{period}: frozen otherwise before: {', '.join(differing)}"
            FROZEN.inc(len(statements))
            log.info("statements_frozen", period=period, statements=len(statements))
        if problems:
            MISMATCHES.inc(len(problems))
            raise StatementMismatch("; ".join(problems))
        return True

    def _as_of(self, conn: Connection, lock: Lock) -> Reference:
        """The reference data of the lock: what was booked before it was booked under these."""
        if self._reference is None or self._reference.version != lock.reference_version:
            self._reference = Reference(reference.read(conn, known_at=lock.known_at))
        return self._reference


def derived(
    conn: Connection, lock: Lock, known: Reference, accounts: Sequence[AccountId]
) -> tuple[list[Statement], list[str]]:
    """Those accounts' statements as the lock found them, and what is wrong with the others."""
    period = known.period(lock.period_id)
    assert period is not None
    earlier = [row.period_id for row in known.rows.periods if row.starts_on < period.starts_on]
    found: list[Statement] = []
    problems: list[str] = []
    for basis in rows.bases(
        conn, lock.period_id, accounts, earlier=earlier, before_version=lock.reference_version
    ):
        try:
            with exact_arithmetic():
                found.append(derive(basis, known))
        except StatementMismatch as mismatch:
            problems.append(str(mismatch))
            log.error("statement_mismatch", account=basis.account_id, problem=str(mismatch))
    return found, problems
