"""The batch protocol of the deals processor: what is safe about it stands here, in numbered steps.

 1 Take        what has arrived, by partition; slices of a past assignment are dropped.
 2 Prepare     on committed states, while the batch before is in the database: decode, read the
               deals, credit (pure), create the accounts that do not exist yet.
 3 Begin       pass the turnstile (shared); check the tokens; drop a partition that is not ours.
 4 Skip        offsets below next_offset; a range that does not start there is out of turn.
 5 Check       that the reference version is the one prepared with; else decide again, here.
 6 Evaluate    lock the accounts, sorted; then read their positions and the deals' versions; a deal
               that has moved is credited again, here; take booked_at; evaluate each account once.
 7 Write       once for the whole batch, every fact with its batch; move next_offset by token.
 8 Commit      an unknown outcome is a fence; any other abort tries the same slices again, in
               halves, and never goes on to later ones first.
 9 Publish     in order, then the mark; the next batch publishes only once this is acknowledged.
10 Acknowledge to Kafka; what is published is published_to, what is applied next_offset.

Steps 2 to 8 are here, synchronous, behind the port Store; streams/deals.py overlaps them and does
1, 9 and 10. One object serves one worker: `prepare` and `transact` run on one thread each.
"""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from domain.contract import Refusal
from domain.exact import exact_arithmetic
from domain.reference import Reference
from schemas import limits
from schemas.ids import AccountId
from schemas.messages import RefusalCode
from schemas.state import AccountState, BatchFacts, Credit
from schemas.text import printable
from schemas.transaction import (
    Aborted,
    Advance,
    BadData,
    Claim,
    Entered,
    FactTooLarge,
    Fenced,
    Unreachable,
)
from streams import booking, preparation
from streams.decoding import Refused
from streams.ports import Slice, Store, Transaction
from streams.preparation import Item, Prepared

log = structlog.get_logger()

_RETRY_PAUSE_S: Final = 0.02
_MARK_BYTES_OF_ACCOUNT: Final = 24  # quotes, colon, version, comma


class Committed(NamedTuple):
    """A batch that stands in the database and must be published."""

    facts: BatchFacts
    reference: Reference
    nexts: Mapping[int, int]  # partition -> next offset


class _BeginAgain(Exception):
    """What was prepared needs an account that is not there or not locked."""


class BatchProtocol:
    """Steps 2 to 8 for one worker."""

    def __init__(self, store: Store, topic: str) -> None:
        self._store = store
        self._topic = topic
        self._claims: dict[int, Claim] = {}
        self._positions: dict[int, int] = {}  # where preparation goes on
        self.expected: dict[int, int] = {}  # next_offset as claim and commits gave it
        self.published_to: dict[int, int] = {}  # moved by whoever publishes
        self._reference: Reference | None = None
        self._accounts_known: set[AccountId] = set()
        self.lost_partitions: set[int] = set()
        self.is_stopping = False  # then a database that is away is not waited for

    def claimed(self, claims: Mapping[int, Claim]) -> None:
        """Start from what a claim gave; every cache of the assignment before is dropped."""
        self._claims = dict(claims)
        self.expected = {partition: claim.next_offset for partition, claim in claims.items()}
        self._positions = dict(self.expected)
        self.published_to = {p: claim.published_to for p, claim in claims.items()}
        self.lost_partitions = set()
        self._forget()

    def is_claimed(self, partition: int) -> bool:
        """Whether this worker holds a token of the partition."""
        return partition in self._claims

    def reference(self) -> Reference:
        """The reference data committed now."""
        version = self._store.reference_version()
        known = self._reference  # the other thread may forget it at any moment
        if known is None or known.version != version:
            known = self._reference = Reference(self._store.read_reference())
        return known

    # ---- step 2 ----

    def prepare(self, slices: Sequence[Slice]) -> Prepared:
        """Decode and credit on committed states; create the accounts that are missing."""
        preparation.check_delivered(slices, self._positions)
        items = preparation.decode_slices(slices, self._positions)
        prepared = self._prepare_items(items, self._positions)
        self._positions.update({p: next_ for p, (_, next_) in prepared.group.ranges.items()})
        return prepared

    def _prepare_items(self, items: Sequence[Item], positions: Mapping[int, int]) -> Prepared:
        records = preparation.group(items, positions)
        states = self._store.read_deals(records.deals())
        with exact_arithmetic():
            prepared = preparation.decide(records, states, self.reference())
            self._create_missing(booking.accounts_needed(prepared))
        return prepared

    def _create_missing(self, needed: Mapping[AccountId, AccountState]) -> None:
        unknown = needed.keys() - self._accounts_known
        if not unknown:
            return
        missing = unknown - self._store.existing_accounts(sorted(unknown))
        if missing:
            self._store.create_accounts([needed[account] for account in sorted(missing)])
        self._accounts_known |= unknown

    # ---- steps 3 to 8 ----

    def transact(self, prepared: Prepared) -> list[Committed]:
        """Book a prepared batch; after an abort the same records again, in halves, in order.

        Waits for a database that cannot be reached. Raises Fenced when this worker must not go on,
        and what a single record still meets after BATCH_RETRIES_MAX tries.
        """
        # Where each partition goes on: never re-based on `expected`, so that what a batch before
        # left undone shows as out of turn (step 4).
        starts = {p: first for p, (first, _) in prepared.group.ranges.items()}
        committed: list[Committed] = []
        pending: list[Sequence[Item]] = [prepared.group.items]
        current: Prepared | None = prepared
        failures = 0
        while pending:
            items = pending.pop(0)
            try:
                done = self._book(current or self._prepare_items(items, starts))
                committed.append(done)
                starts.update(done.nexts)
                failures = 0
            except _BeginAgain:
                failures = self._pause(failures, "an account is missing or not locked")
                pending.insert(0, items)
            except Unreachable as error:
                if self.is_stopping:
                    raise
                pending.insert(0, items)
                self._forget()
                log.warning("database_unreachable", why=str(error))
                time.sleep(limits.UNREACHABLE_PAUSE_SECONDS)
            except BadData as error:
                failures = self._pause(failures, str(error))
                pending[:0] = _halves(items) if len(items) > 1 else [[_unbookable(items[0], error)]]
            except Aborted as error:
                if len(items) == 1 and failures >= limits.BATCH_RETRIES_MAX:
                    raise
                failures = self._pause(failures, str(error))
                pending[:0] = _halves(items)
            current = None
        return committed

    def _pause(self, failures: int, why: str) -> int:
        self._forget()
        log.warning("batch_again", why=why, failures=failures + 1)
        time.sleep(random.uniform(0, _RETRY_PAUSE_S * 2 ** min(failures, 6)))
        return failures + 1

    def _forget(self) -> None:
        self._accounts_known.clear()
        self._reference = None

    def _book(self, prepared: Prepared) -> Committed:
        with self._store.begin() as transaction, exact_arithmetic():
            entered = transaction.enter(sorted(prepared.group.ranges))  # 3
            prepared = self._ours(prepared, entered, transaction)
            self._in_turn(prepared)  # 4
            prepared = self._with_reference(prepared, entered, transaction)  # 5
            facts, prepared = self._evaluate(prepared, entered, transaction)  # 6
            transaction.write(facts)  # 7
            transaction.commit(self._advances(prepared))  # 8
        nexts = {p: next_ for p, (_, next_) in prepared.group.ranges.items()}
        self.expected.update(nexts)
        return Committed(facts, prepared.reference, nexts)

    def _ours(self, prepared: Prepared, entered: Entered, transaction: Transaction) -> Prepared:
        """Step 3: without the partitions whose token another worker has taken."""
        lost = {
            partition
            for partition in prepared.group.ranges
            if entered.tokens.get(partition) != self._claims[partition].token
        }
        if not lost:
            return prepared
        self.lost_partitions |= lost
        items = [item for item in prepared.group.items if item.partition not in lost]
        if not items:
            raise Fenced(f"another worker holds partitions {sorted(lost)}")
        starts = {p: first for p, (first, _) in prepared.group.ranges.items()}
        records = preparation.group(items, starts)
        states = transaction.read_deals(records.deals())
        return preparation.decide(records, states, prepared.reference)

    def _in_turn(self, prepared: Prepared) -> None:
        """Step 4: nothing before this batch may be missing."""
        for partition, (first, _) in prepared.group.ranges.items():
            if first != self.expected[partition]:
                raise Fenced(
                    f"partition {partition}: offset {first} out of turn, expected "
                    f"{self.expected[partition]}"
                )

    def _with_reference(
        self, prepared: Prepared, entered: Entered, transaction: Transaction
    ) -> Prepared:
        """Step 5: decided on the reference data that stand now."""
        if prepared.reference.version == entered.reference_version:
            return prepared
        self._reference = Reference(transaction.read_reference())
        states = transaction.read_deals(prepared.group.deals())
        return preparation.decide(prepared.group, states, self._reference)

    def _evaluate(
        self, prepared: Prepared, entered: Entered, transaction: Transaction
    ) -> tuple[BatchFacts, Prepared]:
        """Step 6: behind the accounts' locks, on what is true now."""
        named = prepared.group.reaccrues
        needed = booking.accounts_needed(prepared).keys() | named
        locked = transaction.lock_accounts(sorted(needed))
        states = transaction.read_accounts(locked)
        prepared = self._recredit_moved(prepared, transaction)
        if not booking.accounts_needed(prepared).keys() <= states.keys():
            raise _BeginAgain
        in_force: dict[AccountId, list[Credit]] = {}
        if named:
            in_force = {account: [] for account in named if account in states}
            in_force.update(transaction.credits_in_force(sorted(in_force)))
        stamp = booking.Stamp(
            batch=transaction.next_batch(),
            booked_at=booking.booked_at(
                transaction.now(),
                entered.sealed_to,
                entered.reference_known_at,
                states.values(),
                prepared.steps.values(),
            ),
            topic=self._topic,
        )
        facts = booking.book(prepared, states, in_force, stamp)
        _fit(facts)
        named_in_vain = named - states.keys()
        if named_in_vain:
            log.warning("reaccrue_of_unknown_account", accounts=sorted(named_in_vain))
        return facts, prepared

    def _recredit_moved(self, prepared: Prepared, transaction: Transaction) -> Prepared:
        """Credit again, here, what another batch has moved since it was read."""
        deals = prepared.group.deals()
        versions = transaction.deal_versions(deals)
        moved = [deal for deal in deals if versions.get(deal, 0) != prepared.steps[deal].before]
        if not moved:
            return prepared
        states = transaction.read_deals(moved)
        steps = preparation.steps_of(moved, prepared.group, states, prepared.reference)
        return prepared._replace(steps={**prepared.steps, **steps})

    def _advances(self, prepared: Prepared) -> list[Advance]:
        return [
            self._advance(partition, next_, self.published_to[partition])
            for partition, (_, next_) in sorted(prepared.group.ranges.items())
        ]

    def _advance(self, partition: int, next_offset: int, published_to: int) -> Advance:
        return Advance(
            partition=partition,
            token=self._claims[partition].token,
            expected=self.expected[partition],
            next=next_offset,
            published_to=published_to,
        )

    def pass_to(self, delivered: Mapping[int, int]) -> None:
        """Move past control records, while nothing is prepared or under way."""
        passed = {p: end for p, end in delivered.items() if end > self.expected.get(p, end)}
        if not passed:
            return
        self._store.note_published([self._advance(p, end, end) for p, end in passed.items()])
        self.expected.update(passed)
        self._positions.update(passed)
        self.published_to.update(passed)

    def note_published(self, partitions: Sequence[int]) -> None:
        """On idle: `published_to` in a transaction of its own."""
        self._store.note_published(
            [self._advance(p, self.expected[p], self.published_to[p]) for p in partitions]
        )


def _unbookable(item: Item, error: Exception) -> Item:
    """A single record that the database will not take becomes a dead letter: it stops nothing."""
    refusal = Refusal(RefusalCode.UNBOOKABLE, "$", printable(str(error)))
    return item._replace(decoded=Refused(refusal, item.record, item.partition))


def _halves(items: Sequence[Item]) -> list[Sequence[Item]]:
    middle = len(items) // 2
    return [half for half in (items[:middle], items[middle:]) if half]


def _fit(facts: BatchFacts) -> None:
    """What Kafka would not take is refused before the commit.

    A mark that names too many accounts halves the batch; an account of too many cells is an error
    of its plan. All other facts have bounded fields.
    """
    mark_bytes = sum(len(account) + _MARK_BYTES_OF_ACCOUNT for account in facts.account_versions)
    if mark_bytes > limits.RECORD_BYTES_MAX:
        raise Aborted("the batch touches more accounts than its mark can name")
    for account in facts.accounts:
        if len(account.positions) > limits.ACCOUNT_POSITIONS_MAX:
            raise FactTooLarge(
                f"account {account.account_id} has {len(account.positions)} positions, at most "
                f"{limits.ACCOUNT_POSITIONS_MAX} fit in one record"
            )
