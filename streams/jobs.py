"""What runs once in an installation runs here, in the worker that holds the lease.

The holder renews well before the lease ends, and in every transaction in which a job writes; when
it finds that it lost the lease it stops at once and waits for it like any other worker.
"""

import datetime as dt
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog
from prometheus_client import Counter, Gauge

from db import alerts as alert_rows
from db import leases, turnstile
from db import relay as relay_rows
from db.connect import Connection, connect
from db.installation import NotInstalled
from db.leases import Lease, LeaseLost
from schemas import limits
from schemas.settings import DatabaseRole, Settings
from streams.alerts import Alerts
from streams.business import Business
from streams.freezing import Freezing
from streams.holding import Holding, Job
from streams.outbound import Outbound
from streams.pacing import Pacing
from streams.relay import Reaccruing, Recrediting, Relay
from streams.standings import Standings
from streams.ticks import Ticks

log = structlog.get_logger()

LEASE: Final = "jobs"
RENEW_S: Final = limits.LEASE_SECONDS / 3
PAUSE_S: Final = limits.JOB_PAUSE_MS / 1_000

HOLDS_LEASE: Final = Gauge("paceboard_holds_lease", "1 where this worker runs the leased jobs.")
FAILURES: Final = Counter("paceboard_job_failures", "Steps of leased jobs that failed.", ["job"])


class AlertOutbox:
    """Publishes alerts in the order they were written; remembers which rows it has sent."""

    name = "alert_outbox"
    pause_s = PAUSE_S

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    def step(self, holding: Holding) -> bool:
        """Send one page; a crash before it is noted sends it again, by the same ids."""
        page = alert_rows.unsent(holding.conn, limits.RELAY_ROWS_MAX)
        if page:
            self._outbound.publish([message for _, message in page])
            ids = [id_ for id_, _ in page]
            holding.write(lambda: alert_rows.note_sent(holding.conn, ids))
        return len(page) == limits.RELAY_ROWS_MAX


class OldChunks:
    """Drops what is older than its retention of the histories that are not money; rarely."""

    name = "old_chunks"
    pause_s = limits.OLD_CHUNKS_EVERY_SECONDS

    def step(self, holding: Holding) -> bool:
        """Drop them."""
        before = dt.datetime.now(dt.UTC) - dt.timedelta(days=limits.HISTORY_DAYS)
        for history in ("progress_history", "alert_events"):
            relay_rows.drop_old(holding.conn, history, before)
        return False


class Seals:
    """Seals the past when a question waits; `wanted` looks for one. Nothing asks yet."""

    name = "seals"
    pause_s = float(limits.SEAL_SECONDS_MIN)

    def __init__(self, wanted: Callable[[Connection], bool] = lambda conn: False) -> None:
        self._wanted = wanted

    def step(self, holding: Holding) -> bool:
        """One look."""
        if self._wanted(holding.conn):
            turnstile.seal(holding.conn)
        return False


def standard_jobs(settings: Settings, outbound: Outbound, conn: Connection) -> tuple[Job, ...]:
    """All leased jobs of a worker, on the connection of their thread."""
    moments, pacing = Business(conn), Pacing(conn)
    return (
        Relay(outbound),
        Freezing(),
        Ticks(Standings(conn, outbound, moments, pacing), Alerts(conn, moments, pacing)),
        AlertOutbox(outbound),
        Reaccruing(outbound, settings, moments),
        Recrediting(outbound, settings),
        Seals(),
        OldChunks(),
    )


@dataclass
class _Pace:
    """When a job's next step may be."""

    failures: int = 0
    not_before: float = 0.0


class Jobs:
    """Runs the jobs whenever this worker holds the lease."""

    def __init__(
        self,
        settings: Settings,
        outbound: Outbound,
        *,
        make: Callable[[Settings, Outbound, Connection], Sequence[Job]] = standard_jobs,
        owner: str | None = None,
    ) -> None:
        self._settings = settings
        self._outbound = outbound
        self._make = make
        self.owner = owner or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. Survives a lost connection and a lost lease; gives the lease back."""
        while not stop.is_set():
            try:
                with closing(self._connect()) as conn:
                    self._run_connected(conn, stop)
            except psycopg.Error as error:
                log.warning("jobs_connection_lost", error=str(error))
                stop.wait(RENEW_S)
            except Exception:  # a worker without its jobs would look well and do half its work
                log.exception("jobs_failed")
                stop.wait(RENEW_S)

    def _connect(self) -> Connection:
        return connect(
            self._settings, DatabaseRole.WORKER, application_name="paceboard jobs", autocommit=True
        )

    def _run_connected(self, conn: Connection, stop: threading.Event) -> None:
        while not stop.is_set():
            lease = leases.take(conn, LEASE, self.owner)
            if lease is None:
                stop.wait(RENEW_S)
                continue
            log.info("lease_taken", owner=self.owner, token=lease.token)
            HOLDS_LEASE.set(1)
            try:
                self._run_held(conn, lease, stop)
                leases.release(conn, lease)
            except LeaseLost as lost:
                log.warning("lease_lost", owner=self.owner, why=str(lost))
            finally:
                HOLDS_LEASE.set(0)

    def _run_held(self, conn: Connection, lease: Lease, stop: threading.Event) -> None:
        holding = Holding(conn, lease)
        jobs = [(job, _Pace()) for job in self._make(self._settings, self._outbound, conn)]
        renewed_at = time.monotonic()
        while not stop.is_set():
            is_busy = False
            for job, pace in jobs:
                if time.monotonic() - renewed_at > RENEW_S:
                    leases.renew(conn, lease)
                    renewed_at = time.monotonic()
                is_busy = self._step(job, pace, holding) or is_busy
            if not is_busy:
                stop.wait(PAUSE_S)

    def _step(self, job: Job, pace: _Pace, holding: Holding) -> bool:
        """One step; a job that fails is tried again after a growing pause, the others go on."""
        if time.monotonic() < pace.not_before:
            return False
        try:
            is_busy = job.step(holding)
        except (LeaseLost, psycopg.OperationalError):
            raise
        except NotInstalled:
            is_busy = False
        except Exception:
            pace.failures += 1
            pause = min(
                limits.JOB_BACKOFF_SECONDS * 2.0 ** (pace.failures - 1),
                limits.JOB_BACKOFF_SECONDS_MAX,
            )
            pace.not_before = time.monotonic() + pause
            FAILURES.labels(job.name).inc()
            log.exception("job_failed", job=job.name, again_in_s=pause)
            return False
        pace.failures = 0
        pace.not_before = 0.0 if is_busy else time.monotonic() + job.pause_s
        return is_busy
