"""Leases and the jobs that run under one: two holders, a lost lease, the relay's crashes."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from db import leases, relay
from db.connect import Connection
from db.leases import LeaseLost
from db.reference import reference_change
from deploy.local.stack import Stack
from schemas.ids import DealId
from schemas.messages import (
    Drain,
    Message,
    PeriodLocked,
    QuotaSet,
    Reaccrue,
    RecreditDeal,
)
from schemas.settings import Settings
from schemas.topics import DEALS
from streams.alerts import Alerts
from streams.business import Business
from streams.holding import Holding, Job
from streams.jobs import AlertOutbox, Jobs
from streams.outbound import Outbound, PublishFailed
from streams.relay import Reaccruing, Recrediting, Relay
from tests.books import Books, Heard, emptied, set_day, won
from tests.database import ADA, FIRST, company, connected, copied


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        yield given


@pytest.fixture
def conn(settings: Settings) -> Iterator[Connection]:
    emptied(settings)
    company(settings)
    with connected(settings, "worker") as conn:
        yield conn


@pytest.fixture
def holding(conn: Connection) -> Holding:
    lease = leases.take(conn, "jobs", "one")
    assert lease is not None
    return Holding(conn, lease)


# ---- leases ----


def test_one_holds_and_another_takes_over_when_it_ends(conn: Connection) -> None:
    first = leases.take(conn, "jobs", "one", seconds=0.3)
    assert first is not None
    assert leases.take(conn, "jobs", "two") is None
    time.sleep(0.4)
    second = leases.take(conn, "jobs", "two")
    assert second is not None
    assert second.token > first.token
    with pytest.raises(LeaseLost):
        leases.renew(conn, first)


def test_renewing_keeps_it_and_giving_it_back_frees_it(conn: Connection) -> None:
    first = leases.take(conn, "jobs", "one", seconds=0.3)
    assert first is not None
    leases.renew(conn, first, seconds=60)
    time.sleep(0.4)
    assert leases.take(conn, "jobs", "two") is None
    leases.release(conn, first)
    assert leases.take(conn, "jobs", "two") is not None


def test_a_process_need_not_wait_for_its_own_lease(conn: Connection) -> None:
    first = leases.take(conn, "jobs", "one")
    again = leases.take(conn, "jobs", "one")
    assert first is not None
    assert again is not None
    assert again.token > first.token


def test_a_holder_that_lost_its_lease_commits_nothing(conn: Connection) -> None:
    first = leases.take(conn, "jobs", "one", seconds=0)
    assert first is not None
    time.sleep(0.01)
    assert leases.take(conn, "jobs", "two") is not None
    with pytest.raises(LeaseLost):
        Holding(conn, first).write(lambda: relay.note_sent(conn, [(1, {})]))
    assert conn.execute("SELECT count(*) FROM relay_sent").fetchone() == (0,)


def test_two_workers_take_turns(settings: Settings, conn: Connection) -> None:
    ran: list[str] = []

    class Noting:
        name = "noting"
        pause_s = 0.01

        def __init__(self, owner: str) -> None:
            self._owner = owner

        def step(self, holding: Holding) -> bool:
            ran.append(self._owner)
            return False

    with running(settings, Heard(), "one", lambda: [Noting("one")]) as stop_one:
        wait_for(lambda: "one" in ran)
        with running(settings, Heard(), "two", lambda: [Noting("two")]):
            time.sleep(0.3)
            assert "two" not in ran
            stop_one.set()
            wait_for(lambda: "two" in ran)  # it was given back: nobody waits for its end
    assert ran == sorted(ran)  # never both


def test_a_job_that_fails_does_not_stop_the_others(settings: Settings, conn: Connection) -> None:
    steps: list[str] = []

    class Failing:
        name = "failing"
        pause_s = 0.0

        def step(self, holding: Holding) -> bool:
            steps.append("failing")
            raise RuntimeError("as the test asked")

    class Working(Failing):
        name = "working"

        def step(self, holding: Holding) -> bool:
            steps.append("working")
            return False

    with running(settings, Heard(), "one", lambda: [Failing(), Working()]):
        wait_for(lambda: steps.count("working") > 10)
    assert steps.count("failing") <= 2  # it is tried again after a pause that grows


@contextmanager
def running(
    settings: Settings, outbound: Outbound, owner: str, make: object
) -> Iterator[threading.Event]:
    def jobs(settings: Settings, outbound: Outbound, conn: Connection) -> Sequence[Job]:
        made: Sequence[Job] = make()  # type: ignore[operator]
        return made

    stop = threading.Event()
    thread = threading.Thread(
        target=Jobs(settings, outbound, make=jobs, owner=owner).run, args=[stop]
    )
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def wait_for(done: object, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


# ---- the relay ----


def announce(settings: Settings, *messages: Message) -> None:
    with (
        connected(settings, "api") as conn,
        reference_change(conn, actor="test", action="test", entity="test") as change,
    ):
        change.put("quotas", [{"payee_id": ADA, "period_id": FIRST, "amount": change.version}])
        for message in messages:
            change.announce(message)


def quota_set(version: int) -> QuotaSet:
    return QuotaSet(
        entity=f"quota/{ADA}/{FIRST}",
        payee_id=ADA,
        period=FIRST,
        quota="1",
        currency="USD",
        reference_version=version,
        known_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    )


def recredit(deal: str) -> RecreditDeal:
    return RecreditDeal(deal_id=deal, cause="test", reference_version=1)


def test_rows_are_sent_in_order_and_remembered_with_their_offsets(
    settings: Settings, holding: Holding
) -> None:
    heard = Heard()
    announce(settings, recredit("crm:1"), recredit("crm:2"))
    with connected(settings, "api") as api:
        drain = relay.put(api, Drain(drain_id="d", round=1))
    assert Relay(heard).step(holding) is False
    assert [m.deal_id for m in heard.of(RecreditDeal)] == ["crm:1", "crm:2"]
    assert heard.broadcasts == [Drain(drain_id="d", round=1)]
    offsets = relay.sent_offsets(holding.conn, drain)
    assert offsets is not None
    assert set(offsets) == set(range(DEALS.partitions))  # it stands in every partition
    assert relay.unsent(holding.conn, 10) == []
    Relay(heard).step(holding)
    assert heard.messages == []


def test_a_crash_before_it_is_noted_sends_again(settings: Settings, holding: Holding) -> None:
    heard = Heard()
    announce(settings, recredit("crm:1"))
    lost = Holding(holding.conn, holding.lease._replace(token=0))
    with pytest.raises(LeaseLost):
        Relay(heard).step(lost)  # sent, and not noted
    Relay(heard).step(holding)
    assert heard.of(RecreditDeal) == [recredit("crm:1"), recredit("crm:1")]


def test_a_row_that_becomes_visible_late_is_sent_too(settings: Settings, holding: Holding) -> None:
    heard = Heard()
    with connected(settings, "api") as slow, connected(settings, "api") as quick:
        with slow.transaction():
            early = relay.put(slow, recredit("crm:slow"))
            late = relay.put(quick, recredit("crm:quick"))
            assert early < late
            Relay(heard).step(holding)
        Relay(heard).step(holding)
    assert [m.deal_id for m in heard.of(RecreditDeal)] == ["crm:quick", "crm:slow"]


def test_what_cannot_be_published_stays(settings: Settings, holding: Holding) -> None:
    heard = Heard()
    heard.failures = 1
    announce(settings, recredit("crm:1"))
    with pytest.raises(PublishFailed):
        Relay(heard).step(holding)
    assert len(relay.unsent(holding.conn, 10)) == 1


def test_a_drain_round_is_over_when_every_partition_has_published_it(
    settings: Settings, holding: Holding
) -> None:
    topic = DEALS.full_name(settings.topic_prefix)
    offsets = {0: 1, 1: 1}
    books = Books(settings)
    try:
        assert relay.not_published(holding.conn, topic, offsets) == [0, 1]
        books.book(won("1", "1.00", dt.date(2024, 2, 1)))
        assert relay.not_published(holding.conn, topic, offsets) == [1]
        assert relay.not_applied(holding.conn, topic, {0: 1}) == []
    finally:
        books.close()


# ---- what a reference change may move ----


def test_held_deals_are_sent_once_per_reference_version(
    settings: Settings, holding: Holding
) -> None:
    heard = Heard()
    books = Books(settings)
    try:
        books.book(won("1", "10.00", dt.date(2024, 2, 1), owner="p-nobody"))
        job = Recrediting(heard, settings)
        settle(job, holding, settings)
        (command,) = heard.of(RecreditDeal)
        assert command.deal_id == DealId("crm:1")
        settle(job, holding, settings)
        settle(Recrediting(heard, settings), holding, settings)  # another worker knows it too
        assert heard.messages == []
        announce(settings)
        settle(job, holding, settings)
        assert len(heard.of(RecreditDeal)) == 1
    finally:
        books.close()


def test_accounts_that_would_earn_otherwise_are_sent(settings: Settings, holding: Holding) -> None:
    heard = Heard()
    books = Books(settings)
    try:
        books.book(won("1", "150000.00", dt.date(2024, 2, 1)))
        job = Reaccruing(heard, settings, Business(holding.conn))
        settle(job, holding, settings)
        assert heard.messages == []  # all is as it should be
        announce(settings)  # Ada's quota is tiny now: most of it is paid by the second tier
        settle(job, holding, settings)
        (command,) = heard.of(Reaccrue)
        assert command.account_id == f"{ADA}.FY2024"
        books.close()
        books = Books(settings)  # claims from where `settle` put the partitions
        books.book(command)
        settle(Reaccruing(heard, settings, Business(holding.conn)), holding, settings)
        assert heard.messages == []
    finally:
        books.close()


def settle(job: Job, holding: Holding, settings: Settings) -> None:
    """Step until nothing is left, with every partition far ahead."""
    topic = DEALS.full_name(settings.topic_prefix)
    holding.conn.execute(
        "UPDATE partitions SET next_offset = greatest(next_offset, 100) WHERE topic = %s", (topic,)
    )
    for _ in range(20):
        if not job.step(holding):
            return
    raise AssertionError("it never ends")


# ---- alerts leave ----


def test_alerts_leave_once_in_the_order_they_were_written(
    settings: Settings, holding: Holding
) -> None:
    alerts = Alerts(holding.conn, Business(holding.conn))
    for day in (5, 6):
        set_day(settings, dt.date(2024, 2, day))
        alerts.on_tick()
    heard = Heard()
    heard.failures = 1
    job = AlertOutbox(heard)
    with pytest.raises(PublishFailed):
        job.step(holding)
    job.step(holding)
    assert [type(message).__name__ for message in heard.messages] == ["AlertRaised"] * 3
    job.step(holding)
    assert len(heard.messages) == 3


def test_outward_events_leave_by_the_same_way(settings: Settings, holding: Holding) -> None:
    heard = Heard()
    announce(settings, quota_set(2))
    Relay(heard).step(holding)
    assert heard.of(QuotaSet) == [quota_set(2)]
    assert heard.of(PeriodLocked) == []


def test_the_jobs_thread_outlives_a_fault_of_its_own(settings: Settings, conn: Connection) -> None:
    made: list[int] = []

    def make() -> list[Job]:
        made.append(1)
        if len(made) == 1:
            raise RuntimeError("as the test asked")
        return []

    with running(settings, Heard(), "one", make):
        wait_for(lambda: len(made) == 2)
