"""A worker, its log and a clockwork that decides who takes the next step: no Kafka, no database.

Each worker runs the product's own batch protocol on a thread of its own and stops at every call of
a port. Exactly one thread moves at a time, as the test says, so a run is the list of its choices
and comes out the same each time it is played.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from domain.reference import Reference
from schemas.cloudevents import read_headers
from schemas.messages import BINDINGS, Message
from schemas.state import BatchFacts
from schemas.transaction import Aborted, Fenced
from streams import facts as encoder
from streams.batch import BatchProtocol
from streams.ports import Outgoing, Record, Slice
from tests.memory import MemoryStore

TOPIC = "deals"
PATIENCE_S = 60


class Crash(BaseException):
    """kill -9: nothing of the worker runs on."""


class MemoryLog:
    """The deals topic, what the group has committed, and everything that was ever published."""

    def __init__(self, partitions: int) -> None:
        self.records: dict[int, list[Record]] = {p: [] for p in range(partitions)}
        self.acknowledged = dict.fromkeys(range(partitions), 0)
        self.published: list[Outgoing] = []
        self.generation = 0
        self.owners: dict[int, str] = {}

    def send(self, partition: int, message: Message) -> None:
        headers = [("ce_type", BINDINGS[type(message)].type.encode())]
        at = self.records[partition]
        at.append(Record(len(at), b"k", msgspec.json.encode(message), headers))

    def ends(self) -> dict[int, int]:
        return {partition: len(records) for partition, records in self.records.items()}

    def ids(self) -> dict[tuple[str, str], list[Outgoing]]:
        """All that was published, by topic and event id."""
        found: dict[tuple[str, str], list[Outgoing]] = defaultdict(list)
        for record in self.published:
            id_ = dict(record.headers)["ce_id"].decode()
            found[record.topic, id_].append(record)
        return found


class Worker:
    """The steps of streams/deals.py one after another; `pause` is where others may come between."""

    def __init__(self, name: str, store: MemoryStore, log: MemoryLog) -> None:
        self.name = name
        self.step = "start"  # where it stands
        self.has_ended = False
        self.faults: dict[str, Exception] = {}
        self.sizes: Sequence[int] = (3, 3)  # records of each batch prepared ahead
        self._store, self._log = store, log
        self._protocol = BatchProtocol(store, TOPIC)
        self._generation: int | None = None
        self._parts: list[int] = []
        self._read_to: dict[int, int] = {}
        self._noted: dict[int, int] = {}  # as published_to
        self._go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._is_dead = False
        self._failed: BaseException | None = None
        self._thread: threading.Thread | None = None

    # ---- moved by the test ----

    def move(self) -> None:
        """Let it run to its next pause."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._live, name=self.name, daemon=True)
            self._thread.start()
        if self.has_ended:
            return
        self._go.release()
        assert self._stands.acquire(timeout=PATIENCE_S), f"{self.name} hangs behind {self.step}"
        if self._failed is not None:
            raise self._failed

    def kill(self) -> None:
        """It ends where it stands; its transaction is rolled back."""
        self._is_dead = True
        if self._thread is not None:
            self.move()

    def pause(self, step: str) -> None:
        """Called on its own thread."""
        self.step = step
        self._stands.release()
        self._go.acquire()
        if self._is_dead:
            raise Crash
        if step in self.faults:
            raise self.faults.pop(step)

    def _live(self) -> None:
        self._go.acquire()
        try:
            while not self._is_dead:
                self.round()
                self.pause("round")
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 (whatever it is, the test's thread raises it)
            self._failed = error
        finally:
            self.has_ended = True
            self._stands.release()

    # ---- what it does ----

    def round(self) -> None:
        """Follow the assignment, book and publish up to two batches, note, acknowledge."""
        try:
            self._follow()
            if self._parts:
                self._book()
        except Fenced:
            self._generation = None
        except Aborted:  # of a note or a claim: the product tries again, and so does the next round
            self._generation = None

    def _follow(self) -> None:
        log = self._log
        if log.generation == self._generation:
            return
        generation = log.generation
        self._parts = [p for p, owner in log.owners.items() if owner == self.name]
        if self._parts:
            self._noted = {}
            self._protocol.claimed(self._store.claim(self._parts, self.name))
            again = self._store.unpublished(dict(self._protocol.published_to))
            reference = self._protocol.reference()
            for facts in again:
                self._publish(facts, reference, again=True)
            self._protocol.published_to.update(self._protocol.expected)
            self._read_to = {p: log.acknowledged[p] for p in self._parts}
        self._generation = generation

    def _book(self) -> None:
        taken = [self._take(size) for size in self.sizes]
        prepared = [self._protocol.prepare(slices) for slices in taken if slices]
        for one in prepared:
            if not one.group.items:
                continue
            for committed in self._protocol.transact(one):
                self._publish(committed.facts, committed.reference)
                self._protocol.published_to.update(committed.nexts)
            if self._protocol.lost_partitions:
                raise Fenced("another worker holds them")
        published = dict(self._protocol.published_to)
        if published == self._noted:
            return
        self._protocol.note_published(self._parts)
        self._noted = published
        self._store.at("acknowledge")
        if self._log.generation == self._generation:
            self._log.acknowledged.update(published)

    def _take(self, most: int) -> list[Slice]:
        found = []
        for partition in self._parts:
            since = self._read_to[partition]
            records = self._log.records[partition][since : since + most]
            if records:
                found.append(Slice(partition, records, self._generation or 0, since))
                self._read_to[partition] = since + len(records)
        return found

    def _publish(self, facts: BatchFacts, reference: Reference, *, again: bool = False) -> None:
        for record in encoder.outgoing(facts, reference, again=again):
            self._store.at("publish")
            self._log.published.append(record)
        self._store.at("mark")
        self._log.published.append(encoder.mark(facts, {}, 1))


def told(record: Outgoing) -> dict[str, Any]:
    """What a record says, without what differs when it is published again."""
    found: dict[str, Any] = msgspec.json.decode(record.value)
    assert read_headers(record.headers).type
    return {name: value for name, value in found.items() if name != "is_replay"}
