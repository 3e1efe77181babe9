"""The sample company: AdventureWorks' sales organisation as reference rows, its orders as deals.

Where the source is silent this is decided: the plan year starts with the first quota window; a
manager's rate and the vice president's is 0, they are credited and paid nothing; a seller's
territory is what the territory history says. The names of the two administrators are invented, all
others are Microsoft's fictitious people.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from ingest.adventureworks_files import (
    DATA,
    EMPLOYEE,
    EMPLOYEE_PERSON,
    ORDERS,
    QUOTA_HISTORY,
    SALES_PERSON,
    TERRITORY,
    TERRITORY_HISTORY,
    open_text,
    read,
)
from ingest.csv_files import read_table
from ingest.file_deals import to_deal
from ingest.mapping import columns_of, read_mapping
from ingest.tables import RowError
from schemas.ids import ComponentId, PlanId, digest
from schemas.messages import DealChanged, Role
from schemas.plan import Component, MarginalTable, Measure, PlanDocument, RateOf, Tier
from schemas.reference import BoardMeasure, Curve, PersonRole

Row = dict[str, Any]

SOURCE: Final = "adventureworks"
NAME: Final = "Adventure Works Cycles"
CURRENCY: Final = "USD"
TIME_ZONE: Final = "America/Los_Angeles"
PLAN: Final = PlanId("commission")
MAPPING: Final = read_mapping((DATA / "mapping.json").read_bytes())

# Quota windows: each ends where the next one starts, four make a plan year.
WINDOW_STARTS: Final = tuple(
    dt.date.fromisoformat(text)
    for text in (
        *("2011-05-31", "2011-08-31", "2011-12-01", "2012-02-29"),
        *("2012-05-30", "2012-08-30", "2012-11-30", "2013-02-28"),
        *("2013-05-30", "2013-08-30", "2013-11-30", "2014-03-01"),
    )
)
LAST_WINDOW_ENDS: Final = dt.date(2014, 6, 1)
WINDOWS_IN_YEAR: Final = 4
FIRST_DAY: Final = WINDOW_STARTS[0]
LAST_WINDOW_STARTS: Final = WINDOW_STARTS[-1]

_ID_SALT: Final = "paceboard sample company"
_ID_DIGITS: Final = 12
_ROLES: Final = {
    "Sales Representative": PersonRole.REP,
    "Vice President of Sales": PersonRole.EXECUTIVE,
}
ADMINISTRATORS: Final = ("Dana Whitfield", "Noor Achterberg")  # invented


class Company(NamedTuple):
    """All of the company but its orders. `tables`: rows by reference table, columns as declared."""

    name: str
    currency: str
    time_zone: str
    tables: dict[str, list[Row]]
    users: list[Row]


def company() -> Company:
    """The sample company's reference data and users."""
    tables = {
        "calendars": [_calendar()],
        "periods": periods(),
        "plans": [_plan()],
        "people": _people(),
        "payee_keys": _payee_keys(),
        "reporting_lines": _reporting_lines(),
        "assignments": _assignments(),
        "quotas": _quotas(),
        "territories": _territories(),
        "territory_rules": _territory_rules(),
        "crediting_rules": [_online_rule()],
        "boards": _boards(),
        "sources": [_source()],
    }
    return Company(NAME, CURRENCY, TIME_ZONE, tables, _users())


def deals() -> Iterator[DealChanged]:
    """Every order as a deal, in the order of their numbers, which is that of their dates."""
    with open_text(ORDERS) as text:
        table = read_table(text, name=ORDERS.name, required=columns_of(MAPPING))
        for row in table.rows:
            deal = to_deal(row, table.header, MAPPING)
            assert not isinstance(deal, RowError), deal
            yield deal


def payee_id(key: str) -> str:
    """The opaque id of the person whom AdventureWorks knows as `key`; always the same."""
    return f"p{digest(_ID_SALT, 'payee', key)[:_ID_DIGITS]}"


def period_id(starts_on: dt.date) -> str:
    """A window is known by its first day: "quarter 4" would be read as a calendar quarter."""
    return starts_on.isoformat()


def plan_year(starts_on: dt.date) -> str:
    """The plan year of a window: "2013-14"."""
    index = WINDOW_STARTS.index(starts_on) // WINDOWS_IN_YEAR
    first = WINDOW_STARTS[index * WINDOWS_IN_YEAR].year
    return f"{first}-{(first + 1) % 100:02}"


def periods() -> list[Row]:
    """The twelve quota windows, all open."""
    ends = (*WINDOW_STARTS[1:], LAST_WINDOW_ENDS)
    return [
        {
            "period_id": period_id(starts_on),
            "plan_year": plan_year(starts_on),
            "starts_on": starts_on,
            "ends_on": ends_on,
            "state": "open",
        }
        for starts_on, ends_on in zip(WINDOW_STARTS, ends, strict=True)
    ]


def _people() -> list[Row]:
    return [
        {
            "payee_id": payee_id(employee["BusinessEntityID"]),
            "name": _names()[employee["BusinessEntityID"]],
            "role": _role(employee),
            "title": employee["JobTitle"],
            "starts_on": _date(employee["HireDate"]),
            "ends_on": None,
        }
        for employee in read(EMPLOYEE)
    ]


def _payee_keys() -> list[Row]:
    return [
        {"source": SOURCE, "key": key, "payee_id": payee_id(key)}
        for key in (employee["BusinessEntityID"] for employee in read(EMPLOYEE))
    ]


def _reporting_lines() -> list[Row]:
    """Each from the day on which both are there; nobody stands above the vice president."""
    hired = _hired()
    return [
        {
            "payee_id": payee_id(key),
            "manager_id": payee_id(manager),
            "starts_on": max(hired[key], hired[manager]),
            "ends_on": None,
        }
        for key, manager in _managers().items()
        if manager in hired
    ]


def _assignments() -> list[Row]:
    """One segment a person, from his first day in a plan year on."""
    rates = {row["BusinessEntityID"]: row["CommissionPct"] for row in read(SALES_PERSON)}
    return [
        {
            "assignment_id": f"{payee_id(key)}-1",
            "payee_id": payee_id(key),
            "plan_id": PLAN,
            "rate": rates.get(key, "0"),
            "starts_on": max(hired, FIRST_DAY),
            "ends_on": None,
        }
        for key, hired in _hired().items()
    ]


def _quotas() -> list[Row]:
    return [
        {
            "payee_id": payee_id(row["BusinessEntityID"]),
            "period_id": period_id(_date(row["QuotaDate"])),
            "amount": row["SalesQuota"],
        }
        for row in read(QUOTA_HISTORY)
    ]


def _plan() -> Row:
    document = PlanDocument(
        plan_id=PLAN,
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
    return {
        "plan_id": PLAN,
        "plan_version": document.version,
        "starts_on": FIRST_DAY,
        "ends_on": None,
        "document": msgspec.to_builtins(document),
    }


def _territories() -> list[Row]:
    return [
        {
            "territory_id": row["TerritoryID"],
            "name": row["Name"],
            "region": row["Group"],
            "country": row["CountryRegionCode"],
        }
        for row in read(TERRITORY)
    ]


def _territory_rules() -> list[Row]:
    """The source names the last day, a range here ends before its end."""
    return [
        {
            "territory_id": row["TerritoryID"],
            "payee_id": payee_id(row["BusinessEntityID"]),
            "starts_on": _date(row["StartDate"]),
            "ends_on": _date(row["EndDate"]) + dt.timedelta(days=1) if row["EndDate"] else None,
        }
        for row in read(TERRITORY_HISTORY)
    ]


def _online_rule() -> Row:
    return {
        "rule_id": "online",
        "condition": {"channel": "online"},
        "reason": "online order without a seller",
        "priority": 0,
    }


def _calendar() -> Row:
    return {
        "calendar_id": "company",
        "weekend": [5, 6],
        "holidays": [],
        "day_starts": dt.time(9),
        "day_ends": dt.time(18),
        "curve": Curve.LAST_YEAR.value,
    }


def _boards() -> list[Row]:
    return [
        _board("reps", "Representatives by attainment", BoardMeasure.ATTAINMENT, PersonRole.REP),
        _board("reps-amount", "Representatives by amount", BoardMeasure.AMOUNT, PersonRole.REP),
        _board("managers", "Managers by attainment", BoardMeasure.ATTAINMENT, PersonRole.MANAGER),
    ]


def _board(board_id: str, name: str, measure: BoardMeasure, role: PersonRole) -> Row:
    return {
        "board_id": board_id,
        "name": name,
        "measure": measure.value,
        "roles": [role.value],
        "visibility": "everyone",
    }


def _source() -> Row:
    owned = [name for name in DealChanged.__struct_fields__ if name not in ("source", "key")]
    return {"source": SOURCE, "fields": owned, "description": "Orders of AdventureWorks"}


def _users() -> list[Row]:
    """Everybody in sales may sign in to see his own page; managers see their people's."""
    sellers = [
        _user(key, payee_id(key), "rep" if _role(employee) == PersonRole.REP else "manager", name)
        for employee in read(EMPLOYEE)
        for key in [employee["BusinessEntityID"]]
        for name in [_names()[key]]
    ]
    return sellers + [_user(name, None, "admin", name) for name in ADMINISTRATORS]


def _user(key: str, payee: str | None, role: str, name: str) -> Row:
    return {
        "user_id": f"u{digest(_ID_SALT, 'user', key)[:_ID_DIGITS]}",
        "payee_id": payee,
        "role": role,
        "name": name,
        "demo": True,
        "disabled_at": None,
    }


def _role(employee: dict[str, str]) -> str:
    return _ROLES.get(employee["JobTitle"], PersonRole.MANAGER).value


def _names() -> dict[str, str]:
    return {
        row["BusinessEntityID"]: f"{row['FirstName']} {row['LastName']}"
        for row in read(EMPLOYEE_PERSON)
    }


def _hired() -> dict[str, dt.date]:
    return {row["BusinessEntityID"]: _date(row["HireDate"]) for row in read(EMPLOYEE)}


def _managers() -> dict[str, str]:
    return {row["BusinessEntityID"]: row["ManagerID"] for row in read(EMPLOYEE)}


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
