"""Every seller's pay, rebuilt from the topic `accruals` alone.

    pip install kafka-python
    python pay_from_accruals.py 127.0.0.1:9092 paceboard           # once, to the present end
    python pay_from_accruals.py 127.0.0.1:9092 paceboard --follow  # and on, a table a change

An entry can come twice, with the same entry_id: it is counted once. On a rebalance (a copy of
this program starts or ends) partitions move: all entries of an account are in one partition, so
what came from a partition that goes is forgotten, and one that comes is read from its beginning.
No offset is ever committed. A program that keeps its entries in a table writes each entry, with
entry_id as the primary key, and the offset behind it in one transaction, and seeks there instead.
What is older than the topic keeps is not in the table: begin with a snapshot for that.
"""

import json
import sys
from collections import defaultdict
from decimal import Decimal

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener

CELL = ("payee_id", "booking_period", "component", "currency")
Cell = tuple[str, ...]


class Entries(ConsumerRebalanceListener):
    """Each entry once, by the partition it came from."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self.consumer = consumer
        self.by_partition: dict[TopicPartition, dict[str, tuple[Cell, Decimal]]] = {}

    def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        for partition in revoked:
            self.by_partition.pop(partition, None)

    def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        for partition in assigned:
            self.by_partition[partition] = {}
            self.consumer.seek_to_beginning(partition)

    def read(self, partition: TopicPartition, value: bytes) -> None:
        entry = json.loads(value)
        cell = tuple(entry[name] for name in CELL)
        self.by_partition[partition][entry["entry_id"]] = cell, Decimal(entry["earned"])

    def table(self) -> str:
        pay: dict[Cell, Decimal] = defaultdict(Decimal)
        for entries in self.by_partition.values():
            for cell, earned in entries.values():
                pay[cell] += earned
        rows = [
            f"{who:<16} {when:<12} {what:<16} {pay[who, when, what, money]:>14} {money}"
            for who, when, what, money in sorted(pay)
        ]
        return "\n".join([f"{'payee':<16} {'period':<12} {'component':<16} {'earned':>14}", *rows])


def main(servers: str, prefix: str, *options: str) -> None:
    consumer = KafkaConsumer(
        bootstrap_servers=servers, group_id=f"{prefix}.pay-sample", enable_auto_commit=False
    )
    entries, shown = Entries(consumer), ""
    consumer.subscribe([f"{prefix}.accruals"], listener=entries)
    while True:
        for partition, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                entries.read(partition, record.value)
        ends = consumer.end_offsets(list(consumer.assignment()))
        if not ends or any(consumer.position(partition) < end for partition, end in ends.items()):
            continue  # not there yet: what it has is not the whole
        if entries.table() != shown:
            shown = entries.table()
            print(shown, flush=True)
        if "--follow" not in options:
            break
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
