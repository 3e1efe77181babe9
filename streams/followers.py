"""What follows `progress`: standings and alerts, each on a thread and a connection of its own.

`follow` is called with what was taken from the topic, one call at a time; when it returns, the
records may be acknowledged. What it does is idempotent, so after a lost connection or a broker that
did not answer it is simply done again, with nothing remembered.
"""

import time
from collections.abc import Callable, Sequence

import psycopg
import structlog

from db.connect import Connection, connect
from db.installation import NotInstalled
from schemas import limits
from schemas.messages import ProgressChanged
from schemas.settings import DatabaseRole, Settings
from streams.alerts import Alerts
from streams.business import Business
from streams.outbound import Outbound, PublishFailed
from streams.standings import Standings

log = structlog.get_logger()

Follow = Callable[[Sequence[ProgressChanged]], object]


class Follower:
    """Keeps what `make` gives for a connection, and makes it anew when the connection is lost."""

    def __init__(self, settings: Settings, name: str, make: Callable[[Connection], Follow]) -> None:
        self._settings = settings
        self._name = name
        self._make = make
        self._conn: Connection | None = None
        self._follow: Follow | None = None

    def follow(self, progress: Sequence[ProgressChanged]) -> None:
        """Do what there is to do. Raises what still stands after FOLLOW_RETRIES_MAX tries."""
        for tries in range(limits.FOLLOW_RETRIES_MAX + 1):
            try:
                self._opened()(progress)
                return
            except NotInstalled:
                return  # nobody has progress yet; the leased job makes the first boards
            except (psycopg.Error, PublishFailed) as error:
                self.close()
                if tries == limits.FOLLOW_RETRIES_MAX:
                    raise
                pause = min(
                    limits.FOLLOW_BACKOFF_SECONDS * 2**tries, limits.JOB_BACKOFF_SECONDS_MAX
                )
                log.warning(f"{self._name}_again", why=str(error), pause_s=pause)
                time.sleep(pause)

    def close(self) -> None:
        """Give the connection back; the next use opens another."""
        conn, self._conn, self._follow = self._conn, None, None
        if conn is not None:
            conn.close()

    def _opened(self) -> Follow:
        if self._follow is None:
            self._conn = connect(
                self._settings,
                DatabaseRole.WORKER,
                application_name=f"paceboard {self._name}",
                autocommit=True,
            )
            self._follow = self._make(self._conn)
        return self._follow


def standings_follower(settings: Settings, outbound: Outbound) -> Follower:
    """Standings of a worker. Call `follow(())` once at the start: all boards are dirty then."""
    return Follower(
        settings, "standings", lambda conn: Standings(conn, outbound, Business(conn)).follow
    )


def alerts_follower(settings: Settings) -> Follower:
    """Alerts of a worker; a start's evaluation of all accounts is the leased job's."""
    return Follower(settings, "alerts", lambda conn: Alerts(conn, Business(conn)).on_progress)
