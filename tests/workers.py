"""Real workers on real topics, for tests: start, kill, restart, wait, read what they published."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from db import installation
from db.connect import Connection
from db.reference import reference_change
from ingest import adventureworks
from schemas.settings import Settings
from schemas.topics import BY_NAME, DEALS, TOPICS
from tests.database import connected

PATIENCE_S = 120
PROGRAM = (
    "import sys; from schemas.settings import Settings; from streams.worker import run_worker;"
    " sys.exit(run_worker(Settings.from_environment()))"
)


class Sent(NamedTuple):
    """A record to put on the deals topic as it is."""

    value: bytes | None
    key: bytes = b"k"
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


def with_topics(
    settings: Settings, prefix: str, *, partitions: Mapping[str, int] | None = None
) -> Settings:
    """The same settings with topics of their own, created; `partitions`: other counts by topic."""
    counts = partitions or {}
    settings = settings.but(PACEBOARD_TOPIC_PREFIX=prefix.rstrip("."))
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        admin.create_topics(
            [
                NewTopic(t.full_name(settings.topic_prefix), counts.get(t.name, t.partitions), 1)
                for t in TOPICS
            ]
        )
        names = [topic.full_name(settings.topic_prefix) for topic in TOPICS]
        wait_until(lambda: _have_leaders(admin, names), "leaders of the new topics")
    finally:
        admin.close()
    return settings


def _have_leaders(admin: KafkaAdminClient, names: list[str]) -> bool:
    """A broker answers "not leader" for a moment after a topic was made."""
    return all(
        partition["leader_id"] >= 0
        for topic in admin.describe_topics(names)
        for partition in topic["partitions"]
    )


class WorkerProcess:
    """One `paceboard worker` in a process of its own."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._log = log.open("ab")
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **settings.values},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def kill(self) -> None:
        """As the kernel would: no goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        """As an operator would: it finishes its batch and leaves the group."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def close(self) -> None:
        """Whatever it does, it is gone afterwards."""
        if self.process.poll() is None:
            self.kill()
        self._log.close()


@contextmanager
def worker(settings: Settings, log: Path) -> Iterator[WorkerProcess]:
    """A running worker, gone at the end."""
    process = WorkerProcess(settings, log)
    try:
        yield process
    finally:
        process.close()


def send(settings: Settings, records: Sequence[Sent]) -> dict[int, int]:
    """Put records on the deals topic; the end of each partition written to."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    topic = BY_NAME["deals"].full_name(settings.topic_prefix)
    try:
        written = [
            producer.send(
                topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                partition=record.partition,
            ).get(30)
            for record in records
        ]
    finally:
        producer.close()
    return {entry.partition: entry.offset + 1 for entry in written}


def ends_of(settings: Settings, topic: str = "deals") -> dict[int, int]:
    """Where each partition of a topic ends now."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    name = BY_NAME[topic].full_name(settings.topic_prefix)
    try:
        partitions = [TopicPartition(name, n) for n in range(BY_NAME[topic].partitions)]
        return {tp.partition: end for tp, end in consumer.end_offsets(partitions).items()}
    finally:
        consumer.close()


def wait_until(done: Callable[[], bool], what: str, process: WorkerProcess | None = None) -> float:
    """Seconds until `done`; fails when the worker dies or patience ends."""
    started = time.monotonic()
    while not done():
        elapsed = time.monotonic() - started
        if process is not None and process.process.poll() is not None:
            raise AssertionError(f"the worker died waiting for {what}:\n{tail(process.log)}")
        if elapsed > PATIENCE_S:
            log = tail(process.log) if process else ""
            raise AssertionError(f"no {what} after {elapsed:.0f} s\n{log}")
        time.sleep(0.05)
    return time.monotonic() - started


def tail(log: Path) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])


def is_settled(conn: Connection, ends: dict[int, int], column: str = "published_to") -> bool:
    """Whether everything up to `ends` has been applied and published."""
    rows = dict(conn.execute(f"SELECT partition, {column} FROM partitions").fetchall())  # type: ignore[arg-type]
    return all(rows.get(partition, 0) >= end for partition, end in ends.items())


def settle(settings: Settings, process: WorkerProcess) -> float:
    """Wait until the worker has applied and published all that is on the topic."""
    ends = ends_of(settings)
    with connected(settings, "worker") as conn:
        return wait_until(lambda: is_settled(conn, ends), "settled topic", process)


def published(settings: Settings, topic: str) -> list[Any]:
    """All records of a topic, in order per partition."""
    name = BY_NAME[topic].full_name(settings.topic_prefix)
    ends = ends_of(settings, topic)
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka, auto_offset_reset="earliest", enable_auto_commit=False
    )
    consumer.assign([TopicPartition(name, n) for n in ends])
    found: list[Any] = []
    try:
        consumer.seek_to_beginning()
        while any(consumer.position(TopicPartition(name, n)) < end for n, end in ends.items()):
            for records in consumer.poll(timeout_ms=1000).values():
                found.extend(records)
    finally:
        consumer.close()
    return found


def install_sample(settings: Settings) -> None:
    """AdventureWorks without its orders."""
    company = adventureworks.company()
    with connected(settings, "api") as conn:
        installation.install(
            conn,
            company=company.name,
            currency=company.currency,
            time_zone=company.time_zone,
            deals_partitions=DEALS.partitions,
            actor="test",
        )
        with reference_change(conn, actor="test", action="load", entity="company") as change:
            for table, rows in company.tables.items():
                change.put(table, rows)
