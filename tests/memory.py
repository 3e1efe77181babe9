"""An in-memory Store, simple and obvious: the batch protocol's seam for tests that fail on purpose.

One lock-free process, so a transaction sees what is committed and swaps it at its commit. `faults`
are raised once each, at the step they are named for: "begin", "commit", "commit unknown".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from schemas.ids import AccountId, DealId
from schemas.reference import ReferenceRows
from schemas.state import AccountState, BatchFacts, Credit, DealState
from schemas.transaction import Advance, Claim, Entered, Fenced, Installation

EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class MemoryStore:
    """Implements streams.ports.Store."""

    def __init__(self, rows: ReferenceRows, partitions: int = 2) -> None:
        self.rows = rows
        self.deals: dict[DealId, DealState] = {}
        self.accounts: dict[AccountId, AccountState] = {}
        self.batches: list[BatchFacts] = []
        self.claims = {p: Claim(0, 0, 0) for p in range(partitions)}
        self.faults: list[tuple[str, Exception]] = []
        self.tokens = 0
        self.clock = EPOCH

    def fail(self, step: str) -> None:
        """Raise the next fault, if it is for this step."""
        if self.faults and self.faults[0][0] == step:
            raise self.faults.pop(0)[1]

    def claim(self, partitions: Sequence[int], owner: str) -> dict[int, Claim]:
        for partition in partitions:
            self.tokens += 1
            self.claims[partition] = self.claims[partition]._replace(token=self.tokens)
        return {partition: self.claims[partition] for partition in partitions}

    def read_deals(self, deals: Sequence[DealId]) -> dict[DealId, DealState]:
        return {deal: self.deals[deal] for deal in deals if deal in self.deals}

    def reference_version(self) -> int:
        return self.rows.version

    def read_reference(self) -> ReferenceRows:
        return self.rows

    def existing_accounts(self, accounts: Sequence[AccountId]) -> set[AccountId]:
        return {account for account in accounts if account in self.accounts}

    def create_accounts(self, accounts: Sequence[AccountState]) -> None:
        for account in accounts:
            self.accounts.setdefault(account.account_id, account)

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        self.fail("begin")
        yield MemoryTransaction(self)

    def unpublished(self, published_to: Mapping[int, int]) -> list[BatchFacts]:
        return [
            facts
            for facts in self.batches
            if any(s.next > published_to.get(s.partition, s.next) for s in facts.sources)
        ]

    def note_published(self, advances: Sequence[Advance]) -> None:
        MemoryTransaction(self).commit(advances)

    def read_accounts(self, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
        return {account: self.accounts[account] for account in accounts if account in self.accounts}

    def installation(self) -> Installation:
        return Installation(1, len(self.claims))


class MemoryTransaction:
    """Implements streams.ports.Transaction: `write` waits for `commit`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._facts: BatchFacts | None = None

    def enter(self, partitions: Sequence[int]) -> Entered:
        store = self._store
        tokens = {p: store.claims[p].token for p in partitions}
        return Entered(tokens, store.rows.version, store.rows.known_at, EPOCH)

    def lock_accounts(self, accounts: Sequence[AccountId]) -> list[AccountId]:
        return sorted(self._store.existing_accounts(accounts))

    def read_accounts(self, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
        return self._store.read_accounts(accounts)

    def deal_versions(self, deals: Sequence[DealId]) -> dict[DealId, int]:
        return {deal: state.version for deal, state in self._store.read_deals(deals).items()}

    def read_deals(self, deals: Sequence[DealId]) -> dict[DealId, DealState]:
        return self._store.read_deals(deals)

    def read_reference(self) -> ReferenceRows:
        return self._store.rows

    def credits_in_force(self, accounts: Sequence[AccountId]) -> dict[AccountId, list[Credit]]:
        return {
            account: [
                credit
                for state in self._store.deals.values()
                for credit in state.credits
                if credit.account_id == account
            ]
            for account in accounts
        }

    def now(self) -> dt.datetime:
        self._store.clock += dt.timedelta(seconds=1)
        return self._store.clock

    def next_batch(self) -> int:
        return len(self._store.batches) + 1

    def write(self, facts: BatchFacts) -> None:
        self._store.fail("write")
        self._facts = facts

    def commit(self, advances: Sequence[Advance]) -> None:
        store = self._store
        for a in advances:
            claim = store.claims[a.partition]
            if (claim.token, claim.next_offset) != (a.token, a.expected):
                raise Fenced(f"partition {a.partition}")
        store.fail("commit")
        for a in advances:
            published = max(store.claims[a.partition].published_to, a.published_to)
            store.claims[a.partition] = Claim(a.token, a.next, published)
        if self._facts is not None:
            store.batches.append(self._facts)
            store.deals.update({row.state.deal_id: row.state for row in self._facts.deals})
            store.accounts.update({a.account_id: a for a in self._facts.accounts})
        store.fail("commit unknown")
