"""Locking a period: refusals in words, statements that sum, and what comes later.

Plan (tests/database.py): 1.5 % of sales, 3 % beyond a quota of 100,000; a manager gets 0.5 % of
what her sellers sell.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal

import msgspec
import pytest

from api.period_lock import DrainTimedOut, LockRefused, LockResult, Progress, check, lock_period
from db import leases, periods
from db import statements as statement_rows
from db.connect import Connection
from db.reference import read, reference_change
from deploy.local.stack import Stack
from domain.deriving import StatementMismatch, derive
from domain.exact import exact_arithmetic
from domain.reference import Reference
from schemas.ids import AccountId, PeriodId
from schemas.messages import DealStatus, PeriodLocked
from schemas.settings import Settings
from schemas.state import Line
from streams.freezing import Freezing, derived
from streams.holding import Holding
from streams.jobs import Jobs, standard_jobs
from tests.books import Books, Heard, emptied, set_day, won
from tests.database import ADA, BEN, FIRST, MEG, SECOND, YEAR, company, connected, copied

THIRD = "2024-Q3"
ADA_ACCOUNT = AccountId(f"{ADA}.{YEAR}")
FEBRUARY, MARCH, MAY = dt.date(2024, 2, 1), dt.date(2024, 3, 1), dt.date(2024, 5, 1)


class Office:
    """A company with its books; `heard` is where the leased jobs publish."""

    def __init__(self, settings: Settings, api: Connection, books: Books) -> None:
        self.settings = settings
        self.api = api
        self.books = books
        self.heard = Heard()

    def lock(self, period: str = FIRST, *, drain_seconds: float = 20) -> LockResult:
        return lock_period(
            self.api,
            self.settings,
            period,
            actor="finance",
            drain_seconds=drain_seconds,
            freeze_seconds=20,
        )

    def entries(self, period: str) -> dict[tuple[str, str], tuple[Decimal, str]]:
        """(account, origin) -> (earned, kind) of what is booked in a period."""
        rows = self.api.execute(
            "SELECT account_id, origin_period, sum(earned), min(kind) FROM ledger"
            " WHERE booking_period = %s GROUP BY 1, 2",
            (period,),
        )
        return {(account, origin): (earned, kind) for account, origin, earned, kind in rows}

    def statement(self, period: str, account: str = ADA_ACCOUNT) -> tuple[Decimal, str, list[Line]]:
        row = self.api.execute(
            "SELECT earned, statement_hash, lines::text FROM statements"
            " WHERE period_id = %s AND account_id = %s",
            (period, account),
        ).fetchone()
        assert row is not None, f"{account} has no statement of {period}"
        return row[0], row[1], msgspec.json.decode(row[2], type=list[Line])


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        yield given


@pytest.fixture
def office(settings: Settings) -> Iterator[Office]:
    emptied(settings)
    company(settings)
    set_day(settings, dt.date(2024, 4, 2))
    with connected(settings, "api") as api, closing(Books(settings)) as books:
        yield Office(settings, api, books)


@pytest.fixture
def worker(office: Office) -> Iterator[Office]:
    """The leased jobs are running, and every partition has published what it was sent."""
    with connected(office.settings, "worker") as conn:
        conn.execute("UPDATE partitions SET published_to = 1000000")
    stop = threading.Event()
    thread = threading.Thread(
        target=Jobs(office.settings, office.heard, make=standard_jobs).run, args=[stop]
    )
    thread.start()
    yield office
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def add_period(office: Office, period_id: str = THIRD) -> None:
    with reference_change(office.api, actor="test", action="add", entity=period_id) as change:
        row = {
            "period_id": period_id,
            "plan_year": YEAR,
            "starts_on": dt.date(2024, 7, 1),
            "ends_on": dt.date(2024, 10, 1),
            "state": "open",
        }
        change.put("periods", [row])


# ---- refusals ----


def test_refusals_say_what_to_do(office: Office) -> None:
    for period, words in (
        ("2031-Q1", f"there is no period 2031-Q1; the periods are: {FIRST}, {SECOND}"),
        (SECOND, f"{FIRST} is still open: periods are locked in order; lock {FIRST} first"),
    ):
        with pytest.raises(LockRefused, match=words):
            office.lock(period)
    assert office.api.execute("SELECT count(*) FROM reference_outbox").fetchone() == (0,)


def test_the_last_open_period_cannot_be_locked(worker: Office) -> None:
    worker.lock(FIRST)
    with pytest.raises(LockRefused, match="add the next period first"):
        worker.lock(SECOND)
    add_period(worker)
    worker.lock(SECOND)


def test_without_a_worker_nothing_is_locked(office: Office) -> None:
    with pytest.raises(DrainTimedOut, match="no worker has sent the drain command"):
        office.lock(drain_seconds=0.1)
    assert periods.locks(office.api) == []


def test_a_partition_that_is_behind_keeps_the_period_open(worker: Office) -> None:
    with connected(worker.settings, "worker") as conn:
        conn.execute("UPDATE partitions SET published_to = 0 WHERE partition = 3")
    with pytest.raises(DrainTimedOut, match=r"partitions \[3\]"):
        worker.lock(drain_seconds=1)
    assert periods.locks(worker.api) == []


# ---- what a lock freezes ----


def test_check_says_what_would_be_frozen(office: Office) -> None:
    office.books.book(won("1", "1000.00", FEBRUARY), won("2", "7.00", MARCH, owner="p-nobody"))
    found = check(office.api, FIRST)
    assert (found.refusal, found.has_ended, found.complete_through) == (None, True, None)
    assert (found.booked.accounts, found.booked.earned) == (2, Decimal("20.00"))
    assert [(held.currency, held.deals, held.amount) for held in found.held] == [
        ("USD", 1, Decimal("7.00"))
    ]
    assert found.dead_letters == 0
    assert "still open" in (check(office.api, SECOND).refusal or "")


def test_a_lock_freezes_every_account_once(worker: Office) -> None:
    worker.books.book(
        won("1", "80000.00", FEBRUARY),
        won("2", "40000.00", MARCH),
        won("3", "500.00", MARCH, owner=BEN),
    )
    seen: list[Progress] = []
    result = lock_period(
        worker.api, worker.settings, FIRST, actor="finance", watch=seen.append, freeze_seconds=20
    )
    assert (result.was_locked_already, result.frozen) == (False, (3, 3))
    assert [progress.step for progress in seen[:3]] == ["draining", "draining", "locking"]
    earned, _, lines = worker.statement(FIRST)
    # 100,000 at 1.5 % and 20,000 at 3 %: the deal of March is the one that passes quota
    assert earned == Decimal("2100.00")
    assert [(line.deal_id, line.earned) for line in lines] == [
        ("crm:1", Decimal("1200.00")),
        ("crm:2", Decimal("900.00")),
    ]
    assert worker.entries(FIRST)[ADA_ACCOUNT, FIRST] == (Decimal("2100.00"), "earned")
    assert worker.statement(FIRST, f"{MEG}.{YEAR}")[0] == Decimal("602.50")
    (locked,) = worker.heard.of(PeriodLocked)
    assert (locked.period, locked.reference_version) == (FIRST, result.reference_version)
    audit = worker.api.execute("SELECT actor, entity FROM audit WHERE action = 'lock period'")
    assert audit.fetchall() == [("finance", FIRST)]


def test_locking_again_changes_nothing_and_says_so(worker: Office) -> None:
    worker.books.book(won("1", "1000.00", FEBRUARY))
    worker.lock()
    before = worker.statement(FIRST)
    again = worker.lock()
    assert again.was_locked_already
    assert worker.statement(FIRST) == before
    assert len(worker.api.execute("SELECT FROM audit WHERE action = 'lock period'").fetchall()) == 1


def test_freezing_anew_gives_the_same_hash_whatever_came_since(worker: Office) -> None:
    worker.books.book(won("1", "80000.00", FEBRUARY))
    worker.lock()
    _, frozen_hash, _ = worker.statement(FIRST)
    worker.books.close()
    late = Books(worker.settings)
    late.book(won("2", "40000.00", MARCH), won("1", "10.00", FEBRUARY, revision=2))
    late.close()
    (lock,) = periods.locks(worker.api)
    known = Reference(read(worker.api, known_at=lock.known_at))
    (again,), problems = derived(worker.api, lock, known, [ADA_ACCOUNT])
    assert (again.statement_hash, problems) == (frozen_hash, [])


# ---- what comes later ----


def test_a_late_deal_is_booked_into_the_next_period_as_a_correction(worker: Office) -> None:
    worker.books.book(won("1", "80000.00", FEBRUARY), won("2", "40000.00", MARCH))
    worker.lock()
    before = worker.statement(FIRST)
    worker.books.book(
        won("3", "10000.00", FEBRUARY),  # comes before crm:2 in canonical order
        won("4", "1000.00", MAY),
    )
    assert worker.statement(FIRST) == before
    assert worker.entries(SECOND)[ADA_ACCOUNT, FIRST] == (Decimal("300.00"), "adjustment")
    add_period(worker)
    worker.lock(SECOND)
    earned, _, lines = worker.statement(SECOND)
    assert earned == Decimal("315.00")
    shown = [(line.origin_period, line.deal_id, line.earned) for line in lines]
    assert shown == [
        (SECOND, "crm:4", Decimal("15.00")),
        # The late deal takes 10,000 of the first tier, so that of March moves into the second.
        (FIRST, "crm:3", Decimal("150.00")),
        (FIRST, "crm:2", Decimal("150.00")),
    ]
    assert [line.ordinal for line in lines] == [1, 2, 3]
    assert all(line.credit_id is None for line in lines[1:])
    # Later still: what is frozen in both is taken into account.
    worker.books.book(won("3", "10000.00", FEBRUARY, revision=2, status=DealStatus.CANCELLED))
    assert worker.entries(THIRD)[ADA_ACCOUNT, FIRST] == (Decimal("-300.00"), "adjustment")
    add = won("5", "1.00", dt.date(2024, 7, 2))
    worker.books.book(add)
    statement = open_statement(worker, THIRD)
    assert sum(line.earned for line in statement if line.origin_period == FIRST) == -300


def open_statement(office: Office, period: str) -> tuple[Line, ...]:
    """As a page derives it: the same functions, no limit on versions."""
    (basis,) = statement_rows.bases(
        office.api,
        PeriodId(period),
        [ADA_ACCOUNT],
        earlier=[PeriodId(FIRST), PeriodId(SECOND)],
    )
    with exact_arithmetic():
        return derive(basis, Reference(read(office.api))).lines


# ---- when lines and entries differ ----


def test_a_mismatch_is_loud_and_the_other_accounts_are_frozen(office: Office) -> None:
    office.books.book(won("1", "1000.00", FEBRUARY), won("2", "1000.00", FEBRUARY, owner=BEN))
    with connected(office.settings, "owner") as owner:
        owner.execute("UPDATE ledger SET earned = earned + 1 WHERE payee_id = %s", (ADA,))
    with reference_change(office.api, actor="test", action="lock", entity=FIRST) as change:
        row = {
            "period_id": FIRST,
            "plan_year": YEAR,
            "starts_on": dt.date(2024, 1, 1),
            "ends_on": dt.date(2024, 4, 1),
            "state": "locked",
        }
        change.put("periods", [row])
    with connected(office.settings, "worker") as conn:
        lease = leases.take(conn, "jobs", "test")
        assert lease is not None
        with pytest.raises(StatementMismatch, match=ADA_ACCOUNT):
            Freezing().step(Holding(conn, lease))
    frozen = office.api.execute("SELECT account_id FROM statements ORDER BY 1").fetchall()
    assert frozen == [(f"{BEN}.{YEAR}",), (f"{MEG}.{YEAR}",)]
