"""The bare baseline: consume, typed decode, COPY of one row a deal, commit. No credit, no pay."""

import asyncio
import sys
import time

import aiokafka
import msgspec
import psycopg

from schemas.messages import DealChanged
from schemas.settings import Settings
from schemas.topics import DEALS

_CREATE = "CREATE TEMP TABLE bare (deal_id text, amount numeric, closed_on date, source text)"
_COPY = "COPY bare (deal_id, amount, closed_on, source) FROM STDIN"


async def measure(settings: Settings, count: int) -> float:
    """Seconds from the first record to the last commit."""
    decode = msgspec.json.Decoder(DealChanged).decode
    topic = DEALS.full_name(settings.topic_prefix)
    partitions = [aiokafka.TopicPartition(topic, n) for n in range(DEALS.partitions)]
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    seen, started = 0, 0.0
    with psycopg.connect(settings.admin_url(settings.database)) as conn:
        conn.execute(_CREATE.replace("TEMP TABLE bare", "TABLE IF NOT EXISTS bare"))
        conn.commit()
        while seen < count:
            fetched = await consumer.getmany(timeout_ms=500, max_records=4_000)
            records = [record for part in fetched.values() for record in part]
            if not records:
                continue
            started = started or time.perf_counter()
            deals = [decode(record.value) for record in records]
            with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.write(
                    "".join(
                        f"{deal.deal_id}\t{deal.amount}\t{deal.closed_on}\t{deal.source}\n"
                        for deal in deals
                    )
                )
            conn.commit()
            seen += len(records)
        elapsed = time.perf_counter() - started
    await consumer.stop()
    return elapsed


if __name__ == "__main__":
    print(asyncio.run(measure(Settings.from_environment(), int(sys.argv[1]))))
