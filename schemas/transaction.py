"""What passes between the batch protocol and the store: claims, tokens, how a batch can fail."""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple


class Claim(NamedTuple):
    """What a claim gives: the token, and where this partition stands."""

    token: int
    next_offset: int
    published_to: int


class Installation(NamedTuple):
    """What a worker holds the broker's topics against."""

    timeline: int
    deals_partitions: int


class Entered(NamedTuple):
    """What is read behind the turnstile."""

    tokens: Mapping[int, int]
    reference_version: int
    reference_known_at: dt.datetime
    sealed_to: dt.datetime


class Advance(NamedTuple):
    """How a partition moves with the commit."""

    partition: int
    token: int
    expected: int
    next: int
    published_to: int


class Fenced(Exception):
    """Another worker holds the token; or we cannot know whether our commit went through."""


class Aborted(Exception):
    """The transaction was rolled back for a reason that a new attempt may not meet again."""


class Unreachable(Aborted):
    """There is no connection to the database: wait, it says nothing about the batch."""


class BadData(Aborted):
    """Some value of the batch is none that the database takes."""


class FactTooLarge(Exception):
    """A fact would fit no record on Kafka: refused before the commit."""
