"""The hub in its world: readings on threads, heartbeats, the sweep for lost hints.

Every LIVE_REFERENCE_SECONDS it is asked whether reference data, users, the timeline or the business
date have changed; then who watches is judged again. Every LIVE_SWEEP_SECONDS, and after such a
change, the versions of all watched channels are read in one query: what is newer than what watchers
have is read.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

import structlog
from psycopg import Error
from psycopg_pool import PoolTimeout

from api import access, channels
from api.curves import Shapes
from api.hub import ChannelState, Hub, Ports
from api.sessions import Session
from api.world import World, Worlds
from db.installation import NotInstalled
from schemas import limits
from schemas.ids import PayeeId
from schemas.live import CloseCode, Heartbeat, Unwatched

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Live:
    """One hub, and what keeps it true."""

    def __init__(self, worlds: Worlds, shapes: Shapes, readers: Executor) -> None:
        self._worlds = worlds
        self._shapes = shapes
        self._readers = readers
        self._world: World | None = None
        self._judged: World | None = None  # by which who watches was judged last
        self._looked_at = 0.0
        self._is_booking = True
        self._swept_at = 0.0
        self.hub = Hub(Ports(self._read, self.may_watch, _unwatched))

    async def world(self) -> World:
        """The world as it is now; raises what the database raises."""
        world = await self._on_thread(self._worlds.current)
        self._looked_at = time.monotonic()
        if self._world is None or not _is_older(world, self._world):
            self._world = world
        return self._world

    async def beat(self) -> None:
        """Heartbeats until cancelled. None while the database does not answer: numbers that cannot
        change must not look live."""
        while True:
            await asyncio.sleep(limits.LIVE_HEARTBEAT_SECONDS)
            real = dt.datetime.now(dt.UTC)
            self.hub.expire(real)
            is_fresh = time.monotonic() - self._looked_at < limits.LIVE_SWEEP_SECONDS
            if self._world is not None and is_fresh:
                clock = self._world.now.at(real).frame
                beat = Heartbeat(clock=clock, is_booking=self._is_booking)
                self.hub.beat(channels.encoded(beat))

    async def sweep(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(limits.LIVE_REFERENCE_SECONDS)
            try:
                await self.look()
            except (Error, PoolTimeout, NotInstalled) as error:
                log.warning("live.sweep_failed", error=type(error).__name__)
            except Exception:  # who may watch must be judged again, whatever broke this look
                log.exception("live.sweep_broken")

    async def look(self) -> None:
        """One look: who may watch, whether anybody books, and whether a hint was lost."""
        before, world = self._judged, await self.world()
        self._judged = world
        self._is_booking = await self._on_thread(self._worlds.is_booking)
        if before is not None and before.timeline != world.timeline:
            self.hub.close_all(CloseCode.GOING_AWAY)
        has_changed = before is None or _rights(before) != _rights(world)
        if has_changed:
            self.hub.reauthorise()
        if has_changed or time.monotonic() - self._swept_at >= limits.LIVE_SWEEP_SECONDS:
            await self._compare()

    async def _compare(self) -> None:
        self._swept_at = time.monotonic()
        names = self.hub.watched()
        if not names:
            return
        _, versions = await self._on_thread(lambda: channels.versions(self._worlds, names))
        for name, version in versions.items():
            held = self.hub.version_of(name)
            if held is not None and version > held:
                self.hub.hint(name)

    async def _read(self, name: str) -> ChannelState | None:
        return await self._on_thread(lambda: channels.read(self._worlds, self._shapes, name))

    def may_watch(self, session: Session, name: str) -> bool:
        """By the newest world that was read."""
        return self._world is not None and access.may_watch(session, name, self._world)

    def teams_of(self, payee_id: str) -> tuple[str, ...]:
        """Whose teams a payee is in today, his own among them."""
        if self._world is None:
            return ()
        above = self._world.reference.managers_above(PayeeId(payee_id), self._world.today)
        return (payee_id, *above)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)


def _is_older(world: World, than: World) -> bool:
    """Readings on several threads may end in another order than they began."""
    mine, other = world.reference.version, than.reference.version
    return world.timeline == than.timeline and mine < other


def _rights(world: World) -> object:
    """What decides who may watch."""
    return world.reference.version, world.today, world.users, world.timeline


def _unwatched(channel: str, reason: str) -> str:
    return channels.encoded(Unwatched(channel=channel, reason=reason))
