"""Off-pace alerts on a real database: raised once, told once a day, cleared, never on replay.

The first quarter of 2024 has 65 working days; quotas are 100,000; pace is by working days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal

import msgspec
import pytest

from db.connect import Connection
from db.reference import reference_change
from deploy.local.stack import Stack
from schemas.ids import PeriodId, PlanYearId, account_id
from schemas.messages import Alert, AlertKind, DealStatus, ProgressChanged
from schemas.settings import Settings
from streams.alerts import Alerts
from streams.business import Business
from tests.books import Books, emptied, set_day, won
from tests.database import ADA, BEN, FIRST, MEG, YEAR, company, connected, copied

MONDAY = dt.date(2024, 2, 5)  # 25 working days are gone: 0.384615 is expected
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (MONDAY + dt.timedelta(days=n) for n in range(1, 5))


class Office:
    """A company, its books, and alerts looked at from two workers."""

    def __init__(self, settings: Settings, conn: Connection, books: Books) -> None:
        self.settings = settings
        self.conn = conn
        self.books = books
        self.alerts = self.another()

    def another(self) -> Alerts:
        """Alerts as they are after a start, or in another worker."""
        return Alerts(self.conn, Business(self.conn))

    def tick(self, day: dt.date, alerts: Alerts | None = None) -> list[tuple[str, str, str]]:
        set_day(self.settings, day)
        before = self.last_id()
        (alerts or self.alerts).on_tick()
        return self.told(before)

    def progress(self, *progress: ProgressChanged) -> list[tuple[str, str, str]]:
        before = self.last_id()
        self.alerts.on_progress(progress)
        return self.told(before)

    def last_id(self) -> int:
        (row,) = self.conn.execute("SELECT coalesce(max(id), 0) FROM alert_outbox").fetchall()
        return int(row[0])

    def told(self, after: int) -> list[tuple[str, str, str]]:
        """(event, payee, business date) written since, in order."""
        rows = self.conn.execute(
            "SELECT message_type, message::text FROM alert_outbox WHERE id > %s ORDER BY id",
            (after,),
        )
        found = [(type_, msgspec.json.decode(text, type=Alert)) for type_, text in rows]
        return [
            (type_.split(".")[2], alert.payee_id or "", str(alert.business_date))
            for type_, alert in found
        ]

    def evidence(self, payee_id: str = ADA) -> Alert:
        """What was told last of a payee."""
        (row,) = self.conn.execute(
            "SELECT content::text FROM alerts WHERE payee_id = %s", (payee_id,)
        ).fetchall()
        return msgspec.json.decode(row[0], type=Alert)

    def states(self) -> dict[str, str]:
        rows = self.conn.execute("SELECT payee_id, state FROM alerts ORDER BY payee_id")
        return dict(rows.fetchall())


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        yield given


@pytest.fixture
def office(settings: Settings) -> Iterator[Office]:
    emptied(settings)
    company(settings)
    set_day(settings, MONDAY)
    with connected(settings, "worker") as conn, closing(Books(settings)) as books:
        # Ben is ahead of pace; Meg's headline is her own sales, and she has none.
        books.book(won("ben", "60000.00", dt.date(2024, 1, 15), owner=BEN), is_replay=True)
        yield Office(settings, conn, books)


def test_raised_on_the_second_working_day_below_pace_to_payee_and_manager(office: Office) -> None:
    assert office.tick(MONDAY) == []
    assert office.tick(TUESDAY) == [("raised", ADA, str(TUESDAY)), ("raised", MEG, str(TUESDAY))]
    (row,) = office.conn.execute(
        "SELECT content::text, manager_id FROM alerts WHERE payee_id = %s", (ADA,)
    ).fetchall()
    alert = msgspec.json.decode(row[0], type=Alert)
    assert (row[1], alert.manager_id) == (MEG, MEG)
    assert (alert.subject, alert.kind) == (f"{ADA}.{YEAR}", AlertKind.OFF_PACE)
    assert (alert.credited, alert.quota, alert.pace_ratio) == ("0", "100000", "0.000000")
    assert office.states() == {ADA: "raised", BEN: "watching", MEG: "raised"}
    events = office.conn.execute("SELECT event, payee_id FROM alert_events ORDER BY 2").fetchall()
    assert events == [("raised", ADA), ("raised", MEG)]


def test_the_same_date_is_no_second_evaluation(office: Office) -> None:
    assert office.tick(MONDAY) == []
    assert office.tick(MONDAY, office.another()) == []  # a start on the same date
    assert office.tick(TUESDAY) != []
    assert office.tick(TUESDAY, office.another()) == []


def test_cleared_after_two_working_days_above(office: Office) -> None:
    office.tick(MONDAY)
    office.tick(TUESDAY)
    progress = office.books.book(won("1", "80000.00", WEDNESDAY))
    set_day(office.settings, WEDNESDAY)
    assert ("updated", ADA, str(WEDNESDAY)) in office.progress(*progress)
    assert ("cleared", ADA, str(THURSDAY)) in office.tick(THURSDAY)
    assert office.states()[ADA] == "cleared"
    assert ADA not in [payee for _, payee, _ in office.tick(FRIDAY)]


def test_one_day_above_does_not_clear(office: Office) -> None:
    office.tick(MONDAY)
    office.tick(TUESDAY)
    set_day(office.settings, WEDNESDAY)
    office.progress(*office.books.book(won("1", "80000.00", WEDNESDAY)))
    # The deal is cancelled on the same day: the later look of a date replaces the earlier one.
    office.progress(*office.books.book(won("1", "0.00", WEDNESDAY, revision=2)))
    assert ("cleared", ADA, str(THURSDAY)) not in office.tick(THURSDAY)
    assert office.states()[ADA] == "raised"


def test_replays_raise_nothing(office: Office) -> None:
    office.tick(MONDAY)
    set_day(office.settings, TUESDAY)
    replay = office.books.book(won("1", "1.00", MONDAY), is_replay=True)
    assert office.progress(*replay) == []
    live = office.books.book(won("2", "1.00", TUESDAY))
    # Only whose progress it is, Ada's and her manager's account.
    raised = [("raised", ADA, str(TUESDAY)), ("raised", MEG, str(TUESDAY))]
    assert office.progress(*live) == raised


def test_a_jump_evaluates_each_date_it_passed_as_of_that_date(office: Office) -> None:
    office.tick(MONDAY)
    # Closed on Friday: on Tuesday it was not there yet.
    office.books.book(won("1", "80000.00", FRIDAY), is_replay=True)
    told = office.tick(FRIDAY + dt.timedelta(days=3))
    of_ada = [(event, day) for event, payee, day in told if payee == ADA]
    assert of_ada[0] == ("raised", str(TUESDAY))
    assert of_ada[-1] == ("cleared", "2024-02-12")
    days = [day for _, day in of_ada]
    assert days == sorted(days)


def test_a_jump_over_more_days_than_are_made_up_for_is_bounded(office: Office) -> None:
    office.tick(dt.date(2024, 1, 2))
    office.tick(dt.date(2024, 6, 20))  # 170 days later, in the next period
    periods = office.conn.execute("SELECT DISTINCT period_id FROM alerts ORDER BY 1").fetchall()
    assert periods == [(FIRST,), ("2024-Q2",)]
    (row,) = office.conn.execute("SELECT min(business_date) FROM alert_events").fetchall()
    assert row[0] >= dt.date(2024, 3, 12)  # 100 days before


def test_an_account_without_any_credit_is_watched_too(office: Office) -> None:
    office.tick(MONDAY)
    assert account_id(ADA, PlanYearId(YEAR)) == f"{ADA}.{YEAR}"  # type: ignore[arg-type]
    assert set(office.states()) == {ADA, BEN, MEG}


def test_nobody_is_evaluated_in_a_locked_period(office: Office) -> None:
    with (
        connected(office.settings, "api") as conn,
        reference_change(conn, actor="test", action="lock", entity=FIRST) as change,
    ):
        row = {
            "period_id": PeriodId(FIRST),
            "plan_year": YEAR,
            "starts_on": dt.date(2024, 1, 1),
            "ends_on": dt.date(2024, 4, 1),
            "state": "locked",
        }
        change.put("periods", [row])
    assert office.tick(MONDAY) == []
    assert office.states() == {}


# ---- the evidence ----


def test_an_alert_says_what_was_expected_and_which_deals_closed_last(office: Office) -> None:
    """Those credited towards his quota and in force, the last to close first."""
    days = [dt.date(2024, 1, n) for n in (8, 5, 9, 3, 4, 10, 2)]
    office.books.book(
        *(won(str(n), f"{n}00.00", on) for n, on in enumerate(days, start=1)), is_replay=True
    )
    office.books.book(
        won("6", "600.00", days[5], revision=2, status=DealStatus.CANCELLED),
        won("1", "150.50", days[0], revision=2),
        is_replay=True,
    )
    office.tick(MONDAY)
    office.tick(TUESDAY)
    found = office.evidence()
    assert found.deal_count == 6
    assert [(deal.deal_id, deal.credited) for deal in found.last_deals] == [
        ("crm:3", "300.00"),
        ("crm:1", "150.50"),
        ("crm:2", "200.00"),
        ("crm:5", "500.00"),
        ("crm:4", "400.00"),
    ]
    assert found.credited == "2250.50"  # with crm:7
    # On Tuesday 25 of 65 working days are gone, 39 are left of the quarter with that day.
    assert (found.expected_share, found.expected_now) == ("0.400000", "40000.000000")
    assert found.working_days_left == 39
    assert found.required_per_remaining_working_day == "2506.40"  # 97,749.50 / 39, rounded up
    of_meg = office.evidence(MEG)
    assert (of_meg.deal_count, of_meg.last_deals) == (0, ())  # her team's sales are not her own


def test_the_evidence_follows_each_event_until_it_is_cleared(office: Office) -> None:
    office.tick(MONDAY)
    office.tick(TUESDAY)
    assert office.evidence().deal_count == 0
    set_day(office.settings, WEDNESDAY)
    office.progress(*office.books.book(won("1", "80000.00", WEDNESDAY)))
    (deal,) = office.evidence().last_deals
    assert (deal.deal_id, deal.closed_on, deal.credited) == ("crm:1", WEDNESDAY, "80000.00")
    assert ("cleared", ADA, str(THURSDAY)) in office.tick(THURSDAY)
    assert office.evidence().last_deals == (deal,)


def test_the_evidence_of_a_day_that_was_missed_knows_no_later_deal(office: Office) -> None:
    office.tick(MONDAY)
    office.books.book(won("1", "10.00", MONDAY), won("2", "80000.00", FRIDAY), is_replay=True)
    office.tick(FRIDAY + dt.timedelta(days=3))
    contents = office.conn.execute(
        "SELECT content::text FROM alert_events WHERE payee_id = %s ORDER BY booked_at", (ADA,)
    )
    told = [msgspec.json.decode(text, type=Alert) for (text,) in contents]
    shown = {str(alert.business_date): alert for alert in told}
    assert [d.deal_id for d in shown[str(TUESDAY)].last_deals] == ["crm:1"]
    assert [d.deal_id for d in shown[str(FRIDAY)].last_deals] == ["crm:2", "crm:1"]
    for alert in told:
        assert sum(Decimal(d.credited) for d in alert.last_deals) == Decimal(alert.credited)


# ---- two workers ----


def test_two_workers_at_once_raise_each_alert_once(office: Office) -> None:
    """Both look at every account at the same time, day after day, by tick and by progress."""
    told: list[tuple[str, str, str]] = []
    with (
        connected(office.settings, "worker") as first,
        connected(office.settings, "worker") as second,
    ):
        workers = [Alerts(conn, Business(conn)) for conn in (first, second)]
        for day, amount in (
            (MONDAY, "10.00"),
            (TUESDAY, "20.00"),
            (WEDNESDAY, "80000.00"),
            (THURSDAY, "30.00"),
        ):
            set_day(office.settings, day)
            progress = office.books.book(won(f"{day}", amount, day))
            before = office.last_id()
            with ThreadPoolExecutor(2) as pool:
                looks = [pool.submit(looking, alerts, progress) for alerts in workers]
            for look in looks:
                look.result()
            told += office.told(before)
    assert [(event, day) for event, payee, day in told if payee == ADA] == [
        ("raised", str(TUESDAY)),
        ("updated", str(WEDNESDAY)),
        ("cleared", str(THURSDAY)),
    ]
    assert [event for event, payee, _ in told if payee == MEG] == ["raised", "updated", "updated"]
    counts = office.conn.execute(
        "SELECT count(*), count(DISTINCT (subject, kind, period_id)) FROM alerts"
    ).fetchone()
    assert counts == (3, 3)  # one a payee, updated in place
    versions = office.conn.execute("SELECT version FROM alerts WHERE payee_id = %s", (ADA,))
    assert versions.fetchone() == (3,)


def looking(alerts: Alerts, progress: Sequence[ProgressChanged]) -> None:
    """What one worker does on a day."""
    alerts.on_tick()
    alerts.on_progress(progress)
    alerts.on_progress(progress)
