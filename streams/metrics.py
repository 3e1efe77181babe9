"""What an operator sees of a worker: Prometheus counters and gauges."""

from typing import Final

from prometheus_client import Counter, Gauge

from schemas.state import BatchFacts

PARTITIONS: Final = Gauge("paceboard_partitions", "Deals partitions this worker has claimed.")
BATCHES: Final = Counter("paceboard_batches", "Batches committed and published.")
REVISIONS: Final = Counter("paceboard_revisions", "Deal revisions booked.", ["outcome"])
CREDITS: Final = Counter("paceboard_credits", "Credits and reversals booked.")
ENTRIES: Final = Counter("paceboard_entries", "Ledger entries booked.")
REFUSED: Final = Counter("paceboard_refused", "Records refused.", ["code"])


def observe(facts: BatchFacts) -> None:
    """Count a batch that has been published."""
    BATCHES.inc()
    CREDITS.inc(len(facts.credits))
    ENTRIES.inc(len(facts.entries))
    for row in facts.revisions:
        REVISIONS.labels(row.outcome).inc()
    for refused in facts.refused:
        REFUSED.labels(refused.message.code.value).inc()
