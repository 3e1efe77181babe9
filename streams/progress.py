"""The progress loop: what standings and alerts of a worker follow, slice by slice."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from schemas import limits
from schemas.messages import ProgressChanged
from streams.faust_log import FaustReader
from streams.followers import Follower
from streams.ports import Slice, Stopped

log = structlog.get_logger()

_WAIT_S: Final = 0.5
_DECODER: Final = msgspec.json.Decoder(ProgressChanged)


class ProgressProcessor:
    """Hands what arrived to every follower, each on a thread of its own, then acknowledges."""

    def __init__(self, reader: FaustReader, followers: Sequence[Follower]) -> None:
        self._reader = reader
        self._followers = followers

    async def run(self) -> None:
        """Until stopped. Raises what a follower still meets after all its tries."""
        try:
            await self._follow([])  # after a start all boards are dirty
            with suppress(Stopped):
                while True:
                    await self._step()
        finally:
            for follower in self._followers:
                follower.close()

    async def _step(self) -> None:
        slices = await self._reader.take(limits.BATCH_RECORDS_MAX, wait_s=_WAIT_S)
        if not slices:
            return
        await self._follow(states_of(slices))
        ends = {part.partition: part.records[-1].offset + 1 for part in slices}
        await self._reader.acknowledge(ends, slices[0].assignment)

    async def _follow(self, states: Sequence[ProgressChanged]) -> None:
        await asyncio.gather(
            *(asyncio.to_thread(follower.follow, states) for follower in self._followers)
        )


def states_of(slices: Sequence[Slice]) -> list[ProgressChanged]:
    """The states in those slices. State topics are hints: one that cannot be read is logged."""
    states: list[ProgressChanged] = []
    for part in slices:
        for record in part.records:
            try:
                states.append(_DECODER.decode(record.value or b""))
            except msgspec.MsgspecError as error:
                log.warning(
                    "progress_unreadable",
                    partition=part.partition,
                    offset=record.offset,
                    why=str(error),
                )
    return states
