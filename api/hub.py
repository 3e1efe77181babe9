"""The live hub: who watches what, and what is newest. Pure asyncio; it knows no socket and no SQL.

A hint says "there is something newer than this". The hub then reads the channel's state once for
all who watch it; at most one reading a channel is in flight, and hints that come meanwhile make one
more reading, not many. A state is sent only when its version is greater than the one held, so
versions never go back, whatever order hints arrive in. A reader has one slot a channel: a newer
state replaces one that has not been sent, so a slow reader costs a bounded amount.
"""

import asyncio
import datetime as dt
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple

import structlog

from api.sessions import Session
from schemas import limits
from schemas.live import CloseCode

log = structlog.get_logger(__name__)

GONE: Final = "It does not exist, or you may not see it."


class ChannelState(NamedTuple):
    """A channel as the database has it: what is sent, and up to where it reaches."""

    version: int
    frame: str
    covers: Mapping[str, int]  # {subject of a hint: version}; a hint at or below brings nothing new


class Closed(Exception):
    """The mailbox was closed: why."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code.name)
        self.code = code


class Mailbox:
    """What one reader has still to be sent: notices in order, one newest state a channel."""

    def __init__(self) -> None:
        self._notices: deque[str] = deque()
        self._states: dict[str, str] = {}
        self._closed: CloseCode | None = None
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._notices) + len(self._states)

    def put_notice(self, frame: str) -> None:
        """Sent in order, before states. Who lets too many pile up reads too slowly."""
        if len(self._notices) >= limits.LIVE_NOTICES_QUEUED_MAX:
            self.close(CloseCode.TOO_SLOW)
        else:
            self._notices.append(frame)
            self._wake.set()

    def put_state(self, channel: str, frame: str) -> bool:
        """Replaces what has not been sent of that channel; whether it replaced something."""
        replaced = channel in self._states
        self._states[channel] = frame
        self._wake.set()
        return replaced

    def drop_state(self, channel: str) -> None:
        """What has not been sent of a channel is no longer wanted."""
        self._states.pop(channel, None)

    def close(self, code: CloseCode) -> None:
        """The first reason counts; whoever waits for the next frame learns it at once."""
        if self._closed is None:
            self._closed = code
            self._wake.set()

    async def next(self) -> str:
        """The next frame to send. Raises Closed."""
        while True:
            if self._closed is not None:
                raise Closed(self._closed)
            if self._notices:
                return self._notices.popleft()
            if self._states:
                return self._states.pop(next(iter(self._states)))
            self._wake.clear()
            await self._wake.wait()


class Subscriber:
    """One connection as the hub sees it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.mailbox = Mailbox()
        self.channels: set[str] = set()


class Ports(NamedTuple):
    """What the hub needs of the world."""

    read: Callable[[str], Awaitable[ChannelState | None]]  # None: no such channel
    may_watch: Callable[[Session, str], bool]
    unwatched: Callable[[str, str], str]  # (channel, reason) -> frame


class Counts:
    """What happened, for /metrics."""

    def __init__(self) -> None:
        self.sent = 0
        self.replaced = 0  # a newer state took the place of one not sent yet
        self.readings = 0
        self.reading_failures = 0
        self.hints = 0
        self.hints_without_news = 0
        self.closed_slow = 0


class _Channel:
    def __init__(self) -> None:
        self.watchers: set[Subscriber] = set()
        self.state: ChannelState | None = None
        self.asked: dict[str, int | None] = {}
        self.task: asyncio.Task[None] | None = None


class Hub:
    """Channels, their watchers and their newest states."""

    def __init__(self, ports: Ports, *, pause_seconds: float | None = None) -> None:
        self._ports = ports
        self._pause = limits.LIVE_REBUILD_MS_MIN / 1_000 if pause_seconds is None else pause_seconds
        self._channels: dict[str, _Channel] = {}
        self._subscribers: set[Subscriber] = set()
        self._of_user: Counter[str] = Counter()
        self.counts = Counts()

    # ---- connections ----

    def join(self, subscriber: Subscriber) -> None:
        """A connection is there; it gets heartbeats."""
        self._subscribers.add(subscriber)
        self._of_user[subscriber.session.user_id] += 1

    def has_room(self, user_id: str) -> bool:
        """Whether one more connection of a user is taken."""
        return self._of_user[user_id] < limits.LIVE_SOCKETS_OF_USER_MAX

    def leave(self, subscriber: Subscriber) -> None:
        """A connection is gone, and all it watched with it."""
        if subscriber in self._subscribers:
            self._subscribers.discard(subscriber)
            self._of_user -= Counter((subscriber.session.user_id,))
        for channel in tuple(subscriber.channels):
            self.unwatch(subscriber, channel)

    def watch(self, subscriber: Subscriber, channel: str) -> None:
        """A snapshot will come, then newer versions. The caller has authorised it."""
        subscriber.channels.add(channel)
        known = self._channels.setdefault(channel, _Channel())
        known.watchers.add(subscriber)
        if known.state is not None:
            self._deliver(subscriber, channel, known.state)
        else:
            self._ask(channel, known, {"": None})

    def unwatch(self, subscriber: Subscriber, channel: str) -> None:
        """Nothing more of that channel. What nobody watches is not held: it would grow stale."""
        subscriber.channels.discard(channel)
        subscriber.mailbox.drop_state(channel)
        known = self._channels.get(channel)
        if known is None:
            return
        known.watchers.discard(subscriber)
        if not known.watchers:
            del self._channels[channel]
            if known.task is not None:
                known.task.cancel()

    def close_session(self, session_id: str) -> None:
        """Somebody signed out: his sockets end."""
        for subscriber in self._subscribers:
            if subscriber.session.session_id == session_id:
                subscriber.mailbox.close(CloseCode.SESSION_EXPIRED)

    def close_all(self, code: CloseCode) -> None:
        """Everybody is to connect again: the process ends, or the timeline is another."""
        for subscriber in self._subscribers:
            subscriber.mailbox.close(code)
        for known in self._channels.values():
            known.state = None

    # ---- news ----

    def is_watched(self, channel: str) -> bool:
        """Whether anybody wants hints of it."""
        return channel in self._channels

    def is_watched_kind(self, kind: str) -> bool:
        """Whether anybody watches a channel of that kind."""
        return any(channel.startswith(f"{kind}:") for channel in self._channels)

    def watched(self) -> tuple[str, ...]:
        """The channels somebody watches."""
        return tuple(self._channels)

    def connections(self) -> int:
        """How many connections there are."""
        return len(self._subscribers)

    def version_of(self, channel: str) -> int | None:
        """The version that watchers of a channel have; None while there is none."""
        known = self._channels.get(channel)
        return known.state.version if known and known.state else None

    def hint(self, channel: str, subject: str = "", version: int | None = None) -> None:
        """There may be something newer. Without a version it is read in any case."""
        known = self._channels.get(channel)
        if known is None:
            return
        self.counts.hints += 1
        if _is_covered(known.state, subject, version):
            self.counts.hints_without_news += 1
            return
        self._ask(channel, known, {subject: version})

    def beat(self, frame: str) -> None:
        """A heartbeat to all."""
        for subscriber in self._subscribers:
            subscriber.mailbox.put_state("", frame)

    def expire(self, now: dt.datetime) -> None:
        """Sockets whose session has run out end."""
        for subscriber in self._subscribers:
            if subscriber.session.expires_at <= now:
                subscriber.mailbox.close(CloseCode.SESSION_EXPIRED)

    def reauthorise(self) -> None:
        """Who may see what has changed: what is no longer allowed ends, with a word."""
        for subscriber in tuple(self._subscribers):
            for channel in tuple(subscriber.channels):
                if not self._ports.may_watch(subscriber.session, channel):
                    self.unwatch(subscriber, channel)
                    subscriber.mailbox.put_notice(self._ports.unwatched(channel, GONE))

    async def pump(
        self,
        subscriber: Subscriber,
        send: Callable[[str], Awaitable[None]],
        *,
        seconds: float | None = None,
    ) -> CloseCode:
        """Sends what the mailbox holds until it is closed; the code to close the socket with."""
        patience = limits.LIVE_SEND_SECONDS if seconds is None else seconds
        try:
            while True:
                frame = await subscriber.mailbox.next()
                async with asyncio.timeout(patience):
                    await send(frame)
                self.counts.sent += 1
        except Closed as closed:
            code = closed.code
        except TimeoutError:
            code = CloseCode.TOO_SLOW
        if code is CloseCode.TOO_SLOW:
            self.counts.closed_slow += 1
        return code

    # ---- readings ----

    def _ask(self, channel: str, known: _Channel, asked: Mapping[str, int | None]) -> None:
        known.asked.update(asked)
        if known.task is None:
            known.task = asyncio.create_task(self._read(channel, known))

    async def _read(self, channel: str, known: _Channel) -> None:
        """Reads until no hint is left that the newest state does not cover."""
        try:
            while known.asked and known.watchers:
                asked, known.asked = known.asked, {}
                if await self._read_once(channel, known):
                    known.asked = {
                        subject: version
                        for subject, version in known.asked.items()
                        if not _is_covered(known.state, subject, version)
                    }
                else:
                    known.asked = {**asked, **known.asked}
                    await asyncio.sleep(limits.LIVE_RETRY_SECONDS)
                await asyncio.sleep(self._pause)
        finally:
            known.task = None

    async def _read_once(self, channel: str, known: _Channel) -> bool:
        """Whether the world answered."""
        self.counts.readings += 1
        try:
            state = await self._ports.read(channel)
        except Exception as error:  # noqa: BLE001 - whatever the world broke by, we try again
            self.counts.reading_failures += 1
            log.warning("live.reading_failed", channel=channel, error=type(error).__name__)
            return False
        if state is None:
            self._end(channel, known.watchers)
        elif known.state is None or state.version > known.state.version:
            known.state = state
            for subscriber in known.watchers:
                self._deliver(subscriber, channel, state)
        return True

    def _end(self, channel: str, watchers: Iterable[Subscriber]) -> None:
        for subscriber in tuple(watchers):
            subscriber.mailbox.put_notice(self._ports.unwatched(channel, GONE))
            subscriber.channels.discard(channel)
            subscriber.mailbox.drop_state(channel)
        known = self._channels.pop(channel, None)
        if known is not None:
            known.watchers.clear()

    def _deliver(self, subscriber: Subscriber, channel: str, state: ChannelState) -> None:
        if subscriber.mailbox.put_state(channel, state.frame):
            self.counts.replaced += 1


def _is_covered(state: ChannelState | None, subject: str, version: int | None) -> bool:
    return state is not None and version is not None and state.covers.get(subject, -1) >= version
