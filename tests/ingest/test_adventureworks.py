"""The sample company holds what Microsoft's files hold, to the last digit."""

import csv
import datetime as dt
import gzip
import os
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from ingest import adventureworks as sample
from ingest.adventureworks_files import DATA, FILES, ORDERS, File, open_text, packed
from schemas.messages import DealChanged, DealStatus

BESIDE = Path(__file__).parents[2].parent / "shared" / "data" / "adventureworks"
FULL = Path(os.environ.get("PACEBOARD_ADVENTUREWORKS_FILES", BESIDE))


@pytest.fixture(scope="module")
def deals() -> list[DealChanged]:
    return list(sample.deals())


@pytest.fixture(scope="module")
def company() -> sample.Company:
    return sample.company()


def raw_orders() -> list[dict[str, str]]:
    """The orders as the file has them, past none of our code but gzip."""
    with gzip.open(DATA / ORDERS.name, "rt", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def raw(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines()))


@pytest.mark.skipif(not FULL.is_dir(), reason="the full files are not here")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_are_made_of_the_full_ones(file: File) -> None:
    """Whoever has Microsoft's files can make ours again."""
    with open_text(file) as text:
        assert _plain(packed(file, FULL), file) == text.read()


def _plain(content: bytes, file: File) -> str:
    return (gzip.decompress(content) if file.name.endswith(".gz") else content).decode()


def test_orders(deals: list[DealChanged]) -> None:
    """Counts and sums that were computed from the source by others."""
    seller = [deal for deal in deals if deal.owner_key]
    assert len(deals) == 31_465
    assert len({deal.deal_id for deal in deals}) == 31_465
    assert len(seller) == 3_806
    assert sum(Decimal(deal.amount or "") for deal in seller) == Decimal("80487704.1832")
    assert sum(deal.channel == "online" for deal in deals) == 27_659
    assert all((deal.channel == "seller") == bool(deal.owner_key) for deal in deals)
    assert {deal.status for deal in deals} == {DealStatus.WON}
    assert {deal.currency for deal in deals} == {"USD"}
    assert [d.closed_on for d in deals] == sorted(d.closed_on for d in deals if d.closed_on)


def test_an_order_field_by_field(deals: list[DealChanged]) -> None:
    """SO43659, the first; its amount keeps its four decimals."""
    first = deals[0]
    assert (first.deal_id, first.key, first.revision) == ("adventureworks:SO43659", "SO43659", 8)
    assert (first.amount, first.owner_key, first.territory_key) == ("20565.6206", "279", "5")
    assert (first.changed_on, first.closed_on) == (dt.date(2011, 6, 7), dt.date(2011, 5, 31))
    assert first.customer is not None
    assert first.customer.key == "29825"
    assert first.attributes == {"purchase_order": "PO522145787"}


def test_amounts_are_the_files_text(deals: list[DealChanged]) -> None:
    """No digit is lost or added on the way."""
    assert [deal.amount for deal in deals] == [row["SubTotal"] for row in raw_orders()]


def test_a_seller(deals: list[DealChanged]) -> None:
    """Blythe, 275."""
    own = [Decimal(deal.amount or "") for deal in deals if deal.owner_key == "275"]
    assert len(own) == 450
    assert sum(own) == Decimal("9293903.0046")


def test_quotas_rates_and_windows(company: sample.Company) -> None:
    """163 quotas at twelve dates; every seller order falls into a window of its seller's quota."""
    tables = company.tables
    assert len(tables["quotas"]) == 163
    assert {quota["period_id"] for quota in tables["quotas"]} == {
        period["period_id"] for period in tables["periods"]
    }
    assert [period["plan_year"] for period in tables["periods"]] == (
        ["2011-12"] * 4 + ["2012-13"] * 4 + ["2013-14"] * 4
    )
    for before, after in zip(tables["periods"], tables["periods"][1:], strict=False):
        assert before["ends_on"] == after["starts_on"]
    assert tables["periods"][-1]["ends_on"] == dt.date(2014, 6, 1)


def test_commission(deals: list[DealChanged], company: sample.Company) -> None:
    """What all sellers earn over all windows, unrounded and rounded per seller and window."""
    by_key = {row["payee_id"]: row["key"] for row in company.tables["payee_keys"]}
    rates = {by_key[a["payee_id"]]: Decimal(a["rate"]) for a in company.tables["assignments"]}
    credited: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for deal in deals:
        if deal.owner_key:
            credited[deal.owner_key, _window(company, deal)] += Decimal(deal.amount or "")
    earned = [amount * rates[key] for (key, _), amount in credited.items()]
    cents = [amount.quantize(Decimal("0.01"), ROUND_HALF_EVEN) for amount in earned]
    assert sum(earned) == Decimal("1101643.4625788")
    assert sum(cents) == Decimal("1101643.43")


def _window(company: sample.Company, deal: DealChanged) -> str:
    (found,) = [
        period["period_id"]
        for period in company.tables["periods"]
        if period["starts_on"] <= deal.closed_on < period["ends_on"]
    ]
    return str(found)


def test_everyone_is_there_when_he_sells(deals: list[DealChanged], company: sample.Company) -> None:
    """Nobody sells before his assignment starts, or his manager's reporting line."""
    keys = {row["payee_id"]: row["key"] for row in company.tables["payee_keys"]}
    assigned = {keys[a["payee_id"]]: a["starts_on"] for a in company.tables["assignments"]}
    reporting = {keys[r["payee_id"]]: r["starts_on"] for r in company.tables["reporting_lines"]}
    for deal in deals:
        if deal.owner_key and deal.closed_on:
            assert max(assigned[deal.owner_key], reporting[deal.owner_key]) <= deal.closed_on


def test_people_and_reporting_lines(company: sample.Company) -> None:
    """14 representatives, 3 managers, the vice president above them."""
    people = company.tables["people"]
    roles = [person["role"] for person in people]
    assert [roles.count(role) for role in ("rep", "manager", "executive")] == [14, 3, 1]
    above = {line["payee_id"]: line["manager_id"] for line in company.tables["reporting_lines"]}
    for row in raw("employee.csv"):
        expected = sample.payee_id(row["ManagerID"]) if row["ManagerID"] != "1" else None
        assert above.get(sample.payee_id(row["BusinessEntityID"])) == expected
    assert any(person["name"] == "José Saraiva" for person in people)


def test_ids_are_opaque_and_stable(company: sample.Company) -> None:
    """A payee's id does not hold his key, and is the same in every installation."""
    assert sample.payee_id("275") == "p2d84358a80f1"
    assert "275" not in sample.payee_id("275")
    assert len({person["payee_id"] for person in company.tables["people"]}) == 18


def test_territories(company: sample.Company) -> None:
    """The source's last day becomes the day before the end; managers have no territory."""
    rules = {(r["payee_id"], r["territory_id"]): r for r in company.tables["territory_rules"]}
    blythe = rules[sample.payee_id("275"), "2"]
    assert (blythe["starts_on"], blythe["ends_on"]) == (dt.date(2011, 5, 31), dt.date(2012, 11, 30))
    assert len(company.tables["territories"]) == 10
    managers = {p["payee_id"] for p in company.tables["people"] if p["role"] != "rep"}
    assert not managers & {payee for payee, _ in rules}


def test_users(company: sample.Company) -> None:
    """One for each person, and two administrators."""
    roles = [user["role"] for user in company.users]
    assert [roles.count(role) for role in ("rep", "manager", "admin")] == [14, 4, 2]
    assert len({user["user_id"] for user in company.users}) == 20


def test_rows_have_the_columns_of_their_tables(company: sample.Company) -> None:
    """Every reference row fills what its table declares, and nothing else."""
    from db.tables import metadata

    kept = {"row_id", "known_from", "known_to", "reference_version"}
    for name, rows in company.tables.items():
        columns = {column.name for column in metadata.tables[name].columns} - kept
        assert all(row.keys() == columns for row in rows), name
    users = {column.name for column in metadata.tables["users"].columns}
    assert all(user.keys() == users for user in company.users)
