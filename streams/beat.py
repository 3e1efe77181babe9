"""Whether a worker still turns: a gauge that its event loop sets every second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import Gauge

BEAT: Final = Gauge("paceboard_beat_timestamp_seconds", "When the event loop last had its turn.")
_EVERY_S: Final = 1.0


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """While inside, the gauge is at most about a second old, unless the loop is held up."""
    task = asyncio.create_task(_beat())
    try:
        yield
    finally:
        task.cancel()


async def _beat() -> None:
    while True:
        BEAT.set_to_current_time()
        await asyncio.sleep(_EVERY_S)
