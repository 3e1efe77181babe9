"""Deals of a file put aside on disk: read once and checked, then tried and sent from here.

Whatever the order of the rows, a page has all revisions of its deals, so that each deal is tried
once. What is kept in memory is a number a row.
"""

import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from schemas.messages import DealChanged

_HEAD: Final = struct.Struct(">II")
_BUFFER_BYTES: Final = 1 << 20


class Kept(NamedTuple):
    """A deal and the row it came from."""

    row: int
    deal: DealChanged


class Spool:
    """A temporary file; use it as a context manager."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=_BUFFER_BYTES)  # noqa: SIM115 -- closed below
        self._decoder = msgspec.json.Decoder(DealChanged)
        self._first: dict[int, int] = {}  # hash of a deal's id -> place of its first row
        self._again: dict[int, list[int]] = {}  # the places of deals that come more than once
        self._end = 0
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, row: int, deal: DealChanged, value: bytes) -> None:
        """Put a deal aside; `value` is it, encoded."""
        mark = hash(deal.deal_id)
        first = self._first.setdefault(mark, self._end)
        if first != self._end:
            self._again.setdefault(mark, [first]).append(self._end)
        self._file.write(_HEAD.pack(row, len(value)))
        self._file.write(value)
        self._end += _HEAD.size + len(value)
        self.count += 1

    def deals(self) -> Iterator[Kept]:
        """Every deal, in the file's order."""
        for _, kept in self._all():
            yield kept

    def pages(self, rows_max: int) -> Iterator[list[Kept]]:
        """Every deal once; all revisions of a deal on one page, in the file's order.

        A page has at least `rows_max` rows, but for the last, and more only to hold a deal whole.
        """
        page: list[Kept] = []
        apart = {place for places in self._again.values() for place in places}
        for place, kept in self._all():
            if place not in apart:
                page.append(kept)
            if len(page) >= rows_max:
                yield page
                page = []
        for places in self._again.values():
            page += [self._at(place) for place in places]
            if len(page) >= rows_max:
                yield page
                page = []
        if page:
            yield page

    def _all(self) -> Iterator[tuple[int, Kept]]:
        self._file.flush()
        place = 0
        while place < self._end:
            self._file.seek(place)
            row, size = _HEAD.unpack(self._file.read(_HEAD.size))
            yield place, Kept(row, self._decoder.decode(self._file.read(size)))
            place += _HEAD.size + size

    def _at(self, place: int) -> Kept:
        self._file.seek(place)
        row, size = _HEAD.unpack(self._file.read(_HEAD.size))
        return Kept(row, self._decoder.decode(self._file.read(size)))
