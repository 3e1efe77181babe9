"""A change of reference data: one transaction, one version, a history that answers for ever."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest

from db import reference, turnstile
from db.connect import Connection, connect
from db.installation import NotInstalled
from db.reference_change import Counts, Overlap, reference_change
from schemas.limits import AUDIT_ROWS_MAX
from schemas.messages import QuotaSet
from schemas.settings import Settings
from tests.database import ADA, BEN, FIRST, QUOTA, company, company_rows, connected, plan

T = TypeVar("T")

WAITING = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
WRITTEN = """
    SELECT (SELECT reference_version FROM installation), (SELECT count(*) FROM quotas),
           (SELECT count(*) FROM audit), (SELECT count(*) FROM reference_outbox)
"""


def set_quota(conn: Connection, amount: int | str, payee: str = ADA) -> tuple[int, dt.datetime]:
    """Through a change of its own; its version and when it was known."""
    with reference_change(conn, actor="meg", action="set quota", entity=payee) as change:
        row = {"payee_id": payee, "period_id": FIRST, "amount": Decimal(amount)}
        change.put("quotas", [row])
        change.announce(quota_set(change.version, change.known_at, payee, str(amount)))
    return change.version, change.known_at


def quota_set(version: int, known_at: dt.datetime, payee: str, amount: str) -> QuotaSet:
    return QuotaSet(
        entity=f"quota.{payee}.{FIRST}",
        payee_id=payee,
        period=FIRST,
        quota=amount,
        currency="USD",
        reference_version=version,
        known_at=known_at,
    )


def quota_of(conn: Connection, known_at: dt.datetime | None = None) -> Decimal | None:
    rows = reference.read(conn, known_at=known_at).quotas
    return next((q.amount for q in rows if (q.payee_id, q.period_id) == (ADA, FIRST)), None)


def test_a_company_reads_back_as_it_was_put(database: Settings) -> None:
    """Typed rows of one version, in the order of their keys, without names."""
    rows = company(database)
    assert rows.version == 1
    assert (rows.company.name, rows.company.currency) == ("Northwind", "USD")
    assert [person.payee_id for person in rows.people] == ["p-ada", "p-ben", "p-meg"]
    assert rows.plans[0].document == plan()
    assert rows.calendar.day_starts == dt.time(9)
    assert {quota.amount for quota in rows.quotas} == {QUOTA}
    with connected(database, "reader") as reader, connected(database, "worker") as worker:
        assert reference.read(reader) == rows == reference.read(worker)
        assert reference.version(worker) == 1


def test_a_question_about_the_past_has_one_answer(database: Settings) -> None:
    """Whatever is changed, changed back or retired later."""
    company(database)
    with connected(database, "api") as conn:
        instants = [set_quota(conn, amount)[1] for amount in (110_000, 120_000, 110_000)]
        with reference_change(conn, actor="meg", action="retire", entity=ADA) as change:
            assert change.retire("quotas", [(ADA, FIRST), ("nobody", FIRST)]) == 1
        instants.append(change.known_at)
        expected = [Decimal(110_000), Decimal(120_000), Decimal(110_000), None]
        assert [quota_of(conn, at) for at in instants] == expected
        set_quota(conn, 5)
        assert [quota_of(conn, at) for at in instants] == expected
        moment_before = instants[0] - dt.timedelta(microseconds=1)
        assert quota_of(conn, moment_before) == QUOTA
        assert reference.read(conn, known_at=moment_before).version == 1
        assert quota_of(conn) == Decimal(5)


def test_a_change_raises_the_version_once_and_leaves_its_audit_and_message(
    database: Settings,
) -> None:
    """However many tables and rows it touches."""
    company(database)
    with connected(database, "api") as conn:
        with reference_change(
            conn, actor="meg", action="set quotas", entity=FIRST, request_id="r-1"
        ) as change:
            rows = [
                {"payee_id": payee, "period_id": FIRST, "amount": Decimal(amount)}
                for payee, amount in ((ADA, "120000.00"), (BEN, "100000.000"), ("p-cy", "1"))
            ]
            assert change.put("quotas", rows) == Counts(new=1, changed=1, unchanged=1)
            key = {"source": "crm", "key": "cy", "payee_id": "p-cy"}
            assert change.put("payee_keys", [key]) == Counts(1, 0, 0)
            change.announce(quota_set(change.version, change.known_at, ADA, "120000"))
        assert change.version == reference.version(conn) == 2
        line = conn.execute(
            "SELECT actor, action, entity, request_id, reference_version, before, after "
            "FROM audit ORDER BY id DESC LIMIT 1"
        ).fetchone()
        before = {"payee_id": ADA, "period_id": FIRST, "amount": "100000"}
        ada = {"payee_id": ADA, "period_id": FIRST, "amount": "120000.00"}
        cy = {"payee_id": "p-cy", "period_id": FIRST, "amount": "1"}
        assert line == (
            *("meg", "set quotas", FIRST, "r-1", 2),
            {"quotas": [before]},
            {"quotas": [ada, cy], "payee_keys": [key]},
        )
        sent = conn.execute(
            "SELECT message_type, message_key, message::text, reference_version "
            "FROM reference_outbox"
        ).fetchall()
        assert [(type_, key, version) for type_, key, _, version in sent] == [
            ("paceboard.quota.set.v1", f"quota.{ADA}.{FIRST}", 2)
        ]
        message = msgspec.json.decode(sent[0][2], type=QuotaSet)
        assert (message.quota, message.known_at) == ("120000", change.known_at)


def test_nothing_is_written_when_nothing_changes(database: Settings) -> None:
    """The same company again: no version, no audit line, no message."""
    company(database)
    with connected(database, "api") as conn:
        before = conn.execute(WRITTEN).fetchone()
        with reference_change(conn, actor="meg", action="again", entity="company") as change:
            for table, rows in company_rows().items():
                counts = change.put(table, rows)
                assert (counts.new, counts.changed, counts.unchanged) == (0, 0, len(rows))
            assert change.is_empty
            change.announce(quota_set(change.version, change.known_at, ADA, "1"))
        assert conn.execute(WRITTEN).fetchone() == before


def test_an_error_inside_undoes_it_all(database: Settings) -> None:
    """And the connection is good for the next change."""
    company(database)
    with connected(database, "api") as conn:
        before = conn.execute(WRITTEN).fetchone()
        with (
            pytest.raises(ZeroDivisionError),
            reference_change(conn, actor="meg", action="fail", entity=ADA) as change,
        ):
            change.put("quotas", [{"payee_id": ADA, "period_id": FIRST, "amount": Decimal(1)}])
            _ = 1 / 0
        assert conn.execute(WRITTEN).fetchone() == before
        assert set_quota(conn, 7)[0] == 2


@pytest.mark.parametrize(
    ("table", "row", "problem"),
    [
        ("quotas", {"payee_id": ADA, "period_id": FIRST}, "quotas.amount is missing"),
        ("quotas", {"payee_id": ADA, "period_id": FIRST, "amount": 1.5}, "Decimal, not float"),
        ("quotas", {"payee_id": ADA, "period_id": FIRST, "amount": "x"}, "is no number"),
        ("quotas", {"payee_id": ADA, "quarter": "Q1"}, "quotas has no column quarter"),
        ("people", {"payee_id": ADA, "name": "A", "role": "rep", "starts_on": "2024"}, "date"),
        (
            "fx_rates",
            {"currency": "EUR", "starts_on": dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "rate": 1},
            "date, not datetime",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_refused(
    installed: Settings, table: str, row: dict[str, Any], problem: str
) -> None:
    """Before the server sees it, by the name of its column."""
    with (
        connected(installed, "api") as conn,
        pytest.raises((ValueError, TypeError), match=problem),
        reference_change(conn, actor="meg", action="fail", entity="x") as change,
    ):
        change.put(table, [row])


def test_a_key_that_comes_twice_is_refused(installed: Settings) -> None:
    """Which of the two should count cannot be known."""
    row = {"payee_id": ADA, "period_id": FIRST, "amount": Decimal(1)}
    with (
        connected(installed, "api") as conn,
        pytest.raises(ValueError, match="comes twice"),
        reference_change(conn, actor="meg", action="fail", entity="x") as change,
    ):
        change.put("quotas", [row, {**row, "amount": Decimal(2)}])


def test_a_successor_takes_over_and_two_at_once_are_refused(database: Settings) -> None:
    """Effective ranges of one payee's assignments meet and never overlap."""
    company(database)
    april, july = dt.date(2024, 4, 1), dt.date(2024, 7, 1)
    first = next(row for row in company_rows()["assignments"] if row["payee_id"] == ADA)
    second = {**first, "assignment_id": "ada-2", "starts_on": april, "rate": Decimal("0.02")}
    with connected(database, "api") as conn:
        with (
            pytest.raises(Overlap, match=r"p-ada that begins 2024-01-01 is still .* 2024-04-01"),
            reference_change(conn, actor="meg", action="assign", entity=ADA) as change,
        ):
            change.put("assignments", [second])
        with reference_change(conn, actor="meg", action="assign", entity=ADA) as change:
            change.put("assignments", [second])
            change.put("assignments", [{**first, "ends_on": april}])
        ranges = [
            (row.starts_on, row.ends_on)
            for row in reference.read(conn).assignments
            if row.payee_id == ADA
        ]
        assert ranges == [(first["starts_on"], april), (april, None)]
        with (
            pytest.raises(ValueError, match="begins 2024-07-01 must end later"),
            reference_change(conn, actor="meg", action="assign", entity=ADA) as change,
        ):
            change.put("assignments", [{**first, "starts_on": july, "ends_on": april}])


def test_no_name_enters_the_audit(database: Settings) -> None:
    """It says that a name was there; the name itself can be erased from people."""
    company(database)
    with connected(database, "owner") as conn:
        lines = conn.execute("SELECT before::text, after::text FROM audit").fetchall()
    assert "(in people)" in str(lines) and '"Ada"' not in str(lines)


def test_a_large_change_is_summarised(database: Settings) -> None:
    """Counts, keys and a digest; the first rows in full. A thousand rows take a second at most."""
    company(database)
    rows = [{"payee_id": f"p{n}", "period_id": FIRST, "amount": Decimal(n)} for n in range(1_000)]
    with connected(database, "api") as conn:
        begun = time.monotonic()
        with reference_change(conn, actor="meg", action="import", entity=FIRST) as change:
            assert change.put("quotas", rows) == Counts(1_000, 0, 0)
        took = time.monotonic() - begun
        line = conn.execute("SELECT before, after FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    assert line is not None
    before, after = line
    assert before["counts"] == {} and after["counts"] == {"quotas": 1_000}
    assert len(after["first_rows"]["quotas"]) == AUDIT_ROWS_MAX
    assert after["keys"]["quotas"][999] == ["p999", FIRST] and len(after["digest"]) == 32
    assert took < 5


def test_two_changes_come_one_after_the_other(database: Settings) -> None:
    """Versions are consecutive, the later one is known later, none is lost."""
    company(database)
    start = threading.Barrier(4)

    def change(n: int) -> tuple[int, dt.datetime]:
        with connected(database, "api") as conn:
            start.wait()
            return set_quota(conn, 1_000 + n, payee=f"p{n}")

    with ThreadPoolExecutor(4) as pool:
        done = sorted(pool.map(change, range(4)))
    assert [version for version, _ in done] == [2, 3, 4, 5]
    assert [known_at for _, known_at in done] == sorted({known_at for _, known_at in done})


def test_a_change_waits_for_the_batches_and_no_batch_slips_in(database: Settings) -> None:
    """A batch that asks for the turnstile behind a waiting change sees that change."""
    company(database)
    with (
        connect(database, "worker", application_name="batch", autocommit=False) as in_flight,
        connected(database, "api") as changing,
        connected(database, "worker") as next_batch,
        connected(database, "owner") as watch,
        ThreadPoolExecutor(2) as pool,
    ):
        in_flight.execute(turnstile.SHARED)

        def behind() -> int:
            with turnstile.together(next_batch):
                return reference.version(next_batch)

        changed = _once_waiting(watch, 1, lambda: pool.submit(set_quota, changing, 7))
        seen = _once_waiting(watch, 2, lambda: pool.submit(behind))
        booked = in_flight.execute("SELECT clock_timestamp()").fetchone()
        assert booked and reference.version(in_flight) == 1
        in_flight.commit()
        version, known_at = changed.result(timeout=5)
        assert version == 2 and known_at > booked[0]
        assert seen.result(timeout=5) == 2


def test_what_is_known_is_known_after_the_seal(database: Settings) -> None:
    """A question answered up to the seal is not touched by a change that follows."""
    company(database)
    with connected(database, "worker") as worker, connected(database, "api") as api:
        for _ in range(3):
            sealed = worker.execute("SELECT seal()").fetchone()
            assert sealed and set_quota(api, sealed[0].microsecond)[1] > sealed[0]


def test_listeners_are_told_when_it_is_committed(database: Settings) -> None:
    """The channel carries the version."""
    company(database)
    with connected(database, "reader") as listener, connected(database, "api") as conn:
        listener.execute("LISTEN paceboard_reference")
        set_quota(conn, 7)
        (note,) = listener.notifies(timeout=5, stop_after=1)
        assert note.payload == "2"


def test_without_a_company_there_is_nothing_to_change(database: Settings) -> None:
    """And it says what to do."""
    with connected(database, "api") as conn:
        with pytest.raises(NotInstalled, match="not set up"):
            set_quota(conn, 1)
        with pytest.raises(NotInstalled):
            reference.read(conn)


def test_a_change_cannot_stand_inside_another_transaction(installed: Settings) -> None:
    """It could not be repeated when the turnstile does not come."""
    with (
        connected(installed, "api") as conn,
        conn.transaction(),
        pytest.raises(AssertionError, match="open already"),
    ):
        set_quota(conn, 1)


@pytest.fixture(scope="module")
def installed(module_database_settings: Settings) -> Settings:
    """One company for the refusals, which change nothing."""
    company(module_database_settings)
    return module_database_settings


def _once_waiting(watch: Connection, count: int, submit: Callable[[], Future[T]]) -> Future[T]:
    future = submit()
    deadline = time.monotonic() + 5
    while watch.execute(WAITING).fetchone() != (count,):
        assert time.monotonic() < deadline, "nobody waits for the turnstile"
        time.sleep(0.01)
    return future
