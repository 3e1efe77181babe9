"""The replay of the last window: which order is sent when, and how the clock runs meanwhile."""

import datetime as dt
from collections import Counter
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import adventureworks as sample
from ingest.schedule import Hours, Pace, Schedule, is_sold, schedule, spread
from schemas.messages import DealChanged, DealStatus

PACIFIC = ZoneInfo("America/Los_Angeles")
HOURS = Hours(PACIFIC, dt.time(9), dt.time(18), frozenset((5, 6)))
START, LAST_DAY = dt.date(2014, 3, 1), dt.date(2014, 5, 31)


def plan(deals: list[DealChanged]) -> Schedule:
    return schedule(deals, HOURS, starts_on=START, last_day=LAST_DAY, live_orders_min=10)


@pytest.fixture(scope="module")
def deals() -> list[DealChanged]:
    return [deal for deal in sample.deals() if deal.closed_on and deal.closed_on >= START]


@pytest.fixture(scope="module")
def replay(deals: list[DealChanged]) -> Schedule:
    return plan(deals)


def local(instant: dt.datetime) -> dt.datetime:
    return instant.astimezone(PACIFIC)


def test_every_order_exactly_once(deals: list[DealChanged], replay: Schedule) -> None:
    """None is lost between the replay and what comes after it."""
    sent = [due.deal.deal_id for due in replay.due]
    sent += [deal.deal_id for deal in replay.afterwards]
    assert Counter(sent) == Counter(deal.deal_id for deal in deals)
    assert len(sent) == 7_864


def test_instants_never_go_back(replay: Schedule) -> None:
    """Orders stand in the order of sending, all within the replay."""
    instants = [due.at for due in replay.due]
    assert instants == sorted(instants)
    assert replay.starts_at <= instants[0]
    assert instants[-1] <= replay.ends_at


def test_five_dates_of_seller_orders_fall_on_four_working_days(replay: Schedule) -> None:
    """Saturday 1 March is sold on Monday the 3rd, Sunday the 30th together with Monday the 31st."""
    sold = [due for due in replay.due if is_sold(due.deal)]
    assert Counter((due.deal.closed_on, local(due.at).date()) for due in sold) == {
        (dt.date(2014, 3, 1), dt.date(2014, 3, 3)): 91,
        (dt.date(2014, 3, 30), dt.date(2014, 3, 31)): 2,
        (dt.date(2014, 3, 31), dt.date(2014, 3, 31)): 178,
        (dt.date(2014, 4, 30), dt.date(2014, 4, 30)): 2,
        (dt.date(2014, 5, 1), dt.date(2014, 5, 1)): 179,
    }
    times = [local(due.at).time() for due in sold]
    assert dt.time(9) < min(times)
    assert max(times) < dt.time(18)


def test_spread_over_the_working_hours(replay: Schedule) -> None:
    """91 orders on 3 March, one each 5 min 56 s, from shortly after nine to shortly before six."""
    third = [due.at for due in replay.due if is_sold(due.deal)][:91]
    gaps = {later - earlier for earlier, later in pairwise(third)}
    assert max(gaps) - min(gaps) <= dt.timedelta(microseconds=1)
    assert local(third[0]).replace(microsecond=0).time() == dt.time(9, 2, 58)
    assert local(third[-1]).replace(microsecond=0).time() == dt.time(17, 57, 1)


def test_online_orders_come_when_their_date_is_over(replay: Schedule) -> None:
    """Also over the change to summer time of 9 March."""
    for due in replay.due:
        if not is_sold(due.deal):
            assert due.deal.closed_on is not None
            assert local(due.at).replace(tzinfo=None) == dt.datetime.combine(
                due.deal.closed_on + dt.timedelta(days=1), dt.time()
            )


def test_what_lies_behind_the_end_comes_afterwards(replay: Schedule) -> None:
    """The orders of 31 May, over at midnight, and all of June: online only."""
    assert not any(is_sold(deal) for deal in replay.afterwards)
    assert min(deal.closed_on for deal in replay.afterwards if deal.closed_on) == LAST_DAY
    after = [deal for deal in replay.afterwards if deal.closed_on != LAST_DAY]
    assert len(after) == 939


def test_stretches(replay: Schedule) -> None:
    """Three days to watch, a sparse one, and running through the rest."""
    found = [(local(s.starts_at).isoformat()[:16], s.pace, s.orders) for s in replay.stretches]
    assert found == [
        ("2014-03-01T00:00", Pace.FAST, 0),
        ("2014-03-03T09:00", Pace.LIVE, 91),
        ("2014-03-03T18:00", Pace.FAST, 0),
        ("2014-03-31T09:00", Pace.LIVE, 180),
        ("2014-03-31T18:00", Pace.FAST, 0),
        ("2014-04-30T09:00", Pace.SPARSE, 2),
        ("2014-04-30T18:00", Pace.FAST, 0),
        ("2014-05-01T09:00", Pace.LIVE, 179),
        ("2014-05-01T18:00", Pace.FAST, 0),
    ]
    assert [replay.stretch_at(s.starts_at) for s in replay.stretches] == list(range(9))
    assert replay.stretch_at(replay.starts_at - dt.timedelta(days=1)) == 0


def test_sent_by(replay: Schedule) -> None:
    """Nothing before the start, all at the end, an order from its own instant on."""
    assert replay.sent_by(replay.starts_at) == 0
    assert replay.sent_by(replay.ends_at) == len(replay.due)
    first = replay.due[0].at
    assert replay.sent_by(first - dt.timedelta(microseconds=1)) == 0
    assert replay.sent_by(first) >= 1


DEAL = DealChanged(
    source="s",
    key="k",
    deal_id="s:k",
    revision=1,
    changed_on=START,
    status=DealStatus.WON,
)
DEALS = st.lists(
    st.builds(
        lambda day, owner, index: msgspec.structs.replace(
            DEAL,
            key=str(index),
            deal_id=f"s:{index}",
            closed_on=START + dt.timedelta(days=day),
            owner_key=owner,
        ),
        st.integers(0, 120),
        st.sampled_from(["a", None]),
        st.integers(0, 10**9),
    ),
    max_size=40,
    unique_by=lambda deal: deal.key,
)


@given(DEALS)
def test_any_set_of_orders_is_sent_once_and_in_order(found: list[DealChanged]) -> None:
    """Whatever the orders: each once, never before its date, sold ones in working hours."""
    replay = plan(found)
    sent = [due.deal for due in replay.due] + list(replay.afterwards)
    assert sorted(deal.key for deal in sent) == sorted(deal.key for deal in found)
    assert [due.at for due in replay.due] == sorted(due.at for due in replay.due)
    for due in replay.due:
        assert due.deal.closed_on is not None
        assert local(due.at).date() >= due.deal.closed_on
        if is_sold(due.deal):
            assert local(due.at).weekday() < 5
            assert replay.stretches[replay.stretch_at(due.at)].pace is not Pace.FAST


@given(st.integers(0, 500))
def test_spread_is_even_and_inside(count: int) -> None:
    """No instant at an end, none twice."""
    start, end = HOURS.at(START, HOURS.day_starts), HOURS.at(START, HOURS.day_ends)
    found = spread(count, start, end)
    assert len(set(found)) == count
    assert all(start < instant < end for instant in found)
