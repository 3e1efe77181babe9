"""One good example of every message: what docs show, the schemas carry and tests decode.

The deal is modelled on an order of the sample company; his manager is credited by roll-up.
"""

import datetime as dt
from typing import Final

from schemas.ids import ComponentId, PlanId
from schemas.messages import (
    AccrualPosted,
    Alert,
    AlertCleared,
    AlertKind,
    AlertRaised,
    AlertUpdated,
    AssignmentChanged,
    BatchPublished,
    Cause,
    CreditBooked,
    CreditedDeal,
    Customer,
    DealChanged,
    DealStatus,
    Drain,
    EntryKind,
    Message,
    PeriodLocked,
    PeriodState,
    PlanPublished,
    PositionState,
    ProgressChanged,
    QuotaSet,
    Reaccrue,
    RecordRefused,
    RecreditDeal,
    RefusalCode,
    Role,
    Severity,
    SourceCompleteThrough,
    SourceRange,
    StandingRow,
    StandingsChanged,
    TopicEnd,
)
from schemas.plan import (
    Component,
    MarginalTable,
    Measure,
    PlanDocument,
    RateOf,
    Tier,
)

_AT: Final = dt.datetime(2014, 3, 3, 17, 30, tzinfo=dt.UTC)
_DEAL: Final = "adventureworks:SO75124"
_PAYEE: Final = "p3f9c2a71"
_MANAGER: Final = "p88d01b4e"
_ACCOUNT: Final = f"{_PAYEE}.2013-14"
_PERIOD: Final = "2014-03-01"

_DEAL_CHANGED: Final = DealChanged(
    source="adventureworks",
    key="SO75124",
    deal_id=_DEAL,
    revision=8,
    changed_on=dt.date(2014, 3, 8),
    status=DealStatus.WON,
    name="Order SO75124",
    type="new",
    amount="32184.0312",
    currency="USD",
    closed_on=dt.date(2014, 3, 1),
    channel="seller",
    customer=Customer(key="29825"),
    territory_key="5",
    owner_key="279",
    attributes={"purchase_order": "PO522145787"},
)

_CREDIT: Final = CreditBooked(
    batch=4711,
    booked_at=_AT,
    is_replay=False,
    credit_id="6b2f0f1e9a4c4de08f51a7d2c3b4e5f6",
    deal_id=_DEAL,
    deal_version=1,
    deal_source="adventureworks",
    deal_revision=8,
    payee_id=_PAYEE,
    account_id=_ACCOUNT,
    role=Role.OWNER,
    credit_type="bookings",
    ordinal=1,
    amount="32184.0312",
    currency="USD",
    closed_on=dt.date(2014, 3, 1),
    origin_period=_PERIOD,
    segment="a-279",
    cause=Cause.DEAL_CREDITED,
    reference_version=12,
    period_state=PeriodState.OPEN,
)

_ENTRY: Final = AccrualPosted(
    batch=4711,
    booked_at=_AT,
    is_replay=False,
    entry_id="0d9b7c5f4a3e42118e6f1a2b3c4d5e6f",
    account_id=_ACCOUNT,
    account_version=58,
    payee_id=_PAYEE,
    component="commission",
    segment="a-279",
    origin_period=_PERIOD,
    booking_period=_PERIOD,
    kind=EntryKind.EARNED,
    credited="32184.0312",
    earned="482.76",
    currency="USD",
    credits=1,
    credited_after="118220.4410",
    earned_after="1773.31",
    plan_id="sales",
    plan_version=1,
    cause=Cause.DEAL_CREDITED,
    reference_version=12,
    period_state=PeriodState.OPEN,
)

_PROGRESS: Final = ProgressChanged(
    batch=4711,
    booked_at=_AT,
    is_replay=False,
    account_id=_ACCOUNT,
    version=58,
    payee_id=_PAYEE,
    plan_year="2013-14",
    currency="USD",
    positions=(
        PositionState(
            component="commission",
            segment="a-279",
            period=_PERIOD,
            credited="118220.4410",
            credits=4,
            earned="1773.31",
            counts_for_attainment=True,
            quota="500000",
            attainment_ratio="0.236440",
        ),
    ),
    changed_periods=(_PERIOD,),
    cause=Cause.DEAL_CREDITED,
)

_STANDINGS: Final = StandingsChanged(
    board_id="reps",
    version=912,
    period=_PERIOD,
    business_date=dt.date(2014, 3, 3),
    complete_through=_AT,
    expected_share="0.148",
    curve="last_year",
    total_amount="912004.1180",
    total_quota="6087000",
    currency="USD",
    rows=(
        StandingRow(
            payee_id=_PAYEE,
            rank=3,
            moved=1,
            amount="118220.4410",
            quota="500000",
            attainment_ratio="0.236440",
            gap_to_next="0.012100",
        ),
    ),
    removed=(),
    why=("deal_credited",),
    is_replay=False,
)


def _alert(struct: type[Alert], version: int, pace_ratio: str) -> Alert:
    """The same alert at three moments of its life."""
    return struct(
        alert_id="5c1e7a90b2d34f68a1c3e5f708192a3b",
        subject=_ACCOUNT,
        kind=AlertKind.OFF_PACE,
        period=_PERIOD,
        payee_id=_PAYEE,
        manager_id=_MANAGER,
        severity=Severity.WARNING,
        version=version,
        business_date=dt.date(2014, 4, 1),
        raised_on=dt.date(2014, 4, 1),
        attainment_ratio="0.301200",
        expected_share="0.480000",
        pace_ratio=pace_ratio,
        threshold="0.85",
        first_value="0.627500",
        credited="150600.0000",
        quota="500000",
        currency="USD",
        curve="last_year",
        suggested_action="Look at the open deals of this period together.",
        expected_now="240000.000000",
        required_per_remaining_working_day="7940.91",
        working_days_left=44,
        deal_count=2,
        last_deals=(
            CreditedDeal(
                deal_id="adventureworks:SO67305",
                closed_on=dt.date(2014, 3, 31),
                credited="118415.9688",
            ),
            CreditedDeal(deal_id=_DEAL, closed_on=dt.date(2014, 3, 1), credited="32184.0312"),
        ),
    )


EXAMPLES: Final[dict[type[Message], Message]] = {
    DealChanged: _DEAL_CHANGED,
    RecreditDeal: RecreditDeal(deal_id=_DEAL, cause="reporting line changed", reference_version=13),
    Reaccrue: Reaccrue(account_id=_ACCOUNT, cause="quota changed", reference_version=13),
    Drain: Drain(drain_id="lock-2013-11-30", round=1),
    SourceCompleteThrough: SourceCompleteThrough(source="adventureworks", complete_through=_AT),
    CreditBooked: _CREDIT,
    AccrualPosted: _ENTRY,
    ProgressChanged: _PROGRESS,
    StandingsChanged: _STANDINGS,
    AlertRaised: _alert(AlertRaised, 1, "0.627500"),
    AlertUpdated: _alert(AlertUpdated, 2, "0.701200"),
    AlertCleared: _alert(AlertCleared, 3, "0.934000"),
    PlanPublished: PlanPublished(
        entity="plan/sales", plan_id="sales", plan_version=1, reference_version=1, known_at=_AT
    ),
    QuotaSet: QuotaSet(
        entity=f"quota/{_PAYEE}/{_PERIOD}",
        payee_id=_PAYEE,
        period=_PERIOD,
        quota="500000",
        currency="USD",
        reference_version=13,
        known_at=_AT,
    ),
    AssignmentChanged: AssignmentChanged(
        entity=f"assignment/{_PAYEE}",
        payee_id=_PAYEE,
        plan_id="sales",
        starts_on=dt.date(2013, 5, 30),
        ends_on=None,
        reference_version=1,
        known_at=_AT,
    ),
    PeriodLocked: PeriodLocked(
        entity="period/2013-11-30", period="2013-11-30", reference_version=14, known_at=_AT
    ),
    RecordRefused: RecordRefused(
        dead_letter_id="9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        topic="paceboard.deals",
        partition=7,
        offset=8812,
        source_key=_DEAL,
        code=RefusalCode.BREAKS_CONTRACT,
        where="$.amount",
        problem="Expected `str`, got `float`",
        remedy="Send the amount as text: '32184.0312'.",
        value_start='{"source":"adventureworks","key":"SO75124","amount":32184.0312}',
        value_bytes=63,
        batch=4711,
        booked_at=_AT,
    ),
    BatchPublished: BatchPublished(
        batch=4711,
        booked_at=_AT,
        timeline=1,
        sources=(SourceRange(partition=7, first=8810, next=8813),),
        accounts={_ACCOUNT: 58},
        ends=(TopicEnd(topic="credits", partition=2, next=40118),),
    ),
}

PLAN_EXAMPLE: Final = PlanDocument(
    plan_id=PlanId("sales"),
    version=1,
    name="Commission on own orders",
    components=(
        Component(
            component=ComponentId("commission"),
            measure=Measure(roles=(Role.OWNER, Role.SPLIT, Role.OVERLAY)),
            table=MarginalTable(tiers=(Tier(start="0", rate="1"),), rate_of=RateOf.ASSIGNMENT),
            counts_for_attainment=True,
        ),
        Component(component=ComponentId("team"), measure=Measure(roles=(Role.ROLLUP,))),
    ),
)
