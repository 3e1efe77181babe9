"""The services that the tests get are real: a record comes back, a hypertable can be made."""

from __future__ import annotations

import asyncio

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.stack import Stack
from tests.services import has_timescale


async def test_a_record_sent_to_kafka_comes_back(stack: Stack, topic_prefix: str) -> None:
    topic = f"{topic_prefix}echo"
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka) as producer:
        await producer.send_and_wait(topic, b"a deal", key=b"crm:1")
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=stack.kafka, group_id=topic, auto_offset_reset="earliest"
    )
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), 30)
    assert (record.key, record.value) == (b"crm:1", b"a deal")
    await admin.delete_topics([topic])
    await admin.close()


def test_a_database_is_empty_durable_and_takes_hypertables(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(tables).fetchone() == (0,)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        if has_timescale(empty_database):
            connection.execute("CREATE EXTENSION timescaledb")
            connection.execute("CREATE TABLE fact (booked_at timestamptz NOT NULL)")
            connection.execute("SELECT create_hypertable('fact', by_range('booked_at'))")
            connection.execute("INSERT INTO fact VALUES (now())")


def test_databases_of_two_tests_are_apart(empty_database: str, module_database: str) -> None:
    with psycopg.connect(module_database) as connection:
        connection.execute("CREATE TABLE only_here ()")
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)
