"""What a payee has earned in a period: a snapshot from the API, then the changes from Kafka.

    pip install kafka-python
    python snapshot_and_tail.py http://127.0.0.1:8000 TOKEN PAYEE_ID 127.0.0.1:9092 paceboard

For whoever starts when the topic's beginning has expired, or does not want to read three years to
know today. The order matters: first note where the topic ends, then take the snapshot, then read
from what was noted. So nothing is missed between the two; what is in both is left out, since the
snapshot has the account's version and each entry the version that it made.
"""

import json
import sys
import urllib.request
from decimal import Decimal
from typing import Any

from kafka import KafkaConsumer, TopicPartition


def snapshot(api: str, token: str, payee: str) -> Any:
    """The payee's progress in the current period."""
    request = urllib.request.Request(
        f"{api}/v1/payees/{payee}/progress", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["progress"]


def main(api: str, token: str, payee: str, servers: str, prefix: str) -> None:
    topic = f"{prefix}.accruals"
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    for partition, end in consumer.end_offsets(partitions).items():  # 1: where it ends
        consumer.seek(partition, end)
    now = snapshot(api, token, payee)  # 2: the state, with its version
    account, period = now["account_id"], now["stamps"]["period"]
    earned = sum((Decimal(part["earned"]) for part in now["components"]), Decimal(0))
    print(f"version {now['account_version']}: {earned}", flush=True)
    seen: set[str] = set()
    while True:  # 3: what came after
        for records in consumer.poll(timeout_ms=500).values():
            for entry in (json.loads(record.value) for record in records):
                is_news = entry["account_version"] > now["account_version"]
                if entry["account_id"] != account or entry["origin_period"] != period:
                    continue
                if is_news and entry["entry_id"] not in seen:
                    seen.add(entry["entry_id"])
                    earned += Decimal(entry["earned"])
                    print(f"version {entry['account_version']}: {earned}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
