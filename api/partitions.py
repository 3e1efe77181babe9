"""Whether the deals topic is one that workers read: what is in the way, and what to do about it.

A deal's partition follows from its key and the count, so a worker that finds another count than the
database expects reads nothing at all (streams/deals.py). What is sent there would lie unread.
"""

from typing import Final, NamedTuple


class Obstacle(NamedTuple):
    """Why deals on their way to Kafka would reach nobody, and what the operator does."""

    code: str
    what: str
    remedy: str


AWAY: Final = Obstacle(
    "not_recorded", "it does not answer", "look at its log and at PACEBOARD_KAFKA"
)
NO_TOPIC: Final = Obstacle(
    "not_recorded", "there is no deals topic", "run: paceboard topics create"
)


def obstacle(on_broker: int | None, expected: int | None) -> Obstacle | None:
    """`on_broker`: None when it does not answer. `expected`: None when nobody could say yet."""
    if on_broker is None:
        return AWAY
    if on_broker == 0:
        return NO_TOPIC
    if expected is None or on_broker == expected:
        return None
    return Obstacle(
        "wrong_partition_count",
        f"the deals topic has {on_broker} partitions, the database expects {expected}",
        "no worker reads it; set PACEBOARD_TOPIC_PREFIX to topics of the expected count (paceboard"
        " topics create makes them), as docs/operating.md says under New topics",
    )
