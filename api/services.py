"""What handlers work with: made once per application, found through the request."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from starlette.requests import HTTPConnection

from api import config
from api.curves import Shapes
from api.feed import Feed
from api.hub import Hub
from api.idempotency import Idempotency
from api.import_runs import ImportRuns
from api.livefeed import Live
from api.lock_runs import PeriodLocks
from api.metrics import Metrics
from api.outbound import Deals
from api.postings import Postings
from api.rates import Rates
from api.statements import Locks
from api.views import Views
from api.world import Worlds
from db.connect import AWAY, Pool, pool
from schemas import limits
from schemas.settings import DatabaseRole, Settings

log = structlog.get_logger(__name__)

APPLICATION: Final = "paceboard api"


class Services:
    """The parts of one application."""

    def __init__(self, settings: Settings, deals: Deals) -> None:
        self.settings = settings
        self.session_key = settings.session_key
        self.is_demo = config.is_demo(settings)
        self.deals = deals
        self.metrics = Metrics()
        self.shapes = Shapes()
        self.pool: Pool = pool(settings, DatabaseRole.API, application_name=APPLICATION)
        self.worlds = Worlds(self.pool)
        self.views = Views(self.pool)
        self.budgets = config.budgets(settings)
        self.rates = Rates(self.budgets, self.session_key)
        self.idempotency = Idempotency(self.pool)
        self.postings = Postings(self.pool)
        self.locks = Locks()
        self.imports = ImportRuns(settings, self.pool, self.worlds)
        self.period_locks = PeriodLocks(settings)
        self.readers = ThreadPoolExecutor(limits.LIVE_READERS_MAX, thread_name_prefix="live")
        self.live = Live(self.worlds, self.shapes, self.readers)
        self.feed = Feed(settings, self.hub, self.live.teams_of)
        self.metrics.watch(
            gauges={
                "paceboard_live": self._live_gauges,
                "paceboard_database": self._pool_gauges,
            },
            counters={"paceboard_live": lambda: vars(self.hub.counts)},
        )

    @property
    def hub(self) -> Hub:
        """Who watches what."""
        return self.live.hub

    def last_words(self) -> None:
        """Write down what still waits, if the database is there."""
        self.imports.stop()
        try:
            self.postings.write()
        except AWAY as error:
            log.warning("postings.lost", error=type(error).__name__)

    def close(self) -> None:
        """Give back threads and connections."""
        self.readers.shutdown(wait=False, cancel_futures=True)
        self.pool.close()

    def _live_gauges(self) -> dict[str, float]:
        return {
            "connections": self.hub.connections(),
            "channels": len(self.hub.watched()),
            "feed_connected": float(self.feed.is_connected),
        }

    def _pool_gauges(self) -> dict[str, float]:
        found = self.pool.get_stats()
        names = ("pool_size", "pool_available", "requests_waiting")
        return {name: float(found.get(name, 0)) for name in names}


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application that got this request."""
    services: Services = connection.app.state.services
    return services
