"""Off pace, as a sequence of looks: what is remembered and what is told."""

import datetime as dt
from decimal import Decimal

import pytest

from domain import alerts
from domain.alerts import Observation, evaluate, with_deals
from domain.pace import Expected, ToGo
from schemas.ids import AccountId, CreditId, DealId, PayeeId, PeriodId
from schemas.messages import AlertCleared, AlertRaised, AlertUpdated, Cause, Role, Severity
from schemas.state import BOOKINGS, Credit, RunningState
from tests.domain.builders import CALENDAR, day

MON, TUE, WED, THU, FRI = (f"2024-02-{number:02}" for number in range(5, 10))
SAT, SUN, MON2, TUE2 = (f"2024-02-{number:02}" for number in range(10, 14))


def look(on: str, pace: str, expected: str = "0.5", *, is_replay: bool = False) -> Observation:
    """A look at a payee whose pace ratio is `pace`."""
    attained = Decimal(pace) * Decimal(expected)
    return Observation(
        account_id=AccountId("ann.FY24"),
        payee_id=PayeeId("ann"),
        manager_id=PayeeId("mia"),
        period_id=PeriodId("Q1"),
        business_date=day(on),
        credited=attained * 100000,
        quota=Decimal(100000),
        attainment_ratio=attained,
        expected=Expected(Decimal(expected), "last_year"),
        to_go=ToGo(Decimal("21300"), 12, Decimal("1775.00")),
        currency="USD",
        is_replay=is_replay,
    )


def told(*looks: Observation) -> list[str]:
    """What each look tells: 'raised warning', 'updated severe', 'cleared' or ''."""
    memory, events = RunningState(), []
    for seen in looks:
        memory, event = evaluate(memory, seen, CALENDAR)
        kind = type(event).__name__.removeprefix("Alert").lower() if event else ""
        severity = f" {event.severity.value}" if event and kind != "cleared" else ""
        events.append(kind + severity)
    return events


@pytest.mark.parametrize(
    ("looks", "events"),
    [
        # raised on the second look below 0.85, a working day later
        ([(MON, "0.80"), (TUE, "0.84")], ["", "raised warning"]),
        ([(MON, "0.80"), (TUE, "0.69")], ["", "raised severe"]),
        ([(MON, "0.85"), (TUE, "0.85")], ["", ""]),  # at the threshold is not below it
        # a second look on the same date is not a second evaluation
        ([(MON, "0.80"), (MON, "0.80")], ["", ""]),
        # a better look later that day replaces the worse one
        ([(MON, "0.80"), (MON, "0.90"), (TUE, "0.80")], ["", "", ""]),
        # and a worse one the better: the row from Monday goes on
        ([(MON, "0.80"), (TUE, "0.90"), (TUE, "0.80")], ["", "", "raised warning"]),
        # a better day in between starts again
        ([(MON, "0.80"), (TUE, "0.90"), (WED, "0.80"), (THU, "0.80")],
         ["", "", "", "raised warning"]),
        # a weekend is no working day
        ([(FRI, "0.80"), (SAT, "0.80"), (SUN, "0.80"), (MON2, "0.80")],
         ["", "", "", "raised warning"]),
        ([(SAT, "0.80"), (MON2, "0.80")], ["", ""]),
        # told of changed evidence, at most once a date; of the same evidence not at all
        ([(MON, "0.80"), (TUE, "0.80"), (TUE, "0.79"), (WED, "0.78"), (WED, "0.77"), (THU, "0.78")],
         ["", "raised warning", "", "updated warning", "", ""]),
        # cleared above 0.92 on two looks; between the thresholds it stays
        ([(MON, "0.8"), (TUE, "0.8"), (WED, "0.93"), (THU, "0.93")],
         ["", "raised warning", "updated warning", "cleared"]),
        ([(MON, "0.8"), (TUE, "0.8"), (WED, "0.93"), (THU, "0.92"), (FRI, "0.93")],
         ["", "raised warning", "updated warning", "updated warning", "updated warning"]),
        ([(MON, "0.8"), (TUE, "0.8"), (WED, "0.93"), (WED, "0.91"), (THU, "0.93")],
         ["", "raised warning", "updated warning", "", ""]),  # 0.93 was told on Wednesday
        # raised again after it was cleared, on two new looks
        ([(MON, "0.8"), (TUE, "0.8"), (WED, "1"), (THU, "1"), (FRI, "0.8"), (MON2, "0.8")],
         ["", "raised warning", "updated warning", "cleared", "", "raised warning"]),
        # a date that has passed is not looked at again
        ([(TUE, "0.80"), (MON, "0.80"), (WED, "0.80")], ["", "", "raised warning"]),
    ],
)  # fmt: skip
def test_a_sequence_of_looks(looks: list[tuple[str, str]], events: list[str]) -> None:
    assert told(*(look(on, pace) for on, pace in looks)) == events


def test_repeating_every_look_tells_nothing_twice() -> None:
    looks = [look(on, pace) for on, pace in ((MON, "0.8"), (TUE, "0.8"), (WED, "1"), (THU, "1"))]
    twice = [seen for seen in looks for _ in range(2)]
    assert [event for event in told(*twice) if event] == [event for event in told(*looks) if event]


def test_nothing_is_evaluated_before_five_percent_are_expected_or_on_replay() -> None:
    memory = RunningState()
    early, first = look(MON, "0.1", "0.049999"), look(MON, "0.1", "0")
    for seen in (early, first, look(MON, "0.1", is_replay=True)):
        assert evaluate(memory, seen, CALENDAR) == (memory, None)


def test_an_alert_carries_its_evidence() -> None:
    memory = evaluate(RunningState(), look(MON, "0.80"), CALENDAR).memory
    memory, raised = evaluate(memory, look(TUE, "0.60"), CALENDAR)
    assert isinstance(raised, AlertRaised)
    assert raised.alert_id == alerts.alert_id(AccountId("ann.FY24"), PeriodId("Q1"))
    assert (raised.severity, raised.version, raised.raised_on) == (Severity.SEVERE, 1, day(TUE))
    assert (raised.pace_ratio, raised.first_value) == ("0.600000", "0.600000")
    assert (raised.threshold, raised.curve) == ("0.85", "last_year")
    assert (raised.payee_id, raised.manager_id) == ("ann", "mia")
    assert raised.expected_now == "50000.0"  # half of the quota of 100,000
    assert (raised.working_days_left, raised.required_per_remaining_working_day) == (12, "1775.00")
    assert raised.suggested_action.startswith(
        "21,300.00 USD to quota in 12 working days: 1,775.00 a day."
    )
    memory, updated = evaluate(memory, look(WED, "0.95"), CALENDAR)
    assert isinstance(updated, AlertUpdated) and updated.first_value == "0.600000"
    memory, cleared = evaluate(memory, look(THU, "0.95"), CALENDAR)
    assert isinstance(cleared, AlertCleared)
    assert (cleared.version, cleared.raised_on) == (3, day(TUE))
    assert memory.raised_on is None


def test_says_so_when_no_working_day_is_left() -> None:
    seen = look(TUE, "0.8")._replace(to_go=ToGo(Decimal(50), 0, None))
    memory = evaluate(RunningState(), look(MON, "0.8"), CALENDAR).memory
    event = evaluate(memory, seen, CALENDAR).event
    assert event and event.suggested_action == "50.00 USD to quota and no working day left."
    assert event.working_days_left == 0
    assert event.required_per_remaining_working_day is None
    assert told(look(MON, "0.8"), look(TUE2, "0.8"))[1] == "raised warning"


def test_the_last_deals_are_the_last_to_close_each_once() -> None:
    memory = evaluate(RunningState(), look(MON, "0.80"), CALENDAR).memory
    event = evaluate(memory, look(TUE, "0.60"), CALENDAR).event
    assert event
    closed = ["2024-01-03", "2024-01-09", "2024-01-05", "2024-01-09", "2024-01-02", "2024-01-04"]
    credits = [credited(f"crm:{n}", "10.50", on) for n, on in enumerate(closed, start=1)]
    found = with_deals(event, [*credits, credited("crm:4", "0.25", "2024-01-09")])
    assert found.deal_count == 6
    assert [(deal.deal_id, deal.credited) for deal in found.last_deals] == [
        ("crm:4", "10.75"),  # two credits of one deal; of two on one instant by id
        ("crm:2", "10.50"),
        ("crm:3", "10.50"),
        ("crm:6", "10.50"),
        ("crm:1", "10.50"),
    ]
    assert (with_deals(event, []).deal_count, with_deals(event, []).last_deals) == (0, ())


def credited(deal_id: str, amount: str, on: str) -> Credit:
    """A credit in force of a deal closed on a day."""
    return Credit(
        credit_id=CreditId(f"{deal_id}.{amount}"),
        deal_id=DealId(deal_id),
        deal_source="crm",
        deal_revision=1,
        payee_id=PayeeId("ann"),
        account_id=AccountId("ann.FY24"),
        role=Role.OWNER,
        credit_type=BOOKINGS,
        ordinal=1,
        amount=Decimal(amount),
        currency="USD",
        closed_on=day(on),
        closed_at=dt.datetime.combine(day(on), dt.time(), dt.UTC),
        origin_period=PeriodId("Q1"),
        segment="ann-1",
        cause=Cause.DEAL_CREDITED,
    )
