"""An in-memory Store, simple and obvious: the batch protocol's seam for tests that fail on purpose.

A transaction sees what is committed and swaps it at its commit. `faults` are raised once each, at
the step they are named for, as "begin", "write", "commit", "committed". `between` is called before
each step: a simulation lets others act there (tests/streams/simulated.py), who meet the turnstile
and the accounts' locks as they stand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from schemas.ids import AccountId, DealId
from schemas.reference import ReferenceRows
from schemas.state import AccountState, BatchFacts, Credit, DealState
from schemas.transaction import Aborted, Advance, Claim, Entered, Fenced, Installation

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
        self.numbers = 0
        self.inside: set[MemoryTransaction] = set()  # behind the turnstile
        self.locks: dict[AccountId, MemoryTransaction] = {}
        self.between: Callable[[str], None] = lambda step: None

    def tick(self) -> dt.datetime:
        """The database's clock; it moves a second at each look."""
        self.clock += dt.timedelta(seconds=1)
        return self.clock

    def at(self, step: str) -> None:
        """Let others act; then raise the next fault, if it is for this step."""
        self.between(step)
        if self.faults and self.faults[0][0] == step:
            raise self.faults.pop(0)[1]

    def claim(self, partitions: Sequence[int], owner: str) -> dict[int, Claim]:
        self.at("claim")
        for partition in partitions:
            self.tokens += 1
            self.claims[partition] = self.claims[partition]._replace(token=self.tokens)
        return {partition: self.claims[partition] for partition in partitions}

    def read_deals(self, deals: Sequence[DealId]) -> dict[DealId, DealState]:
        self.at("read deals")
        return {deal: self.deals[deal] for deal in deals if deal in self.deals}

    def reference_version(self) -> int:
        self.at("reference version")
        return self.rows.version

    def read_reference(self) -> ReferenceRows:
        return self.rows

    def existing_accounts(self, accounts: Sequence[AccountId]) -> set[AccountId]:
        return {account for account in accounts if account in self.accounts}

    def create_accounts(self, accounts: Sequence[AccountState]) -> None:
        self.at("create accounts")
        for account in accounts:
            self.accounts.setdefault(account.account_id, account)

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        self.at("begin")
        transaction = MemoryTransaction(self)
        try:
            yield transaction
        finally:
            transaction.end()

    def unpublished(self, published_to: Mapping[int, int]) -> list[BatchFacts]:
        return [
            facts
            for facts in self.batches
            if any(s.next > published_to.get(s.partition, s.next) for s in facts.sources)
        ]

    def note_published(self, advances: Sequence[Advance]) -> None:
        self.at("note published")
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

    def end(self) -> None:
        """Give back the turnstile and all locks, as a commit and a rollback do."""
        self._store.inside.discard(self)
        for account in [name for name, holder in self._store.locks.items() if holder is self]:
            del self._store.locks[account]

    def enter(self, partitions: Sequence[int]) -> Entered:
        store = self._store
        store.at("enter")
        store.inside.add(self)
        tokens = {p: store.claims[p].token for p in partitions}
        return Entered(tokens, store.rows.version, store.rows.known_at, EPOCH)

    def lock_accounts(self, accounts: Sequence[AccountId]) -> list[AccountId]:
        existing = sorted(self._store.existing_accounts(accounts))
        for account in existing:
            self._store.at("lock account")
            while self._store.locks.setdefault(account, self) is not self:
                self._store.at("blocked")
        return existing

    def read_accounts(self, accounts: Sequence[AccountId]) -> dict[AccountId, AccountState]:
        self._store.at("read accounts")
        unlocked = [name for name in accounts if self._store.locks.get(name) is not self]
        assert not (self._store.existing_accounts(unlocked)), f"{unlocked} are read without locks"
        return self._store.read_accounts(accounts)

    def deal_versions(self, deals: Sequence[DealId]) -> dict[DealId, int]:
        self._store.at("deal versions")
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
        self._store.at("now")
        return self._store.tick()

    def next_batch(self) -> int:
        self._store.numbers += 1
        return self._store.numbers

    def write(self, facts: BatchFacts) -> None:
        self._store.at("write")
        self._facts = facts

    def commit(self, advances: Sequence[Advance]) -> None:
        store = self._store
        store.at("commit")
        for a in advances:
            claim = store.claims[a.partition]
            if (claim.token, claim.next_offset) != (a.token, a.expected):
                raise Fenced(f"partition {a.partition}")
        if self._facts is not None:
            self._require_unmoved(self._facts)
        for a in advances:
            published = max(store.claims[a.partition].published_to, a.published_to)
            store.claims[a.partition] = Claim(a.token, a.next, published)
        if self._facts is not None:
            store.batches.append(self._facts)
            store.deals.update({row.state.deal_id: row.state for row in self._facts.deals})
            store.accounts.update({a.account_id: a for a in self._facts.accounts})
        self.end()
        store.at("committed")

    def _require_unmoved(self, facts: BatchFacts) -> None:
        """What db/sql/batch.sql raises when a version has moved."""
        store = self._store
        for row in facts.deals:
            known = store.deals.get(row.state.deal_id)
            if row.state.version != (known.version if known else 0) + 1:
                raise Aborted(f"deal {row.state.deal_id} has moved")
        for account in facts.accounts:
            if account.version != store.accounts[account.account_id].version + 1:
                raise Aborted(f"account {account.account_id} has moved")
