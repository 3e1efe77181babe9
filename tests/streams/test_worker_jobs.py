"""What follows the deals, through a whole worker: both processes, real Kafka, a real database.

Plan (tests/database.py): 1.5 % of sales, 3 % beyond a quota of 100,000; a manager gets 0.5 % of
what her sellers sell.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from api.period_lock import lock_period
from db.reference import reference_change
from deploy.local.stack import Stack
from schemas.ids import AccountId
from schemas.messages import (
    BINDINGS,
    AlertRaised,
    Drain,
    Message,
    PeriodLocked,
    Reaccrue,
    RecreditDeal,
    Role,
)
from schemas.settings import Settings
from schemas.topics import DEALS
from tests.books import set_day, won
from tests.database import ADA, BEN, FIRST, MEG, SECOND, YEAR, company, connected, copied
from tests.services import unique_name
from tests.workers import (
    Sent,
    WorkerProcess,
    published,
    send,
    settle,
    tail,
    wait_until,
    with_topics,
    worker,
)

M = TypeVar("M", bound=Message)
Row = tuple[Any, ...]

ADA_ACCOUNT, BEN_ACCOUNT, MEG_ACCOUNT = (AccountId(f"{payee}.{YEAR}") for payee in (ADA, BEN, MEG))
FEBRUARY, MARCH, MAY = dt.date(2024, 2, 1), dt.date(2024, 3, 1), dt.date(2024, 5, 1)
GONE_S = 10  # a few seconds, on a machine that does other things too
BOOKED = (
    "SELECT * FROM credits ORDER BY credit_id",
    "SELECT * FROM ledger ORDER BY entry_id",
    "SELECT * FROM positions ORDER BY account_id, segment, component, period_id",
    "SELECT * FROM holds ORDER BY deal_id",
    "SELECT account_id, version FROM accounts ORDER BY account_id",
    "SELECT count(*) FROM deals",
    "SELECT count(*) FROM dead_letters",
    "SELECT period_id, account_id, statement_hash FROM statements ORDER BY 1, 2",
)


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        ready = with_topics(given, unique_name("jobs"))
        company(ready)
        set_day(ready, dt.date(2024, 4, 2))
        yield ready


@pytest.fixture(scope="module")
def running(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with worker(settings, tmp_path_factory.mktemp("worker") / "worker.log") as process:
        yield process


def rows(settings: Settings, statement: str, *args: Any) -> list[Row]:
    with connected(settings, "worker") as conn:
        return conn.execute(statement.encode(), args).fetchall()


def record(message: Message, *, partition: int | None = None) -> Sent:
    """A message as its own producer would write it."""
    binding = BINDINGS[type(message)]
    return Sent(
        msgspec.json.encode(message),
        binding.key(message).encode(),
        (("ce_type", binding.type.encode()),),
        partition,
    )


def book(settings: Settings, process: WorkerProcess, *messages: Message) -> None:
    """Send them through Kafka; when it returns they are booked and published."""
    send(settings, [record(message) for message in messages])
    settle(settings, process)


def on_topic(settings: Settings, kind: type[M]) -> list[M]:
    """All messages of that type on their topic."""
    binding = BINDINGS[kind]
    return [
        msgspec.json.decode(found.value, type=kind)
        for found in published(settings, binding.topic)
        if dict(found.headers).get("ce_type") == binding.type.encode()
    ]


def booked(settings: Settings) -> list[list[Row]]:
    """All that commands could move."""
    return [rows(settings, statement) for statement in BOOKED]


def earned(settings: Settings, payee: str, period: str = SECOND) -> Decimal:
    ((found,),) = rows(
        settings,
        "SELECT coalesce(sum(p.earned), 0) FROM positions p JOIN accounts USING (account_id)"
        " WHERE payee_id = %s AND p.period_id = %s",
        payee,
        period,
    )
    assert isinstance(found, Decimal)
    return found


# ---- locking ----


def test_a_period_is_locked_through_the_worker(settings: Settings, running: WorkerProcess) -> None:
    """Two rounds of Drain in every partition; statements freeze; what is late goes on."""
    book(settings, running, won("l1", "80000.00", FEBRUARY), won("l2", "500.00", MARCH, owner=BEN))
    with connected(settings, "api") as api:
        result = lock_period(api, settings, FIRST, actor="finance")
    assert not result.was_locked_already
    assert result.frozen == (3, 3)
    drains = [d for d in on_topic(settings, Drain) if d.drain_id.startswith(f"lock.{FIRST}.")]
    assert sorted(d.round for d in drains) == [1] * DEALS.partitions + [2] * DEALS.partitions
    assert len({d.drain_id for d in drains}) == 1
    (locked,) = on_topic(settings, PeriodLocked)
    assert (locked.period, locked.reference_version) == (FIRST, result.reference_version)
    frozen = statements(settings)
    assert {account: row[0] for account, row in frozen.items()} == {
        ADA_ACCOUNT: Decimal("1200.00"),  # 80,000 x 1.5 %
        BEN_ACCOUNT: Decimal("7.50"),
        MEG_ACCOUNT: Decimal("402.50"),
    }

    book(settings, running, won("l3", "40000.00", MARCH))
    assert statements(settings) == frozen
    late = rows(
        settings,
        "SELECT account_id, booking_period, origin_period, kind, earned FROM ledger"
        " WHERE booking_period <> origin_period ORDER BY 1",
    )
    assert late == [
        # 20,000 x 1.5 % to quota and 20,000 x 3 % beyond
        (ADA_ACCOUNT, SECOND, FIRST, "adjustment", Decimal("900.00")),
        (MEG_ACCOUNT, SECOND, FIRST, "adjustment", Decimal("200.00")),
    ]
    assert earned(settings, ADA, FIRST) == Decimal("2100.00")


def statements(settings: Settings) -> dict[str, tuple[Decimal, str]]:
    """(earned, hash) of each account's statement of the first period."""
    found = rows(
        settings,
        "SELECT account_id, earned, statement_hash FROM statements WHERE period_id = %s",
        FIRST,
    )
    return {account: (money, hash_) for account, money, hash_ in found}


# ---- what a change of reference data moves by itself ----


def test_a_hold_is_gone_once_its_payee_is_known(settings: Settings, running: WorkerProcess) -> None:
    key = unique_name("newcomer")
    deal = won(unique_name("held"), "1000.00", MAY, owner=key)
    book(settings, running, deal)
    assert rows(settings, "SELECT reason FROM holds WHERE deal_id = %s", deal.deal_id) == [
        ("unknown_payee",)
    ]
    with (
        connected(settings, "api") as conn,
        reference_change(conn, actor="test", action="add key", entity=key) as change,
    ):
        change.put("payee_keys", [{"source": "crm", "key": key, "payee_id": ADA}])
    wait_until(
        lambda: not rows(settings, "SELECT FROM holds WHERE deal_id = %s", deal.deal_id),
        "release of the hold",
        running,
    )
    credited = rows(
        settings,
        "SELECT payee_id, role, amount, cause FROM credits WHERE deal_id = %s ORDER BY role",
        deal.deal_id,
    )
    assert [row[:3] for row in credited] == [
        (ADA, Role.OWNER.value, Decimal("1000.00")),
        (MEG, Role.ROLLUP.value, Decimal("1000.00")),
    ]
    commands = [c for c in on_topic(settings, RecreditDeal) if c.deal_id == deal.deal_id]
    assert [command.reference_version for command in commands] == [change.version]


def test_a_changed_quota_moves_pay(settings: Settings, running: WorkerProcess) -> None:
    book(settings, running, won(unique_name("quota"), "60000.00", MAY, owner=BEN))
    assert earned(settings, BEN) == Decimal("900.00")  # 60,000 x 1.5 %
    with (
        connected(settings, "api") as conn,
        reference_change(conn, actor="test", action="set quota", entity=BEN) as change,
    ):
        row = {"payee_id": BEN, "period_id": SECOND, "amount": Decimal(40_000)}
        change.put("quotas", [row])
    # 40,000 x 1.5 % and 20,000 x 3 %
    wait_until(lambda: earned(settings, BEN) == Decimal("1200.00"), "the new pay", running)
    assert rows(
        settings,
        "SELECT component, credited, earned, credits, cause FROM ledger"
        " WHERE account_id = %s AND reference_version = %s",
        BEN_ACCOUNT,
        change.version,
    ) == [("own", Decimal(0), Decimal("300.00"), 0, "command")]
    commands = [c for c in on_topic(settings, Reaccrue) if c.account_id == BEN_ACCOUNT]
    assert [command.reference_version for command in commands] == [change.version]


# ---- commands again ----


def test_commands_sent_twice_change_nothing(settings: Settings, running: WorkerProcess) -> None:
    good = won(unique_name("good"), "10.00", MAY)
    held = won(unique_name("held"), "5.00", MAY, owner=unique_name("nobody"))
    book(settings, running, good, held)
    before = booked(settings)
    version = 1
    commands: list[Message] = [
        *(
            RecreditDeal(deal_id=deal_id, cause="by hand", reference_version=version)
            for deal_id in (good.deal_id, held.deal_id, "crm:never-heard-of")
        ),
        *(
            Reaccrue(account_id=account, cause="by hand", reference_version=version)
            for account in (ADA_ACCOUNT, MEG_ACCOUNT, "p-nobody.FY1999")
        ),
    ]
    for _ in range(2):
        drain = Drain(drain_id="by-hand", round=1)
        send(
            settings,
            [
                *(record(command) for command in commands),
                *(record(drain, partition=n) for n in range(DEALS.partitions)),
            ],
        )
        settle(settings, running)
        assert booked(settings) == before
    after = won(unique_name("after"), "10.00", MAY)
    book(settings, running, after)
    assert rows(settings, "SELECT outcome FROM deals WHERE deal_id = %s", after.deal_id) == [
        ("credited",)
    ]


# ---- alerts ----


def test_an_alert_arrives_on_its_topic(settings: Settings, running: WorkerProcess) -> None:
    """Meg sells nothing herself. On Friday 4 of 65 working days are over, the first share above
    5 %; on Monday she is off pace for the second working day."""
    friday, monday = dt.date(2024, 4, 5), dt.date(2024, 4, 8)
    set_day(settings, friday)
    wait_until(lambda: looked_on(settings) == friday, "a look on Friday", running)
    assert on_topic(settings, AlertRaised) == []
    set_day(settings, monday)
    wait_until(lambda: raised(settings, MEG_ACCOUNT) != [], "Meg's alert on the topic", running)
    (alert,) = raised(settings, MEG_ACCOUNT)
    assert (alert.period, alert.business_date) == (SECOND, monday)
    assert (alert.payee_id, alert.credited, alert.curve) == (MEG, "0", "working_days")
    time.sleep(1)
    assert raised(settings, MEG_ACCOUNT) == [alert]


def looked_on(settings: Settings) -> dt.date | None:
    ((day,),) = rows(settings, "SELECT max(evaluated_on) FROM alerts")
    assert day is None or isinstance(day, dt.date)
    return day


def raised(settings: Settings, subject: str) -> list[AlertRaised]:
    return [alert for alert in on_topic(settings, AlertRaised) if alert.subject == subject]


# ---- two processes that live and die together ----


@pytest.fixture
def pair(
    stack: Stack, migrated_template: str, tmp_path: Path
) -> Iterator[tuple[WorkerProcess, int]]:
    """A worker of its own, at work, and the process id of its followers."""
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("pair"))
        company(settings)
        with worker(settings, tmp_path / "worker.log") as process:
            book(settings, process, won("1", "10.00", FEBRUARY))
            wait_until(lambda: lease_owner(settings) is not None, "a holder of the lease", process)
            followers = lease_owner(settings)
            assert followers is not None
            assert parent_of(followers) == process.process.pid
            try:
                yield process, followers
            finally:
                if is_there(followers):
                    os.kill(followers, signal.SIGKILL)


def lease_owner(settings: Settings) -> int | None:
    """The process that runs the leased jobs: an owner is host-pid-token."""
    found = rows(settings, "SELECT owner FROM leases WHERE held_until > clock_timestamp()")
    return int(found[0][0].rsplit("-", 2)[1]) if found else None


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_there(pid: int) -> bool:
    """A zombie is gone: whoever adopted it has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_without_its_followers_ends(pair: tuple[WorkerProcess, int]) -> None:
    process, followers = pair
    os.kill(followers, signal.SIGKILL)
    assert process.process.wait(60) == 1, tail(process.log)
    assert "process_beside_ended" in process.log.read_text()


def test_followers_without_their_worker_end(pair: tuple[WorkerProcess, int]) -> None:
    process, followers = pair
    process.kill()
    assert wait_until(lambda: not is_there(followers), "end of the followers") < GONE_S


def test_a_worker_told_to_stop_takes_its_followers_along(pair: tuple[WorkerProcess, int]) -> None:
    process, followers = pair
    assert process.stop() == 0, tail(process.log)
    assert not is_there(followers)
