"""Credits and pay that never show an impossible number: the state at batch marks only.

    pip install kafka-python
    python batch_marks.py 127.0.0.1:9092 paceboard           # once, to the present end
    python batch_marks.py 127.0.0.1:9092 paceboard --follow  # and on

A line of JSON for each batch: what every payee is credited for his own deals, and what he has
earned. When a deal moves from one seller to another, that is a reversal and a credit on two
partitions: whoever adds up facts as they come shows the money twice, or nowhere, for a moment. Here

1. facts are collected by batch, each once by its id;
2. a batch may be shown when every topic is read up to its mark's offsets, and when the version
   before of each of its accounts has been shown (either alone shows halves);
3. then it is shown in one step.

While a dead worker's batch waits to be published, this stands still. That is intended. It reads all
partitions itself, without a group: a batch reaches over all of them, so there is nothing to share
out, and no rebalance. Run a second copy for safety, not for speed.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from kafka import KafkaConsumer, TopicPartition

FACTS = {"credits": "credit_id", "accruals": "entry_id"}
OWN = ("owner", "split", "overlay")  # a roll-up counts the same deal once more, for a manager
Position = Callable[[str, int], int]  # (topic, partition) -> the offset up to which it is read


class Books:
    """What has been read, and what of it has been shown."""

    def __init__(self) -> None:
        self.facts: dict[int, dict[str, Any]] = defaultdict(dict)  # by batch, then by id
        self.marks: dict[int, Any] = {}  # of batches that are not shown yet
        self.shown: set[int] = set()
        self.versions: dict[str, int] = defaultdict(int)  # of each account, as shown
        self.timeline: int | None = None
        self.credited: dict[str, Decimal] = defaultdict(Decimal)
        self.earned: dict[str, Decimal] = defaultdict(Decimal)

    def read(self, topic: str, value: bytes) -> None:
        """Take in one record; what belongs to a batch that is shown was published again."""
        message = json.loads(value)
        if message["batch"] in self.shown:
            return
        if topic in FACTS:
            self.facts[message["batch"]][message[FACTS[topic]]] = message
        else:
            self.marks[message["batch"]] = message

    def due(self, position: Position) -> Iterator[dict[str, Any]]:
        """The states after each batch that may be shown now, one after the other."""
        while mark := next((m for m in self.marks.values() if self.may_show(m, position)), None):
            self.show(mark)
            if mark["accounts"]:  # else it changed nothing that is shown
                yield self.state(mark["batch"])

    def may_show(self, mark: Any, position: Position) -> bool:
        is_read = all(
            position(end["topic"], end["partition"]) >= end["next"]
            for end in mark["ends"]
            if end["topic"] in FACTS
        )
        return is_read and all(
            self.versions[account] == version - 1 for account, version in mark["accounts"].items()
        )

    def show(self, mark: Any) -> None:
        batch = mark["batch"]
        if self.timeline not in (None, mark["timeline"]):
            sys.exit("another timeline: topics or database were restored; begin with a snapshot")
        self.timeline = mark["timeline"]
        for fact in self.facts.pop(batch, {}).values():
            if "entry_id" in fact:
                self.earned[fact["payee_id"]] += Decimal(fact["earned"])
            elif fact["role"] in OWN:
                self.credited[fact["payee_id"]] += Decimal(fact["amount"])
        self.versions.update(mark["accounts"])
        self.shown.add(batch)
        del self.marks[batch]

    def state(self, batch: int) -> dict[str, Any]:
        return {
            "batch": batch,
            "credited": {payee: str(self.credited[payee]) for payee in sorted(self.credited)},
            "earned": {payee: str(self.earned[payee]) for payee in sorted(self.earned)},
        }


def main(servers: str, prefix: str, *options: str) -> None:
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    partitions = [
        TopicPartition(f"{prefix}.{topic}", number)
        for topic in (*FACTS, "batches")
        for number in consumer.partitions_for_topic(f"{prefix}.{topic}")
    ]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    if any(consumer.beginning_offsets(partitions).values()):
        sys.exit("the first batches have expired: begin with a snapshot, see snapshot_and_tail.py")
    books, ends = Books(), consumer.end_offsets(partitions)

    def position(topic: str, number: int) -> int:
        return int(consumer.position(TopicPartition(f"{prefix}.{topic}", number)))

    while True:
        for partition, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                books.read(partition.topic.removeprefix(f"{prefix}."), record.value)
        for state in books.due(position):
            print(json.dumps(state), flush=True)
        is_at_end = all(consumer.position(partition) >= end for partition, end in ends.items())
        if is_at_end and "--follow" not in options:
            break
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
