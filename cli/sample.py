"""Loading the sample company: reference data, users, and its history of orders."""

import datetime as dt
import enum
import time
from collections.abc import Callable, Iterator
from typing import Final
from zoneinfo import ZoneInfo

from cli.failures import Failure
from db import installation, periods, relay
from db.connect import Connection
from db.enrolment import enrol
from db.reference_change import Change, reference_change
from ingest import adventureworks as sample
from ingest.publish import Progress, publish_deals
from schemas import limits
from schemas.messages import AssignmentChanged, DealChanged, PlanPublished, QuotaSet
from schemas.settings import Settings
from schemas.topics import DEALS

ACTOR: Final = "cli"
_POLL_SECONDS: Final = 0.1


class Orders(enum.StrEnum):
    """Which of the sample company's orders to load."""

    ALL = "all"
    HISTORY = "history"  # those before the last quota window, which the replay sends
    NONE = "none"


def load_company(conn: Connection) -> sample.Company:
    """Reference data and users; doing it again changes nothing, locked periods stay locked."""
    company = sample.company()
    installation.install(
        conn,
        company=company.name,
        currency=company.currency,
        time_zone=company.time_zone,
        deals_partitions=DEALS.partitions,
        actor=ACTOR,
    )
    locked = {lock.period_id for lock in periods.locks(conn)}
    for period in company.tables["periods"]:
        if period["period_id"] in locked:
            period["state"] = "locked"
    with reference_change(conn, actor=ACTOR, action="load sample", entity=sample.SOURCE) as change:
        for table, rows in company.tables.items():
            change.put(table, rows)
        _announce(change, company)
    enrol(conn, company.users, actor=ACTOR)
    return company


def load_orders(
    settings: Settings, orders: Orders, *, progress: Progress | None = None
) -> dict[int, int]:
    """Publish the orders as history; the first offset behind them by partition."""
    if orders is Orders.NONE:
        return {}
    until = sample.LAST_WINDOW_STARTS if orders is Orders.HISTORY else dt.date(2014, 7, 1)
    published = publish_deals(
        settings,
        history(until),
        is_replay=True,
        complete_through=(sample.SOURCE, midnight(until)),
        progress=progress,
    )
    return published.ends


def history(until: dt.date) -> Iterator[DealChanged]:
    """The orders before that date."""
    for deal in sample.deals():
        if deal.closed_on is not None and deal.closed_on < until:
            yield deal


def midnight(on: dt.date) -> dt.datetime:
    """When a date begins at the sample company."""
    return dt.datetime.combine(on, dt.time(), ZoneInfo(sample.TIME_ZONE)).astimezone(dt.UTC)


def await_applied(
    settings: Settings,
    conn: Connection,
    ends: dict[int, int],
    *,
    say: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
    seconds_max: float = limits.APPLY_SECONDS_MAX,
) -> None:
    """Wait until all before `ends` is in the ledger; raises Failure when it takes too long."""
    topic = DEALS.full_name(settings.topic_prefix)
    deadline = time.monotonic() + seconds_max
    while behind := relay.not_applied(conn, topic, ends):
        check()
        say(f"{len(ends) - len(behind)} of {len(ends)} partitions done")
        if time.monotonic() > deadline:
            raise Failure(
                f"{len(behind)} partitions of {topic} are still behind after {seconds_max:.0f} s",
                "is a worker running? start one with: paceboard worker",
            )
        time.sleep(_POLL_SECONDS)


def _announce(change: Change, company: sample.Company) -> None:
    """What is in force now, for the reference topic."""
    for plan in company.tables["plans"]:
        change.announce(
            PlanPublished(
                entity=f"plan/{plan['plan_id']}",
                plan_id=plan["plan_id"],
                plan_version=plan["plan_version"],
                reference_version=change.version,
                known_at=change.known_at,
            )
        )
    for row in company.tables["assignments"]:
        change.announce(
            AssignmentChanged(
                entity=f"assignment/{row['payee_id']}/{row['starts_on']}",
                payee_id=row["payee_id"],
                plan_id=row["plan_id"],
                starts_on=row["starts_on"],
                ends_on=row["ends_on"],
                reference_version=change.version,
                known_at=change.known_at,
            )
        )
    for row in company.tables["quotas"]:
        change.announce(
            QuotaSet(
                entity=f"quota/{row['payee_id']}/{row['period_id']}",
                payee_id=row["payee_id"],
                period=row["period_id"],
                quota=row["amount"],
                currency=company.currency,
                reference_version=change.version,
                known_at=change.known_at,
            )
        )
