"""`make bench`: the worker against a bare consumer, in the same run, interleaved.

Prints deals/s of each round, medians, and the ratio; and the time from a produced deal to its
credit on the topic at a steady rate. Figures compare, they do not promise.
"""

import asyncio
import datetime as dt
import os
import platform
import secrets
import signal
import statistics
import subprocess
import sys
import time
from typing import Final, NamedTuple

import aiokafka
import msgspec
from kafka.admin import KafkaAdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from bench import company
from db import disposal
from db.connect import connect
from db.migrate import migrate
from schemas.cloudevents import event_id, headers
from schemas.messages import BINDINGS, DealChanged
from schemas.settings import DatabaseRole, Settings
from schemas.topics import DEALS, TOPICS

DEALS_COUNT: Final = int(os.environ.get("PACEBOARD_BENCH_DEALS", "60000"))
ROUNDS: Final = int(os.environ.get("PACEBOARD_BENCH_ROUNDS", "3"))
STEADY_PER_S: Final = 100
STEADY_SECONDS: Final = 10
WORKER: Final = (
    "import sys; from schemas.settings import Settings; from streams.worker import run_worker;"
    " sys.exit(run_worker(Settings.from_environment()))"
)
console = Console(stderr=True)


class Round(NamedTuple):
    """Deals per second, and milliseconds from a produced deal to its credit on the topic."""

    bare: float
    worker: float
    latencies_ms: list[float]


def main() -> None:
    """All rounds, then the table."""
    settings = Settings.from_environment()
    rounds = []
    for number in range(1, ROUNDS + 1):
        console.print(f"round {number} of {ROUNDS}: {DEALS_COUNT:,} deals of four credits")
        rounds.append(_round(settings))
        console.print(f"  bare {rounds[-1].bare:,.0f}/s, worker {rounds[-1].worker:,.0f}/s")
    _report(rounds)


def _round(settings: Settings) -> Round:
    name = f"bench_{secrets.token_hex(4)}"
    settings = settings.but(PACEBOARD_DATABASE=name, PACEBOARD_TOPIC_PREFIX=name)
    migrate(settings)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    admin.create_topics([NewTopic(t.full_name(name), t.partitions, 1) for t in TOPICS])
    try:
        company.install(settings)
        time.sleep(1)
        asyncio.run(_publish(settings, list(company.deals(DEALS_COUNT))))
        bare = DEALS_COUNT / _bare(settings)
        worker, latencies = _worker(settings)
        return Round(bare, DEALS_COUNT / worker, latencies)
    finally:
        admin.delete_topics([t.full_name(name) for t in TOPICS])
        admin.close()
        disposal.drop(settings)


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, **settings.values}


def _bare(settings: Settings) -> float:
    """In a process of its own, as the worker is."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.bare", str(DEALS_COUNT)],
        env=_environment(settings),
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def _worker(settings: Settings) -> tuple[float, list[float]]:
    """Seconds from the claim until all is applied and published; then the latencies."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env=_environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            with connect(
                settings, DatabaseRole.WORKER, application_name="bench", autocommit=True
            ) as conn:
                started = 0.0
                while True:
                    row = conn.execute(
                        "SELECT count(*), coalesce(sum(published_to), 0) FROM partitions"
                    ).fetchone()
                    assert row is not None
                    assert process.poll() is None, "the worker died"
                    if row[0] == DEALS.partitions and not started:
                        started = time.perf_counter()
                    if row[1] >= DEALS_COUNT:
                        break
                    time.sleep(0.02)
                elapsed = time.perf_counter() - started
            return elapsed, asyncio.run(_steady(settings))
        finally:
            process.send_signal(signal.SIGTERM)


async def _publish(settings: Settings, deals: list[DealChanged]) -> None:
    async with aiokafka.AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", linger_ms=20, max_batch_size=262_144
    ) as producer:
        pending = [await _send(producer, settings, deal) for deal in deals]
        await asyncio.gather(*pending)


async def _send(
    producer: aiokafka.AIOKafkaProducer, settings: Settings, deal: DealChanged
) -> "asyncio.Future[object]":
    now = dt.datetime.now(dt.UTC)
    future: asyncio.Future[object] = await producer.send(
        DEALS.full_name(settings.topic_prefix),
        key=BINDINGS[DealChanged].key(deal).encode(),
        value=msgspec.json.encode(deal),
        headers=headers(deal, id=event_id(deal), time=now, source="paceboard/bench"),
    )
    return future


async def _steady(settings: Settings) -> list[float]:
    """Produce at a steady rate and watch for each deal's first credit."""
    deals = list(company.deals(STEADY_PER_S * STEADY_SECONDS, offset=10_000_000))
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    consumer = aiokafka.AIOKafkaConsumer(
        f"{settings.topic_prefix}.credits",
        bootstrap_servers=settings.kafka,
        auto_offset_reset="latest",
    )
    await consumer.start()
    await consumer.seek_to_end()

    async def watch() -> None:
        async for record in consumer:
            deal = msgspec.json.decode(record.value)["deal_id"]
            if deal in sent and deal not in seen:
                seen[deal] = time.perf_counter()
                if len(seen) == len(deals):
                    return

    watching = asyncio.create_task(watch())
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all") as producer:
        begin = time.perf_counter()
        for number, deal in enumerate(deals):
            await asyncio.sleep(max(0.0, begin + number / STEADY_PER_S - time.perf_counter()))
            sent[deal.deal_id] = time.perf_counter()
            await _send(producer, settings, deal)
        await asyncio.wait_for(watching, 60)
    await consumer.stop()
    return [(seen[deal] - sent[deal]) * 1_000 for deal in seen]


def _report(rounds: list[Round]) -> None:
    bare = statistics.median(r.bare for r in rounds)
    worker = statistics.median(r.worker for r in rounds)
    latencies = sorted(ms for r in rounds for ms in r.latencies_ms)
    table = Table(
        title=f"{dt.datetime.now(dt.UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores"
    )
    for column in ("what", "median", "rounds", "of bare"):
        table.add_column(column)
    table.add_row("bare", f"{bare:,.0f}/s", _spread([r.bare for r in rounds]), "1")
    table.add_row(
        "worker, all topics published",
        f"{worker:,.0f}/s",
        _spread([r.worker for r in rounds]),
        f"{worker / bare:.2f}",
    )
    table.add_row(
        f"deal to credit on its topic, {STEADY_PER_S}/s",
        f"p50 {_quantile(latencies, 0.5):.1f} ms",
        f"p99 {_quantile(latencies, 0.99):.1f} ms, {len(latencies):,} deals",
        "",
    )
    Console().print(table)


def _spread(figures: list[float]) -> str:
    return ", ".join(f"{figure:,.0f}" for figure in figures)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    main()
