"""Rows of a file become deals, or an error that a person can mend without asking anybody."""

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from domain.contract import check
from ingest import files
from ingest.csv_files import read_table, write_errors
from ingest.file_deals import Result, deals, to_deal
from ingest.mapping import Mapping, MappingRefused, columns_of, read_mapping
from ingest.tables import FileRefused, Row, RowError, Table
from schemas.messages import DealChanged, DealStatus

GERMAN = Mapping(
    source="erp",
    columns={
        "key": "Auftrag",
        "revision": "Version",
        "changed_on": "Geändert",
        "status": "Status",
        "amount": "Netto",
        "closed_on": "Gewonnen am",
        "owner_key": "Verkäufer",
        "customer.key": "Kunde",
    },
    constants={"currency": "EUR", "type": "new"},
    values={"status": {"Gewonnen": "won", "Offen": "open"}},
    attributes={"segment": "Segment"},
    constant_attributes={"imported": True},
    date_formats=("%d.%m.%Y", "%d.%m.%y"),
    decimal=",",
    grouping=".",
)
HEADER = "Auftrag;Version;Geändert;Status;Netto;Gewonnen am;Verkäufer;Kunde;Segment"
GOOD = "A-1;3;31.03.2014;Gewonnen;1.234,50;30.3.2014;José;K7;Handel"


def results(*lines: str, mapping: Mapping = GERMAN, header: str = HEADER) -> list[Result]:
    text = io.StringIO("\n".join((header, *lines)) + "\n")
    table = read_table(text, name="deals.csv", required=columns_of(mapping))
    return list(deals(table, mapping, check=check))


def only(line: str, mapping: Mapping = GERMAN) -> DealChanged | RowError:
    (result,) = results(line, mapping=mapping)
    return result.outcome


def test_a_row_becomes_a_deal() -> None:
    """Decimal comma, grouping, two-digit days, mapped values, constants, attributes."""
    assert only(GOOD) == msgspec.convert(
        {
            "source": "erp",
            "key": "A-1",
            "deal_id": "erp:A-1",
            "revision": 3,
            "changed_on": dt.date(2014, 3, 31),
            "status": DealStatus.WON,
            "amount": "1234.50",
            "closed_on": dt.date(2014, 3, 30),
            "owner_key": "José",
            "customer": {"key": "K7"},
            "currency": "EUR",
            "type": "new",
            "attributes": {"segment": "Handel", "imported": True},
        },
        DealChanged,
    )


def test_an_empty_cell_is_a_field_the_source_does_not_know() -> None:
    """It is left out, not empty text."""
    deal = only("A-1;3;31.03.2014;Offen;;;;;")
    assert isinstance(deal, DealChanged)
    assert (deal.amount, deal.closed_on, deal.owner_key, deal.customer) == (None,) * 4
    assert deal.attributes == {"imported": True}


@pytest.mark.parametrize(
    ("line", "column", "code", "expected"),
    [
        ("A;3;2014-03-31;Offen;;;;;", "Geändert", "unreadable", "31.03.2014 or 31.03.14"),
        ("A;x;31.03.2014;Offen;;;;;", "Version", "unreadable", "17"),
        ("A;;31.03.2014;Offen;;;;;", "Version", "empty", "a value"),
        (";1;31.03.2014;Offen;;;;;", "Auftrag", "empty", "a value"),
        ("A;1;31.03.2014;offen;;;;;", "Status", "unknown_value", "Gewonnen, Offen"),
        ("A;1;31.03.2014;Offen;1e3;;;;", "Netto", "breaks_contract", "32184,03"),
        ("A;1;31.03.2014;Offen;12,;;;;", "Netto", "breaks_contract", "32184,03"),
        ("A;1;31.03.2014;Offen;= 12;;;;", "Netto", "breaks_contract", "32184,03"),
        ("A;1;31.03.2014;Gewonnen;12,5;;;;", "Gewonnen am", "won_without_date", None),
        ("A;1;31.03.2014;Gewonnen;;30.03.2014;;;", "Netto", "won_without_amount", None),
        ("A;1;31.03.1814;Offen;;;;;", "Geändert", "date_out_of_range", None),
        ("A;1;31.03.2014;Offen", "", "cell_count", None),
        ("A;1;31.03.2014;Offen;;;;;;;", "", "cell_count", None),
    ],
)
def test_an_error_names_row_column_and_form(
    line: str, column: str, code: str, expected: str | None
) -> None:
    """Row as a spreadsheet counts, column as the file calls it, and an example of what is right."""
    error = only(line)
    assert isinstance(error, RowError)
    assert (error.row, error.column, error.code) == (2, column, code)
    assert error.message
    assert error.expected == expected if expected else error.expected


def test_a_foreign_decimal_sign_is_not_guessed() -> None:
    """1.5 in a file with decimal commas and no grouping may be 1.5 or 15: nobody guesses money."""
    mapping = msgspec.structs.replace(GERMAN, grouping="")
    error = only("A;1;31.03.2014;Offen;1.5;;;;", mapping)
    assert isinstance(error, RowError)
    assert error.column == "Netto"


@pytest.mark.parametrize("amount", ["1.23,5", "1234.567,00", ".100,00", "1.2345"])
def test_misplaced_grouping_is_refused(amount: str) -> None:
    """A grouping sign stands between groups of three, or the number means something else."""
    error = only(f"A;1;31.03.2014;Offen;{amount};;;;")
    assert isinstance(error, RowError)
    assert error.column == "Netto"


def test_a_bad_row_never_stops_the_good_ones() -> None:
    """Empty rows at the end of a spreadsheet are no rows."""
    found = results(GOOD, "A;x;31.03.2014;Offen;;;;;", ";;;;;;;;", GOOD.replace("A-1", "A-2"))
    assert [type(result.outcome) for result in found] == [DealChanged, RowError, DealChanged]
    assert [result.row.number for result in found] == [2, 3, 5]


def test_error_file_can_be_mended_and_loaded_again() -> None:
    """The same rows and columns, the error behind them; read again it gives the same errors."""
    bad = 'A;x;31.03.2014;Offen;"1.000,00";;;;"mit; Zeichen"'
    (result,) = results(bad)
    assert isinstance(result.outcome, RowError)
    out = io.BytesIO()
    table = Table(tuple(HEADER.split(";")), iter([result.row]), ";")
    assert write_errors(out, table, {2: result.outcome}) == 1
    header, line = out.getvalue().decode("utf-8-sig").splitlines()
    assert header == f"{HEADER};row;column;error_code;message;expected"
    assert line.startswith('A;x;31.03.2014;Offen;1.000,00;;;;"mit; Zeichen";2;Version;unreadable;')
    (again,) = results(line, header=header)
    assert isinstance(again.outcome, RowError)
    assert again.outcome[1:] == result.outcome[1:]
    (mended,) = results(line.replace("A;x;", "A;7;"), header=header)
    assert isinstance(mended.outcome, DealChanged)


def test_byte_order_mark_and_comma(tmp_path: Path) -> None:
    """As Excel saves it; the delimiter is the one the header has."""
    path = tmp_path / "deals.csv"
    path.write_bytes(b"\xef\xbb\xbfkey,v,at,state\r\nA,1,2014-03-31,open\r\n")
    mapping = Mapping(
        source="crm",
        columns={"key": "key", "revision": "v", "changed_on": "at", "status": "state"},
    )
    with files.read(files.on_disk(path), mapping) as table:
        (result,) = deals(table, mapping)
    assert isinstance(result.outcome, DealChanged)
    assert result.outcome.deal_id == "crm:A"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"key,v,at\nA,1,2", "no column 'state'"),
        (b"key,key,at,state\n", "stands twice"),
        (b"key,v,at,state\nM\xfcller,1,2014-03-31,open\n", "not UTF-8"),
        (b'key,v,at,state\n"A,1,2014-03-31,open\n', "row 2"),
        (b"key,v,at,state\n" + b"A,1,2014-03-31,open\n" * 4, "more than the 3 rows"),
        (b"key,v,at,state\n" + b" " * 200, "bytes"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, says: str) -> None:
    """One sentence with the place, never Python's words alone."""
    path = tmp_path / "deals.csv"
    path.write_bytes(content)

    def read() -> Iterator[Row]:
        columns = {"key": "key", "revision": "v", "changed_on": "at", "status": "state"}
        mapping = Mapping(source="crm", columns=columns)
        with files.read(files.on_disk(path, bytes_max=150), mapping, rows_max=3) as table:
            yield from table.rows

    with pytest.raises(FileRefused, match=says):
        list(read())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ('"columns": {"key": "A", "amont": "B"}', "unknown field 'amont'"),
        ('"columns": {"key": "A"}', "'revision' has neither"),
        ('"decimal": ";"', "decimal"),
        ('"surprise": 1', "surprise"),
        ('"constants": {"key": "x"}', "a column and a constant"),
        ('"grouping": "."', "same character"),
        ('"columns": {"key": "A", "customer.name": "C"}', "customer.key"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(change: str, says: str) -> None:
    """Before the first row is read."""
    whole = {
        "source": "erp",
        "columns": {"key": "A", "revision": "B", "changed_on": "C", "status": "D"},
    }
    changed = msgspec.json.decode("{" + change + "}")
    if "customer" in change:
        changed["columns"] = {**whole["columns"], **changed["columns"]}  # type: ignore[dict-item]
    with pytest.raises(MappingRefused, match=says):
        read_mapping(msgspec.json.encode({**whole, **changed}))


def test_cells_are_taken_as_text() -> None:
    """A deal id of its own, an instant with its zone, a year alone is no date."""
    mapping = Mapping(
        source="crm",
        columns={
            **{"key": "k", "deal_id": "d", "revision": "r", "changed_on": "c", "status": "s"},
            "closed_at": "a",
        },
    )
    header = ("k", "d", "r", "c", "s", "a")
    cells = ("7", "erp:A-1", "-3", "2014-03-31", "open", "2014-03-31T17:30:00+02:00")
    deal = to_deal(Row(2, cells), header, mapping)
    assert isinstance(deal, DealChanged)
    assert (deal.deal_id, deal.key, deal.revision) == ("erp:A-1", "7", -3)
    naive = to_deal(Row(2, (*cells[:5], "2014-03-31T17:30:00")), header, mapping)
    assert isinstance(naive, RowError)
    assert naive.column == "a"
