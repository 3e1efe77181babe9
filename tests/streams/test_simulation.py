"""Whatever dies between any two steps, in any order: nothing lost, nothing twice, no cent wrong.

Two workers on an in-memory log and store, moved step by step by a state machine: records in any
partition and order, doubled; crashes, lost answers, zombies, reassignments, reference data and
locks in flight. `make simulation` runs for minutes; a failing run is printed as the calls that play
it again.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain import accounts, contract
from domain.exact import exact_arithmetic
from domain.reference import Reference
from schemas.messages import Reaccrue, RecreditDeal
from schemas.state import BatchFacts
from schemas.transaction import Aborted, Fenced, Unreachable
from tests.domain.builders import Books
from tests.laws import oracle
from tests.laws import test_laws as laws
from tests.laws.world import LATER, LOCKED, USUAL, facet, record
from tests.memory import MemoryStore
from tests.streams.simulated import MemoryLog, Worker, told

IS_SHRUNK = "SIMULATION_AS_FOUND" not in os.environ  # to look for the smallest run takes minutes
PARTITIONS = 2
NAMES = ("left", "right")
FAULTS = (
    ("write", Aborted("deadlock")),
    ("commit", Unreachable("gone")),
    ("commit", Aborted("serialisation")),
    ("committed", Fenced("the answer to COMMIT was lost")),
    ("now", Aborted("lock time-out")),
    ("note published", Aborted("lock time-out")),
)
SENT_MEANWHILE, REFERRED_MEANWHILE = 0.2, 0.05
seeds = st.integers(0, 10**9)


class Simulation(RuleBasedStateMachine):
    """Rules are what may happen next; `teardown` lets a last worker finish and looks at it all."""

    played = 0  # how many runs so far, and which failed first
    failed_at: int | None = None

    def __init__(self) -> None:
        super().__init__()
        Simulation.played += 1
        self.store = MemoryStore(USUAL.rows, PARTITIONS)
        self.log = MemoryLog(PARTITIONS)
        self.workers: dict[str, Worker] = {}
        self.moving: Worker | None = None
        self.sent: list[Any] = []
        self.referred = {USUAL.rows.version: USUAL.rows}  # by version
        self.store.between = self._between

    def _between(self, step: str) -> None:
        if self.moving is not None:
            self.moving.pause(step)

    @initialize(seed=seeds, count=st.integers(1, 30))
    def start(self, seed: int, count: int) -> None:
        self.workers = {name: self._worker(name) for name in NAMES}
        self._assign({0: NAMES[0], 1: NAMES[1]})
        self.send(seed, count)

    def _worker(self, name: str) -> Worker:
        return Worker(name, self.store, self.log)

    def _assign(self, owners: dict[int, str]) -> None:
        self.log.owners = owners
        self.log.generation += 1

    # ---- what comes in ----

    @rule(seed=seeds, count=st.integers(1, 6))
    def send(self, seed: int, count: int) -> None:
        """Revisions of a few deals, in whatever partition their producer chose."""
        chance = random.Random(seed)
        for _ in range(count):
            made = chance.choice((record, record, record, facet))(chance)
            if contract.check(made) is None:
                self.sent.append(made)
                self.log.send(chance.randrange(PARTITIONS), made)

    @precondition(lambda self: self.sent)
    @rule(seed=seeds)
    def send_again(self, seed: int) -> None:
        chance = random.Random(seed)
        self.log.send(chance.randrange(PARTITIONS), chance.choice(self.sent))

    @precondition(lambda self: not self.store.inside)
    @rule(rows=st.sampled_from((USUAL.rows, LOCKED.rows, LATER.rows)), seed=seeds)
    def refer(self, rows: Any, seed: int) -> None:
        """Through the turnstile, exclusively; then the commands for all that it may touch."""
        chance = random.Random(seed)
        version = self.store.rows.version + 1
        self.store.rows = msgspec.structs.replace(rows, version=version, known_at=self.store.tick())
        self.referred[version] = self.store.rows
        for name in sorted(self.store.deals):
            self.log.send(
                chance.randrange(PARTITIONS),
                RecreditDeal(deal_id=name, cause="test", reference_version=version),
            )
        for account in sorted(self.store.accounts):
            self.log.send(
                chance.randrange(PARTITIONS),
                Reaccrue(account_id=account, cause="test", reference_version=version),
            )

    # ---- what workers do, and what is done to them ----

    @rule(name=st.sampled_from(NAMES), steps=st.integers(1, 60))
    def move(self, name: str, steps: int) -> None:
        for _ in range(steps):
            self._move(self.workers[name])

    @rule(seed=seeds, steps=st.integers(1, 200))
    def race(self, seed: int, steps: int) -> None:
        """Both at once: who is next is a matter of chance, some steps in a row or one."""
        chance = random.Random(seed)
        while steps > 0:
            some = chance.choice((1, 1, 2, 5, 20))
            steps -= some
            if chance.random() < SENT_MEANWHILE:
                self.send(chance.randrange(10**9), chance.randint(1, 4))
            if chance.random() < REFERRED_MEANWHILE and not self.store.inside:
                rows = chance.choice((USUAL.rows, LOCKED.rows, LATER.rows))
                self.refer(rows, chance.randrange(10**9))
            name = chance.choice(NAMES)
            for _ in range(some):
                self._move(self.workers[name])

    def _move(self, worker: Worker) -> None:
        self._while_moving(worker, worker.move)

    def _kill(self, worker: Worker) -> None:
        self._while_moving(worker, worker.kill)

    def _while_moving(self, worker: Worker, act: Callable[[], None]) -> None:
        self.moving = worker
        try:
            act()
        finally:
            self.moving = None

    @rule(name=st.sampled_from(NAMES), sizes=st.lists(st.integers(1, 8), min_size=1, max_size=2))
    def size(self, name: str, sizes: list[int]) -> None:
        self.workers[name].sizes = sizes

    @rule(name=st.sampled_from(NAMES))
    def crash(self, name: str) -> None:
        """kill -9, and a new process under the same name; the group notices later or never."""
        self._kill(self.workers[name])
        self.workers[name] = self._worker(name)

    @rule(name=st.sampled_from(NAMES), fault=st.sampled_from(FAULTS))
    def fail(self, name: str, fault: tuple[str, Exception]) -> None:
        step, error = fault
        self.workers[name].faults[step] = error

    @rule(owners=st.tuples(*(st.sampled_from(NAMES),) * PARTITIONS))
    def reassign(self, owners: tuple[str, ...]) -> None:
        """Who does not move meanwhile is a zombie: it goes on where it stood."""
        self._assign(dict(enumerate(owners)))

    # ---- what must hold ----

    @invariant()
    def what_is_noted_as_published_was_published(self) -> None:
        published = self.log.ids()
        for facts in self.store.batches:
            for part in facts.sources:
                noted = max(
                    self.store.claims[part.partition].published_to,
                    self.log.acknowledged[part.partition],
                )
                if part.first < noted:
                    missing = [one for one in self._events(facts) if one not in published]
                    assert not missing, f"batch {facts.batch} was acknowledged without {missing}"
        for partition, offset in self.log.acknowledged.items():
            assert offset <= self.store.claims[partition].next_offset, "acknowledged, not booked"

    def _events(self, facts: BatchFacts) -> list[tuple[str, str]]:
        rows = [("credits", row.credit.credit_id) for row in facts.credits]
        return rows + [("accruals", row.entry.entry_id) for row in facts.entries]

    @invariant()
    def only_what_stands_is_published(self) -> None:
        standing = {one for facts in self.store.batches for one in self._events(facts)}
        shown = {one for one in self.log.ids() if one[0] in {"credits", "accruals"}}
        assert shown <= standing, "published before it was committed"

    @invariant()
    def money_stands_in_one_place(self) -> None:
        """Each credit in force was booked, and what was reversed stands nowhere (law 11)."""
        in_force = Counter(
            (one.account_id, one.segment, one.origin_period)
            for state in self.store.deals.values()
            for one in state.credits
        )
        booked: Counter[Any] = Counter()
        for facts in self.store.batches:
            for row in facts.credits:
                sign = 1 if row.credit.reverses is None else -1
                key = (row.credit.account_id, row.credit.segment, row.credit.origin_period)
                booked[key] += sign
        assert +booked == in_force
        assert not -booked

    def teardown(self) -> None:
        has_failed = _is_failure(sys.exc_info()[1])
        is_cut = sys.exc_info()[0] is not None
        try:
            for worker in self.workers.values():
                self._kill(worker)
            if not is_cut:
                self._finish()
        except Exception:
            has_failed = True
            raise
        finally:
            if has_failed and Simulation.failed_at is None:
                Simulation.failed_at = Simulation.played

    def _finish(self) -> None:
        assert not self.store.inside and not self.store.locks
        last = self._worker("last")
        self._assign(dict.fromkeys(range(PARTITIONS), last.name))
        for _ in range(1000):
            last.round()
            claims = self.store.claims
            if {p: claim.published_to for p, claim in claims.items()} == self.log.ends():
                break
        else:
            raise AssertionError(f"it does not end: {claims} of {self.log.ends()}")
        self._require_laws()

    def _require_laws(self) -> None:
        reference = Reference(self.store.rows)
        books = Books(reference)
        books.deals.update(self.store.deals)
        books.accounts.update(
            {name: account for name, account in self.store.accounts.items() if account.version}
        )
        batches = self.store.batches
        books.credits.extend(row.credit for facts in batches for row in facts.credits)
        books.entries.extend(row.entry for facts in batches for row in facts.entries)
        records = [(one, contract.content_digest(one)) for one in self.sent]
        truth = oracle.truth(records, reference.rows)
        laws.assert_true(books, truth)  # laws 1 and 9
        for account in books.accounts.values():  # laws 2 and 3
            with exact_arithmetic():
                scratch = accounts.payout_of(
                    account.positions, accounts.terms_of(account, reference)
                )
            for cell in account.positions:
                assert scratch[cell.segment, cell.component, cell.period_id] == cell.earned
        for state in books.deals.values():  # law 4
            laws.assert_worth(state, truth.worth.get(state.deal_id))
        self._require_each_once(batches)
        self._require_published(batches)

    def _require_each_once(self, batches: list[BatchFacts]) -> None:
        seen = Counter(
            (row.seen.source, row.seen.key, row.seen.revision, row.seen.digest)
            for facts in batches
            for row in facts.revisions
        )
        wanted = {
            (one.source, one.key, one.revision, contract.content_digest(one)) for one in self.sent
        }
        assert seen == dict.fromkeys(wanted, 1), "a revision was lost or booked twice"
        for kind in (
            Counter(row.credit.credit_id for facts in batches for row in facts.credits),
            Counter(row.entry.entry_id for facts in batches for row in facts.entries),
        ):
            assert all(count == 1 for count in kind.values())
        offsets = Counter(
            (part.partition, offset)
            for facts in batches
            for part in facts.sources
            for offset in range(part.first, part.next)
        )
        ends = self.log.ends()
        assert offsets == {(p, n): 1 for p, end in ends.items() for n in range(end)}
        self._require_order(batches)

    def _require_order(self, batches: list[BatchFacts]) -> None:
        """booked_at: later than all that a batch stands on; no locked period takes money."""
        latest: dict[str, Any] = {}
        for facts in batches:
            touched = [a.account_id for a in facts.accounts]
            touched += [row.state.deal_id for row in facts.deals]
            for name in touched:
                assert name not in latest or latest[name] < facts.booked_at, f"{name}: booked_at"
                latest[name] = facts.booked_at
            rows = self.referred[facts.reference_version]
            for row in facts.entries:
                assert not oracle.is_locked(rows, row.entry.booking_period)

    def _require_published(self, batches: list[BatchFacts]) -> None:
        """Law 7: de-duplicated by id, what was published is exactly the rows."""
        published = self.log.ids()
        events = {one for facts in batches for one in self._events(facts)}
        assert {one for one in published if one[0] in {"credits", "accruals"}} == events
        for name, records in published.items():
            if name[0] in {"credits", "accruals"}:
                said = {msgspec.json.encode(told(one)) for one in records}
                assert len(said) == 1, f"{name} was published with two contents"


def _is_failure(error: BaseException | None) -> bool:
    """Whether something failed, rather than that Hypothesis wants no more of this run."""
    return isinstance(error, Exception) and not type(error).__module__.startswith("hypothesis")


@pytest.mark.usefixtures("quick")
def test_the_laws_hold_whatever_dies() -> None:
    asked = os.environ.get("SIMULATION_EXAMPLES")
    Simulation.played, Simulation.failed_at = 0, None
    try:
        run_state_machine_as_test(
            Simulation,
            settings=settings(
                max_examples=int(asked or "60"),
                stateful_step_count=40,
                deadline=None,
                derandomize=asked is None,
                phases=tuple(Phase) if IS_SHRUNK else (Phase.generate,),
                report_multiple_bugs=False,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        played = f"runs played: {Simulation.played}; failed first: {Simulation.failed_at}"
        print(played)  # noqa: T201 (for people, and for tests/planted)
