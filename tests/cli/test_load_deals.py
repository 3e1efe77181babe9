"""`paceboard load deals`: what is good goes, what is not comes back ready to be mended."""

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Command

MAPPING = """{
  "source": "erp",
  "columns": {"key": "Order", "revision": "Version", "changed_on": "Changed", "status": "State",
              "amount": "Net", "closed_on": "Won on", "owner_key": "Seller"},
  "constants": {"currency": "EUR"},
  "date_formats": ["%d.%m.%Y"], "decimal": ","
}"""
HEADER = "Order;Version;Changed;State;Net;Won on;Seller"
GOOD = "A-1;1;01.03.2014;won;1200,50;28.02.2014;José"
BAD = "A-2;1;01.03.2014;won;1200,50;;José"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "deals.csv").write_text(f"{HEADER}\n{GOOD}\n{BAD}\n", encoding="utf-8-sig")
    (tmp_path / "mapping.json").write_text(MAPPING)
    return tmp_path


def test_dry_run(files: Path, command: Command) -> None:
    """Counts, exit code 1 for a refused row, and a file with the reason; nothing is sent."""
    said = command(
        *("load", "deals", str(files / "deals.csv"), "--mapping", str(files / "mapping.json")),
        "--dry-run",
    )
    assert said.code == 1
    assert "1 good, 1 refused" in said.err
    assert "nothing was sent" in said.out
    with (files / "deals.errors.csv").open(encoding="utf-8-sig", newline="") as text:
        (row,) = csv.DictReader(text, delimiter=";")
    assert row["Order"] == "A-2"
    assert (row["row"], row["column"], row["error_code"]) == ("3", "Won on", "won_without_date")
    assert row["expected"] == "A won deal needs closed_on or closed_at."


def test_all_or_nothing(files: Path, command: Command) -> None:
    """One bad row holds all of them back."""
    said = command(
        *("load", "deals", str(files / "deals.csv"), "--mapping", str(files / "mapping.json")),
        "--all-or-nothing",
    )
    assert said.code == 1
    assert "nothing was sent" in said.out


def test_a_mapping_that_does_not_fit(files: Path, command: Command) -> None:
    """It names the column and what the file has."""
    (files / "mapping.json").write_text(MAPPING.replace("Seller", "Vendor"))
    said = command(
        *("load", "deals", str(files / "deals.csv"), "--mapping", str(files / "mapping.json"))
    )
    assert said.code == 1
    assert "no column 'Vendor'" in said.err
