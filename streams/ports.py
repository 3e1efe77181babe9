"""The two ports through which the deals processor sees the world.

`Log` brings slices in and carries facts out; `Store` keeps everything in one transaction a batch.
Faust and psycopg stand behind them in production (streams/faust_log.py, db/store.py); an in-memory
pair can stand behind them in tests. Neither name nor type of either library shows here.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from schemas.ids import AccountId, DealId
from schemas.reference import ReferenceRows
from schemas.state import AccountState, BatchFacts, Credit, DealState
from schemas.transaction import Advance, Claim, Entered, Installation


class Record(NamedTuple):
    """A record of the deals topic as it came."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Slice(NamedTuple):
    """Records of one partition, in order, and the assignment under which they were fetched.

    `since`: where reading went on, so that nothing between it and the first record is missing.
    """

    partition: int
    records: Sequence[Record]
    assignment: int
    since: int


class Bounds(NamedTuple):
    """Of a partition of the log: first offset, end, and the group's committed offset, if any."""

    start: int
    end: int
    committed: int | None


class Outgoing(NamedTuple):
    """A record to publish. `topic` is the short name of schemas/topics.py."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Stopped(Exception):
    """The worker was told to stop; nothing more will be taken."""


class Log(Protocol):
    """Where deals come from and facts go to."""

    async def take(self, most: int, *, wait_s: float) -> list[Slice]:
        """What has arrived under the current assignment, at most about `most` records.

        Does not wait for more than one slice; an empty list after `wait_s` seconds without any.
        Raises Stopped.
        """
        ...

    def waiting(self) -> int:
        """How many records could be taken without waiting."""
        ...

    def delivered_to(self) -> dict[int, int]:
        """By partition: all that can be read below this offset has been put in the queue."""
        ...

    def assigned(self) -> tuple[int, frozenset[int]] | None:
        """The current assignment and its partitions; None while the group is rebalancing."""
        ...

    async def partition_count(self) -> int:
        """How many partitions the deals topic has on the broker."""
        ...

    async def bounds(self, partitions: Sequence[int]) -> dict[int, Bounds]:
        """Where each partition starts and ends, and what the group has committed."""
        ...

    async def publish(self, records: Sequence[Outgoing]) -> dict[tuple[str, int], int]:
        """Write in order per partition; return when all are acknowledged (acks=all).

        Returns for each topic and partition the offset after the last record written.
        """
        ...

    async def acknowledge(self, offsets: Mapping[int, int], assignment: int) -> None:
        """Commit `offsets` (partition -> next) to the group, if the assignment still holds."""
        ...


class Transaction(Protocol):
    """One transaction of a batch. Leaving it without `commit` rolls it back."""

    def enter(self, partitions: Sequence[int]) -> Entered:
        """Pass the turnstile (shared), then read tokens and versions."""
        ...

    def lock_accounts(self, accounts: Sequence[AccountId]) -> list[AccountId]:
        """Lock the accounts in sorted order; returns those that exist."""
        ...

    def read_accounts(self, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
        """The accounts with their positions, by a statement begun after they were locked."""
        ...

    def deal_versions(self, deals: Sequence[DealId]) -> dict[DealId, int]:
        """The versions of those deals that exist."""
        ...

    def read_deals(self, deals: Sequence[DealId]) -> dict[DealId, DealState]:
        """The states of those deals that exist."""
        ...

    def read_reference(self) -> ReferenceRows:
        """The reference data of the version that `enter` saw."""
        ...

    def credits_in_force(self, accounts: Sequence[AccountId]) -> dict[AccountId, list[Credit]]:
        """The credits of those accounts that are neither reversals nor reversed."""
        ...

    def now(self) -> dt.datetime:
        """The database's clock at this moment."""
        ...

    def next_batch(self) -> int:
        """A number for the batch, from a sequence."""
        ...

    def write(self, facts: BatchFacts) -> None:
        """Everything but the partitions, once for the whole batch."""
        ...

    def commit(self, advances: Sequence[Advance]) -> None:
        """Move the partitions and commit.

        Raises Fenced when a token is not ours any more, or when the outcome cannot be known.
        """
        ...


class Store(Protocol):
    """Where the truth is kept."""

    def claim(self, partitions: Sequence[int], owner: str) -> dict[int, Claim]:
        """Take a new token for each partition, in a transaction of its own. Raises Fenced."""
        ...

    def read_deals(self, deals: Sequence[DealId]) -> dict[DealId, DealState]:
        """Committed states of those deals that exist."""
        ...

    def reference_version(self) -> int:
        """The reference version committed now."""
        ...

    def read_reference(self) -> ReferenceRows:
        """The reference data committed now."""
        ...

    def existing_accounts(self, accounts: Sequence[AccountId]) -> set[AccountId]:
        """Which of them exist."""
        ...

    def create_accounts(self, accounts: Sequence[AccountState]) -> None:
        """Create those that do not exist, sorted, in a transaction that takes no turnstile."""
        ...

    def begin(self) -> AbstractContextManager[Transaction]:
        """A transaction. Raises Aborted for a conflict, a time-out or a lost connection."""
        ...

    def unpublished(self, published_to: Mapping[int, int]) -> list[BatchFacts]:
        """The batches that cover offsets at or above `published_to`, with all their facts."""
        ...

    def note_published(self, advances: Sequence[Advance]) -> None:
        """Note `published_to` (and nothing else) in a transaction of its own. Raises Fenced."""
        ...

    def read_accounts(self, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
        """Committed states, with positions."""
        ...

    def installation(self) -> Installation:
        """The timeline, and how many partitions the deals topic must have."""
        ...
