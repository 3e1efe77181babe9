"""Locks that were asked for over HTTP, each on a thread of the process that was asked.

docs/decisions/0024 says why nothing of it needs to be remembered.
"""

import threading
from typing import NamedTuple

import structlog
from psycopg import Error

from api.period_lock import (
    DrainTimedOut,
    FreezeTimedOut,
    LockRefused,
    Progress,
    lock_period,
)
from db.connect import connect
from schemas.settings import DatabaseRole, Settings

log = structlog.get_logger(__name__)


class Attempt(NamedTuple):
    """A lock that was asked for here: under way, or ended with a problem."""

    progress: Progress | None
    problem: str | None


class PeriodLocks:
    """The locks that this process runs, one at a time for a period."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._attempts: dict[str, Attempt] = {}

    def attempt(self, period_id: str) -> Attempt | None:
        """What is known here of the last attempt."""
        return self._attempts.get(period_id)

    def begin(self, period_id: str, actor: str) -> bool:
        """Lock it on a thread of its own; False when one is under way."""
        with self._guard:
            last = self._attempts.get(period_id)
            if last is not None and last.progress is not None:
                return False
            self._attempts[period_id] = Attempt(Progress("draining", 0, 1), None)
        threading.Thread(
            target=self._run, args=(period_id, actor), name=f"lock {period_id}", daemon=True
        ).start()
        return True

    def _run(self, period_id: str, actor: str) -> None:
        try:
            with connect(
                self._settings,
                DatabaseRole.API,
                application_name="paceboard lock",
                autocommit=True,
            ) as connection:
                lock_period(
                    connection,
                    self._settings,
                    period_id,
                    actor=actor,
                    watch=lambda progress: self._note(period_id, Attempt(progress, None)),
                )
        except (LockRefused, DrainTimedOut, FreezeTimedOut) as error:
            self._note(period_id, Attempt(None, str(error)))
        except Error as error:
            log.warning("lock.database", period=period_id, error=type(error).__name__)
            self._note(period_id, Attempt(None, "The database went away; ask for it again."))
        except BaseException:
            self._note(period_id, Attempt(None, "It failed here; the log says why."))
            raise
        else:
            with self._guard:
                self._attempts.pop(period_id, None)

    def _note(self, period_id: str, attempt: Attempt) -> None:
        with self._guard:
            self._attempts[period_id] = attempt
