"""The sample company's files: where they are, which columns they have, and how they were made.

`python -m ingest.adventureworks_files FOLDER` makes them from Microsoft's full files. The bytes
depend on the source alone (gzip without a time).
"""

import csv
import gzip
import io
import sys
from pathlib import Path
from typing import Final, NamedTuple, TextIO

DATA: Final = Path(__file__).parent / "data" / "adventureworks"


class File(NamedTuple):
    """One file: its name here, the file it was made of, the columns kept."""

    name: str
    source: str
    columns: tuple[str, ...]
    is_of_sales: bool = False  # only rows of the sales organisation are kept


ORDERS: Final = File(
    "orders.csv.gz",
    "sales_order_header.csv",
    (
        *("SalesOrderNumber", "RevisionNumber", "OrderDate", "Status", "OnlineOrderFlag"),
        *("PurchaseOrderNumber", "CustomerID", "SalesPersonID", "TerritoryID", "SubTotal"),
        "ModifiedDate",
    ),
)
SALES_PERSON: Final = File(
    "sales_person.csv", "sales_person.csv", ("BusinessEntityID", "CommissionPct")
)
QUOTA_HISTORY: Final = File(
    "quota_history.csv",
    "sales_person_quota_history.csv",
    ("BusinessEntityID", "QuotaDate", "SalesQuota"),
)
TERRITORY: Final = File(
    "territory.csv",
    "sales_territory.csv",
    ("TerritoryID", "Name", "CountryRegionCode", "Group"),
)
TERRITORY_HISTORY: Final = File(
    "territory_history.csv",
    "sales_territory_history.csv",
    ("BusinessEntityID", "TerritoryID", "StartDate", "EndDate"),
)
EMPLOYEE: Final = File(
    "employee.csv",
    "employee.csv",
    ("BusinessEntityID", "JobTitle", "HireDate", "ManagerID"),
    is_of_sales=True,
)
EMPLOYEE_PERSON: Final = File(
    "employee_person.csv",
    "employee_person.csv",
    ("BusinessEntityID", "FirstName", "MiddleName", "LastName"),
    is_of_sales=True,
)
FILES: Final = (
    *(ORDERS, SALES_PERSON, QUOTA_HISTORY, TERRITORY, TERRITORY_HISTORY),
    *(EMPLOYEE, EMPLOYEE_PERSON),
)


def open_text(file: File) -> TextIO:
    """The file's text; close it."""
    path = DATA / file.name
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def read(file: File) -> list[dict[str, str]]:
    """All rows of a small file, by column."""
    with open_text(file) as text:
        return list(csv.DictReader(text))


def packed(file: File, folder: Path) -> bytes:
    """The bytes of a file, made from the full one in `folder`."""
    with (folder / file.source).open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    if file.is_of_sales:
        sales = _sales_organisation(folder)
        rows = [row for row in rows if row["BusinessEntityID"] in sales]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(file.columns)
    writer.writerows([row[column] for column in file.columns] for row in rows)
    plain = out.getvalue().encode()
    return gzip.compress(plain, compresslevel=9, mtime=0) if file.name.endswith(".gz") else plain


def _sales_organisation(folder: Path) -> set[str]:
    """The sellers, and the vice president above their managers."""
    with (folder / SALES_PERSON.source).open(encoding="utf-8", newline="") as text:
        sellers = {row["BusinessEntityID"] for row in csv.DictReader(text)}
    with (folder / EMPLOYEE.source).open(encoding="utf-8", newline="") as text:
        managers = {
            row["ManagerID"] for row in csv.DictReader(text) if row["BusinessEntityID"] in sellers
        }
    return sellers | managers


if __name__ == "__main__":
    for made in FILES:
        (DATA / made.name).write_bytes(packed(made, Path(sys.argv[1])))
