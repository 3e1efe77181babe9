"""`paceboard load deals`: what is good goes, what is not comes back ready to be mended."""

import csv
from pathlib import Path

import pytest

from ingest import template
from schemas.settings import Settings
from tests.api.support import installed
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


def test_a_dry_run_says_the_money_and_a_load_the_same(
    files: Path, command: Command, installation: Settings
) -> None:
    """Counts and whose money, by the books that the environment names; nothing is sent."""
    installed(installation)
    (files / "mapping.json").write_text(MAPPING.replace('"erp"', '"crm"').replace("EUR", "USD"))
    rows = "A-1;1;10.02.2024;won;1200,50;10.02.2024;ada\nA-2;1;10.02.2024;won;10,00;10.02.2024;x"
    (files / "deals.csv").write_text(f"{HEADER}\n{rows}\n", encoding="utf-8-sig")
    said = command(
        *("load", "deals", str(files / "deals.csv"), "--mapping", str(files / "mapping.json")),
        "--dry-run",
    )
    assert said.code == 0, said.err
    assert "+18.01 USD" in said.out and "Ada" in said.out  # 1,200.50 at 1.5 %
    assert "would wait: 1 shares" in said.out
    assert "nothing was sent" in said.out


def test_a_header_that_says_it_all_needs_no_mapping(files: Path, command: Command) -> None:
    """The template goes as it is; what is doubtful is said with a mapping to begin with."""
    (files / "template.csv").write_bytes(template.made("csv"))
    said = command("load", "deals", str(files / "template.csv"), "--dry-run")
    assert said.code == 0, said.err
    (files / "odd.csv").write_text("a;b\n1;2\n")
    said = command("load", "deals", str(files / "odd.csv"), "--dry-run")
    assert said.code == 1
    assert "mapping.json" in said.err and '"source": "odd"' in said.err
