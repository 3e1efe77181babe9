"""The batch protocol when things go wrong between its steps: nothing is skipped, nothing doubled.

Each of these interleavings lost a whole batch in an earlier form of the protocol.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec
import pytest

from domain.exact import exact_arithmetic
from schemas import limits
from schemas.messages import DealChanged, DealStatus, RecreditDeal, SourceCompleteThrough
from schemas.reference import (
    Assignment,
    Calendar,
    Company,
    Curve,
    PayeeKey,
    Period,
    PeriodState,
    Person,
    PersonRole,
    Plan,
    Quota,
    ReferenceRows,
)
from schemas.transaction import Aborted, BadData, Fenced, Unreachable
from streams.batch import BatchProtocol
from streams.decoding import Refused, decode
from streams.facts import outgoing
from streams.ports import Record, Slice
from tests.database import START, plan
from tests.memory import EPOCH, MemoryStore

END = dt.date(2025, 1, 1)
pytestmark = pytest.mark.usefixtures("quick")


def reference() -> ReferenceRows:
    """Ada alone, over one year."""
    return ReferenceRows(
        version=1,
        known_at=EPOCH,
        company=Company(name="Solo", currency="USD", time_zone="UTC"),
        calendar=Calendar(
            weekend=(5, 6),
            holidays=(),
            day_starts=dt.time(9),
            day_ends=dt.time(17),
            curve=Curve.WORKING_DAYS,
        ),
        people=(Person(payee_id="a", role=PersonRole.REP, starts_on=START, ends_on=None),),
        payee_keys=(PayeeKey(source="crm", key="ada", payee_id="a"),),
        reporting_lines=(),
        periods=(
            Period(
                period_id="y", plan_year="y", starts_on=START, ends_on=END, state=PeriodState.OPEN
            ),
        ),
        quotas=(Quota(payee_id="a", period_id="y", amount=Decimal(1000)),),
        assignments=(
            Assignment(
                assignment_id="a-1",
                payee_id="a",
                plan_id=plan().plan_id,
                starts_on=START,
                ends_on=None,
                rate=None,
            ),
        ),
        plans=(Plan(plan_id=plan().plan_id, starts_on=START, ends_on=None, document=plan()),),
    )


def record(offset: int, partition: int = 0) -> Record:
    deal = DealChanged(
        source="crm",
        key=f"{partition}-{offset}",
        deal_id=f"crm:{partition}-{offset}",
        revision=1,
        changed_on=START,
        status=DealStatus.WON,
        amount="10.00",
        currency="USD",
        closed_on=START,
        owner_key="ada",
    )
    return Record(offset, b"k", msgspec.json.encode(deal), ())


def part(first: int, end: int, partition: int = 0, since: int | None = None) -> Slice:
    records = [record(offset, partition) for offset in range(first, end)]
    return Slice(partition, records, 1, first if since is None else since)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(reference())


@pytest.fixture
def protocol(store: MemoryStore) -> BatchProtocol:
    made = BatchProtocol(store, "deals")
    made.claimed(store.claim([0, 1], "test"))
    return made


def booked(store: MemoryStore) -> int:
    return len(store.deals)


def test_a_batch_after_a_lost_commit_is_out_of_turn(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """The database dies while N commits; N+1, prepared already, must not step over N."""
    first = protocol.prepare([part(0, 10)])
    second = protocol.prepare([part(10, 20)])
    store.faults = [("commit", Fenced("outcome unknown")), ("begin", Unreachable("gone"))]
    with pytest.raises(Fenced, match="unknown"):
        protocol.transact(first)
    with pytest.raises(Fenced, match="out of turn"):
        protocol.transact(second)
    assert (booked(store), store.claims[0].next_offset) == (0, 0)


def test_a_dropped_partition_does_not_hide_what_is_out_of_turn(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """N failed; N+1 loses its other partition to another worker, and still must not step over N."""
    first = protocol.prepare([part(0, 10)])
    second = protocol.prepare([part(10, 20), part(0, 5, partition=1)])
    store.faults = [("commit", Fenced("outcome unknown"))]
    with pytest.raises(Fenced, match="unknown"):
        protocol.transact(first)
    store.claim([1], "another worker")
    with pytest.raises(Fenced, match="out of turn"):
        protocol.transact(second)
    assert (booked(store), store.claims[0].next_offset) == (0, 0)


def test_a_partition_that_is_not_ours_is_dropped_and_the_others_go_on(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """The rest of the batch is booked; the worker is told to join anew."""
    prepared = protocol.prepare([part(0, 3), part(0, 5, partition=1)])
    store.claim([1], "another worker")
    protocol.transact(prepared)
    assert protocol.lost_partitions == {1}
    assert (store.claims[0].next_offset, store.claims[1].next_offset) == (3, 0)


def test_records_that_were_not_delivered_are_no_hole(protocol: BatchProtocol) -> None:
    """A slice that goes on behind where preparation stands: join anew and read again."""
    protocol.prepare([part(0, 10)])
    with pytest.raises(Fenced, match="10 to 15 were not delivered"):
        protocol.prepare([part(15, 20)])


def test_control_records_are_no_hole(store: MemoryStore, protocol: BatchProtocol) -> None:
    """A transaction's marker takes an offset and is never delivered."""
    protocol.transact(protocol.prepare([part(0, 10)]))
    protocol.transact(protocol.prepare([part(11, 12, since=10)]))
    assert (booked(store), store.claims[0].next_offset) == (11, 12)


def test_an_abort_tries_the_same_records_in_halves(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """In order, each once, whatever the cause."""
    store.faults = [("commit", Aborted("deadlock")), ("commit", Aborted("deadlock"))]
    done = protocol.transact(protocol.prepare([part(0, 10)]))
    assert [tuple(c.nexts.items()) for c in done] == [((0, 2),), ((0, 5),), ((0, 10),)]
    assert (booked(store), store.claims[0].next_offset) == (10, 10)


def test_a_commit_that_went_through_unseen_is_not_booked_again(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """Its outcome was unknown; after the next claim the same records change nothing."""
    store.faults = [("committed", Fenced("connection lost"))]
    with pytest.raises(Fenced):
        protocol.transact(protocol.prepare([part(0, 10)]))
    again = BatchProtocol(store, "deals")
    again.claimed(store.claim([0, 1], "test"))
    assert not again.prepare([part(0, 10)]).group.items
    assert [facts.batch for facts in store.unpublished({0: 0})] == [1]
    assert sum(len(facts.credits) for facts in store.batches) == 10


def test_one_record_that_the_database_will_not_take_stops_nothing(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """It becomes a dead letter by itself; its neighbours are booked."""
    store.faults = [("write", BadData("22021")), ("write", BadData("22021"))]
    protocol.transact(protocol.prepare([part(0, 2)]))
    refused = [row.message for facts in store.batches for row in facts.refused]
    assert [(m.code, m.offset) for m in refused] == [("unbookable", 0)]
    assert (booked(store), store.claims[0].next_offset) == (1, 2)


def test_what_is_published_is_worked_out_exactly(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """Encoding derives terms that booking remembers: it must not do so in everyday arithmetic."""
    (done,) = protocol.transact(protocol.prepare([part(0, 1)]))
    done.reference.memo.clear()
    records = outgoing(done.facts, done.reference)
    assert [r.topic for r in records] == ["credits", "accruals", "progress"]
    with exact_arithmetic():
        assert records == outgoing(done.facts, done.reference)


NUL = "\\u0000"
POISON = {
    "an unknown field's name": (f'{{"fo{NUL}o": 1}}', ()),
    "the type": ("{}", (("ce_type", b"a\x00b"),)),
    "a command's deal": (
        msgspec.json.encode(
            RecreditDeal(deal_id="crm:a\x00b", cause="test", reference_version=1)
        ).decode(),
        (("ce_type", b"paceboard.command.recredit-deal.v1"),),
    ),
    "a stamp at the end of time": (
        msgspec.json.encode(
            SourceCompleteThrough(
                source="crm", complete_through=dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
            )
        ).decode(),
        (("ce_type", b"paceboard.source.complete-through.v1"),),
    ),
}


@pytest.mark.parametrize("what", POISON)
def test_odd_records_become_dead_letters_that_can_be_kept(what: str) -> None:
    """None of them may reach the database as it is, and their problem can be stored."""
    value, headers = POISON[what]
    decoded = decode(Record(0, b"k", value.encode(), headers), 0)
    assert isinstance(decoded, Refused)
    assert "\x00" not in decoded.refusal.problem + decoded.refusal.where
    assert len(decoded.refusal.problem) <= limits.TEXT_LENGTH_MAX


def test_a_trace_that_is_none_is_left_out() -> None:
    """Only a W3C trace context is kept."""
    deal = record(0)
    for trace in (b"a\x00b", b"00-nonsense", b"\xff"):
        decoded = decode(deal._replace(headers=(("traceparent", trace),)), 0)
        assert decoded.traceparent is None  # type: ignore[union-attr]


def test_a_change_of_reference_data_meanwhile_decides_again(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """Prepared while the key named Ada; when it is booked, it names nobody."""
    prepared = protocol.prepare([part(0, 2)])
    store.rows = msgspec.structs.replace(store.rows, version=2, payee_keys=())
    (done,) = protocol.transact(prepared)
    assert (done.facts.reference_version, done.facts.credits) == (2, ())
    assert all(state.held for state in store.deals.values())


def test_a_new_claim_starts_where_the_database_stands(
    store: MemoryStore, protocol: BatchProtocol
) -> None:
    """What was prepared under the claim before and never booked is read again."""
    first = protocol.prepare([part(0, 10)])
    store.faults = [("commit", Fenced("outcome unknown"))]
    with pytest.raises(Fenced):
        protocol.transact(first)
    protocol.claimed(store.claim([0, 1], "test"))
    protocol.transact(protocol.prepare([part(0, 10)]))
    assert (booked(store), store.claims[0].next_offset) == (10, 10)
