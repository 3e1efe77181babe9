"""The company of an installation, with the calendar that workers cannot do without."""

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cli.failures import Failure
from db import installation, reference
from db.connect import Connection
from db.installation import NotInstalled
from schemas.money import MINOR_UNITS
from schemas.reference import Curve
from schemas.topics import DEALS

ACTOR: Final = "cli"
CALENDAR: Final = {
    "calendar_id": "company",
    "weekend": [5, 6],
    "holidays": [],
    "day_starts": dt.time(9),
    "day_ends": dt.time(18),
    "curve": Curve.WORKING_DAYS.value,
}


def set_up(conn: Connection, *, company: str, currency: str, time_zone: str) -> None:
    """Make the installation's row, and a calendar if there is none. Raises Failure."""
    check(currency, time_zone)
    installation.install(
        conn,
        company=company,
        currency=currency,
        time_zone=time_zone,
        deals_partitions=DEALS.partitions,
        actor=ACTOR,
    )
    if not is_set_up(conn):
        with reference.reference_change(
            conn, actor=ACTOR, action="set calendar", entity="calendar/company"
        ) as change:
            change.put("calendars", [CALENDAR])


def check(currency: str, time_zone: str) -> None:
    """Raise Failure for a currency or a time zone that is not known."""
    if currency not in MINOR_UNITS:
        raise Failure(f"the currency {currency} is not known", "use an ISO 4217 code such as USD")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Failure(
            f"the time zone {time_zone} is not known", "use an IANA name such as Europe/Berlin"
        ) from error


def is_set_up(conn: Connection) -> bool:
    """Whether all is there that workers need."""
    try:
        reference.read(conn)
    except NotInstalled:
        return False
    return True
