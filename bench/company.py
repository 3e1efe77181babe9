"""The company the worker is measured on: many sellers, a manager for ten, two tiers by quota."""

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from db import installation
from db.connect import connect
from db.reference import reference_change
from schemas.ids import ComponentId, PlanId
from schemas.messages import DealChanged, DealStatus, PeriodState, Role, Split
from schemas.plan import Component, MarginalTable, Measure, PlanDocument, Tier, TierInput
from schemas.reference import BoardMeasure, Curve, PersonRole
from schemas.settings import DatabaseRole, Settings
from schemas.topics import DEALS

SELLERS: Final = 5_000
MANAGERS: Final = 500
START: Final = dt.date(2026, 1, 1)
END: Final = dt.date(2027, 1, 1)
SOURCE: Final = "bench"
SEED: Final = 20260101


def install(settings: Settings) -> None:
    """The reference data, in a migrated database."""
    with connect(
        settings, DatabaseRole.API, application_name="paceboard bench", autocommit=True
    ) as conn:
        installation.install(
            conn,
            company="Bench",
            currency="USD",
            time_zone="UTC",
            deals_partitions=DEALS.partitions,
            actor="bench",
        )
        with reference_change(conn, actor="bench", action="load", entity="company") as change:
            for table, rows in _rows().items():
                change.put(table, rows)


def deals(count: int, *, offset: int = 0) -> Iterator[DealChanged]:
    """Deals split between two sellers of different managers: four credits each."""
    dice = random.Random(SEED + offset)
    for number in range(offset, offset + count):
        first, second = dice.sample(range(SELLERS), 2)
        day = START + dt.timedelta(days=dice.randrange(364))
        yield DealChanged(
            source=SOURCE,
            key=str(number),
            deal_id=f"{SOURCE}:{number}",
            revision=1,
            changed_on=day,
            status=DealStatus.WON,
            amount=f"{dice.randrange(10, 99_999)}.{dice.randrange(100):02d}",
            currency="USD",
            closed_on=day,
            splits=(
                Split(payee_key=f"s{first}", share="0.6"),
                Split(payee_key=f"s{second}", share="0.4"),
            ),
        )


def _rows() -> dict[str, list[dict[str, Any]]]:
    sellers = [f"s{n}" for n in range(SELLERS)]
    managers = [f"m{n}" for n in range(MANAGERS)]
    people = sellers + managers
    return {
        "calendars": [
            {
                "calendar_id": "company",
                "weekend": (5, 6),
                "holidays": (),
                "day_starts": dt.time(9),
                "day_ends": dt.time(17),
                "curve": Curve.WORKING_DAYS,
            }
        ],
        "periods": [
            {
                "period_id": "2026",
                "plan_year": "2026",
                "starts_on": START,
                "ends_on": END,
                "state": PeriodState.OPEN,
            }
        ],
        "people": [
            {
                "payee_id": f"p-{key}",
                "name": key,
                "role": PersonRole.REP if key[0] == "s" else PersonRole.MANAGER,
                "starts_on": START,
            }
            for key in people
        ],
        "payee_keys": [{"source": SOURCE, "key": k, "payee_id": f"p-{k}"} for k in people],
        "reporting_lines": [
            {
                "payee_id": f"p-s{n}",
                "manager_id": f"p-m{n * MANAGERS // SELLERS}",
                "starts_on": START,
            }
            for n in range(SELLERS)
        ],
        "plans": [{"plan_id": "bench", "plan_version": 1, "starts_on": START, "document": _plan()}],
        "assignments": [
            {
                "assignment_id": f"a-{key}",
                "payee_id": f"p-{key}",
                "plan_id": "bench",
                "starts_on": START,
            }
            for key in people
        ],
        "quotas": [
            {"payee_id": f"p-{key}", "period_id": "2026", "amount": Decimal(1_000_000)}
            for key in people
        ],
        "boards": [
            {
                "board_id": "sellers",
                "name": "Sellers",
                "measure": BoardMeasure.ATTAINMENT,
                "roles": [PersonRole.REP],
                "visibility": "everyone",
            }
        ],
        "sources": [{"source": SOURCE, "fields": ["*"], "description": "The bench"}],
    }


def _plan() -> PlanDocument:
    own = Component(
        component=ComponentId("own"),
        measure=Measure(roles=(Role.OWNER, Role.SPLIT)),
        table=MarginalTable(
            input=TierInput.ATTAINMENT,
            tiers=(Tier(start="0", rate="0.05"), Tier(start="1", rate="0.08")),
        ),
        counts_for_attainment=True,
    )
    team = Component(
        component=ComponentId("team"),
        measure=Measure(roles=(Role.ROLLUP,)),
        table=MarginalTable(tiers=(Tier(start="0", rate="0.005"),)),
    )
    return PlanDocument(plan_id=PlanId("bench"), version=1, name="Bench", components=(own, team))
