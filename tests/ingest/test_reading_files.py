"""Files as people have them: what Excel, a CRM and a colleague's script make of the same rows."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ingest import files, xlsx_writing
from ingest.file_deals import deals
from ingest.files import File
from ingest.mapping import Mapping
from ingest.tables import Day, FileRefused, Inexact, Moment, Number, RowError
from schemas import limits
from schemas.messages import DealChanged

COLUMNS = {
    "key": "Order",
    "revision": "Rev",
    "changed_on": "Changed",
    "status": "State",
    "amount": "Net",
    "closed_on": "Won",
    "owner_key": "Seller",
}
HEADER = tuple(COLUMNS.values())
PLAIN = Mapping(source="erp", columns=COLUMNS, constants={"currency": "EUR"})
GERMAN = Mapping(
    source="erp",
    columns=COLUMNS,
    constants={"currency": "EUR"},
    date_formats=("%d.%m.%Y",),
    decimal=",",
    grouping=".",
)
WON = {"amount": "1234.56", "closed_on": dt.date(2014, 3, 30), "owner_key": "José Müller"}


def csv_of(*lines: str, delimiter: str = ";", encoding: str = "utf-8") -> File:
    text = "\r\n".join((delimiter.join(HEADER), *lines)) + "\r\n"
    return files.in_memory("deals.csv", text.encode(encoding))


def book_of(*rows: tuple[str, ...], header: tuple[str, ...] = HEADER, **given: Any) -> File:
    stream = io.BytesIO()
    xlsx_writing.write(stream, header, rows, sheet="Deals", **given)
    return files.in_memory("deals.xlsx", stream.getvalue())


def raw_book(cells: str, *, sheets: tuple[str, ...] = ("Deals",)) -> File:
    """A workbook whose first sheet has these rows as XML; further sheets are empty."""
    made = io.BytesIO(book_of().open().read())
    parts = {}
    with zipfile.ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        f"{cells}</sheetData></worksheet>"
    ).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return files.in_memory("deals.xlsx", target.getvalue())


def outcomes(file: File, mapping: Mapping) -> list[DealChanged | RowError]:
    with files.read(file, mapping) as table:
        return [outcome for _, outcome in deals(table, mapping)]


def one(file: File, mapping: Mapping) -> DealChanged | RowError:
    (found,) = outcomes(file, mapping)
    return found


def the_deal(file: File, mapping: Mapping) -> DealChanged:
    found = one(file, mapping)
    assert isinstance(found, DealChanged), found
    return found


GERMAN_LINE = 'A-1;3;31.03.2014;won;"1.234,56";30.03.2014;José Müller'
PLAIN_LINE = "A-1,3,2014-03-31,won,1234.56,2014-03-30,José Müller"


@pytest.mark.parametrize(
    ("file", "mapping"),
    [
        (csv_of(GERMAN_LINE), GERMAN),
        (csv_of(GERMAN_LINE, encoding="utf-8-sig"), GERMAN),
        (csv_of(GERMAN_LINE, encoding="utf-16"), GERMAN),
        (
            csv_of(GERMAN_LINE, encoding="cp1252"),
            Mapping(
                source="erp",
                columns=COLUMNS,
                constants={"currency": "EUR"},
                date_formats=("%d.%m.%Y",),
                decimal=",",
                grouping=".",
                encoding="cp1252",
            ),
        ),
        (csv_of(PLAIN_LINE, delimiter=","), PLAIN),
        (csv_of(PLAIN_LINE.replace(",", "\t"), delimiter="\t"), PLAIN),
        (
            files.in_memory("x", b"sep=;\r\n" + csv_of(PLAIN_LINE.replace(",", ";")).open().read()),
            PLAIN,
        ),
        (
            book_of(
                (
                    "A-1",
                    Number("3"),
                    Day("2014-03-31"),
                    "won",
                    Number("1234.56"),
                    Day("2014-03-30"),
                    "José Müller",
                )
            ),
            GERMAN,
        ),
        (
            book_of(
                ("A-1", "3", "31.03.2014", "won", "1.234,56", "30.03.2014", " José Müller "),
            ),
            GERMAN,
        ),
        (
            book_of(
                (
                    "A-1",
                    Number("3"),
                    Number("41729"),
                    "won",
                    Number("1234.56"),
                    Moment("2014-03-30T17:30:00"),
                    "José Müller",
                )
            ),
            PLAIN,
        ),
        (
            book_of(
                (
                    "A-1",
                    Number("3"),
                    Day("2014-03-31"),
                    "won",
                    Number("1234.56"),
                    Number("40266"),
                    "José Müller",
                ),
                is_1904=True,
            ),
            PLAIN,
        ),
    ],
    ids=(
        *("utf-8", "byte order mark", "utf-16", "cp1252", "comma", "tab", "sep="),
        *("cells of a workbook", "texts of a workbook", "serial numbers", "serial numbers of 1904"),
    ),
)
def test_the_same_row_in_whatever_form_is_the_same_deal(file: File, mapping: Mapping) -> None:
    """Whoever loads a file by CSV and then by Excel changes nothing."""
    deal = the_deal(file, mapping)
    assert (deal.deal_id, deal.revision, deal.changed_on) == ("erp:A-1", 3, dt.date(2014, 3, 31))
    assert {name: getattr(deal, name) for name in WON} == WON


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("1234.56", "1234.56"),
        ("32184.029999999999", "32184.03"),  # as Excel writes 32184.03
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.3"),  # =0.1+0.2, shown as 0.3
        ("1234.5600000000002", "1234.56"),  # a sum of cents
        ("-12.5", "-12.5"),
        ("0", "0"),
        ("-0", "0"),
        ("69393", "69393"),
        ("1E-3", "0.001"),
        ("123456789012.34", "123456789012.34"),
        ("999999999999999", "999999999999999"),
    ],
)
def test_a_number_of_a_workbook_keeps_its_digits(stored: str, read: str) -> None:
    """What a person typed, not what a double happens to be."""
    head = '<row r="1"><c r="A1" t="str"><v>n</v></c></row>'
    with files.read(raw_book(f'{head}<row r="2"><c r="A2"><v>{stored}</v></c></row>')) as table:
        (found,) = table.rows
    assert found.cells == (read,)
    assert isinstance(found.cells[0], Number) and not isinstance(found.cells[0], Inexact)


def test_every_amount_of_cents_survives_the_double() -> None:
    """A hundred thousand amounts, as Excel would store them in seventeen digits."""
    amounts = [Decimal(cents) / 100 for cents in range(7, 32_000_000_00, 31_999)]
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{float(amount):.17g}</v></c></row>'
        for n, amount in enumerate(amounts, start=2)
    )
    head = '<row r="1"><c r="A1" t="str"><v>n</v></c></row>'
    with files.read(raw_book(head + rows)) as table:
        found = [Decimal(row.cells[0]) for row in table.rows]
    assert found == amounts


@pytest.mark.parametrize("stored", ["12345678901234567890", "12345678901.2345678", "1E+300"])
def test_digits_that_a_workbook_lost_are_not_made_up(stored: str) -> None:
    """An order number of twenty digits was cut when it was typed: nobody books it."""
    cells = ("A-1", "1", "2014-03-31", "won", "5", "2014-03-30")
    row = "".join(
        f'<c r="{chr(65 + i)}2" t="str"><v>{cell}</v></c>' for i, cell in enumerate(cells)
    )
    head = "".join(f'<c r="{chr(65 + i)}1" t="str"><v>{n}</v></c>' for i, n in enumerate(HEADER))
    book = raw_book(f'<row r="1">{head}</row><row r="2">{row}<c r="G2"><v>{stored}</v></c></row>')
    error = one(book, PLAIN)
    assert isinstance(error, RowError)
    assert (error.column, error.code) == ("Seller", "too_many_digits")


def test_a_formula_that_failed_is_no_empty_cell() -> None:
    """#N/A of a look-up must not become a deal without an owner."""
    head = "".join(f'<c r="{chr(65 + i)}1" t="str"><v>{n}</v></c>' for i, n in enumerate(HEADER))
    cells = ("A-1", "1", "2014-03-31", "won", "5", "2014-03-30")
    row = "".join(
        f'<c r="{chr(65 + i)}2" t="str"><v>{cell}</v></c>' for i, cell in enumerate(cells)
    )
    book = raw_book(
        f'<row r="1">{head}</row><row r="2">{row}<c r="G2" t="e"><f>X</f><v>#N/A</v></c></row>'
    )
    for file in (book, csv_of("A-1,1,2014-03-31,won,5,2014-03-30,#NV", delimiter=",")):
        error = one(file, PLAIN)
        assert isinstance(error, RowError)
        assert (error.column, error.code) == ("Seller", "formula_error")


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        (Number("41729"), dt.date(2014, 3, 31)),
        (Number("41729.729166"), dt.date(2014, 3, 31)),
        (Number("36526"), dt.date(2000, 1, 1)),
        (Number("61"), dt.date(1900, 3, 1)),
        (Number("60"), None),  # 29 February 1900, which Excel invented
        (Number("1"), None),
        (Number("-3"), None),
        (Number("99999999"), None),
    ],
)
def test_serial_numbers_of_dates(cell: Number, date: dt.date | None) -> None:
    """Where the mapping says date, a workbook's number is the number of a day."""
    row = ("A-1", Number("1"), cell, "open", "", "", "")
    found = one(book_of(row), PLAIN)
    if date is None:
        assert isinstance(found, RowError)
        assert (found.column, found.code) == ("Changed", "unreadable")
    else:
        assert isinstance(found, DealChanged)
        assert found.changed_on == date


def test_serial_numbers_in_a_csv_only_where_the_mapping_says_so() -> None:
    """41729 is a number until somebody says that it is a date."""
    line = "A-1,1,41729,open,,,"
    assert isinstance(one(csv_of(line, delimiter=","), PLAIN), RowError)
    mapping = Mapping(source="erp", columns=COLUMNS, date_formats=("%Y-%m-%d", "serial"))
    assert the_deal(csv_of(line, delimiter=","), mapping).changed_on == dt.date(2014, 3, 31)


@pytest.mark.parametrize(
    ("cell", "revision"),
    [
        ("7", 7),
        ("2014-03-31", 20140331000000),
        ("2014-03-31T17:30:00Z", 20140331173000),
        ("2014-03-31T19:30:00+02:00", 20140331173000),
        (Day("2014-03-31"), 20140331000000),
        (Moment("2014-03-31T17:30:00"), 20140331173000),
        (Number("41729"), 41729),
    ],
)
def test_a_date_can_be_the_revision(cell: str, revision: int) -> None:
    """Most files have no revision, and nearly all say when a row was changed last."""
    row = ("A-1", cell, Day("2014-03-31"), "open", "", "", "")
    assert the_deal(book_of(row), PLAIN).revision == revision


@pytest.mark.parametrize(
    ("text", "decimal", "grouping", "amount"),
    [
        ("1 234,56", ",", " ", "1234.56"),
        ("1\u00a0234,56", ",", " ", "1234.56"),
        ("1\u202f234,56", ",", " ", "1234.56"),
        ("1'234.56", ".", "'", "1234.56"),
        ("1’234.56", ".", "'", "1234.56"),
        ("1,234,567.8", ".", ",", "1234567.8"),
    ],
)
def test_how_countries_group(text: str, decimal: Any, grouping: Any, amount: str) -> None:
    """The spaces that a French Excel writes are not those of the keyboard."""
    mapping = Mapping(source="erp", columns=COLUMNS, decimal=decimal, grouping=grouping)
    line = f"A-1;1;2014-03-31;open;{text};;"
    assert the_deal(csv_of(line), mapping).amount == amount


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: files.in_memory("a.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 600), "password"),
        (lambda: files.in_memory("a.xlsx", b"PK\x03\x04 and then nothing"), "workbook"),
        (lambda: files.in_memory("a.zip", _zip({"readme.txt": b"no"})), "not an Excel workbook"),
        (lambda: files.in_memory("a.csv", b""), "empty"),
        (lambda: book_of(header=("", "")), "empty"),
        (lambda: book_of(header=HEADER[:-1]), "no column 'Seller' in row 1"),
        (lambda: book_of(header=(*HEADER, "Net")), "column 'Net' stands twice"),
        (lambda: csv_of(delimiter=";", encoding="cp1252").name and _ansi(), "cp1252"),
        (
            lambda: raw_book('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
            "span 1,048,576 rows and 16,384 columns",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(make: Callable[[], File], says: str) -> None:
    """A sentence for whoever has the file, also where reading it would take the machine down."""
    with pytest.raises(FileRefused, match=says):
        outcomes(make(), PLAIN)


def _ansi() -> File:
    return csv_of("A-1,1,2014-03-31,open,,,José", delimiter=",", encoding="cp1252")


def _zip(parts: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_a_column_twice_is_no_harm_where_nobody_needs_it() -> None:
    """A report of a CRM has two columns "Name"; the mapping reads neither."""
    header = (*HEADER, "Note", "Note")
    row = ("A-1", "1", "2014-03-31", "open", "", "", "", "x", "y")
    assert the_deal(book_of(row, header=header), PLAIN).deal_id == "erp:A-1"


def test_a_named_sheet_and_one_that_is_not_there() -> None:
    """The first sheet unless the mapping or the caller names one."""
    book = book_of(("A-1", "1", "2014-03-31", "open", "", "", ""))
    with files.read(book, PLAIN, sheet="Deals") as table:
        assert (table.sheet, table.sheets) == ("Deals", ("Deals",))
    with (
        pytest.raises(FileRefused, match="no sheet 'Sales'; it has 'Deals'"),
        files.read(book, PLAIN, sheet="Sales"),
    ):
        pass


def test_empty_rows_and_what_stands_beside_the_table() -> None:
    """Rows are counted as the spreadsheet shows them; notes right of the table are left out."""
    row = ("A-1", "1", "2014-03-31", "open", "", "", "", "", "ask Ben")
    book = book_of(row, ("",) * 7, ("", "", "", "", "", "", "", "", "a note"), row)
    with files.read(book, PLAIN) as table:
        assert [found.number for found in table.rows] == [2, 5]


NASTY = (
    ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
    ("+49 30 123", "+49 30 123"),
    ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
    ("-12,50", "-12,50"),
    ("-A1", "'-A1"),
    ("@SUM(1)", "'@SUM(1)"),
    ('José; "Joe"', 'José; "Joe"'),
)


@pytest.mark.parametrize(("cell", "written"), NASTY)
def test_an_error_file_is_no_weapon(cell: str, written: str) -> None:
    """A cell that a spreadsheet would calculate is made harmless, and comes back as it was."""
    quoted = cell.replace('"', '""')
    file = csv_of(f'A-1;x;2014-03-31;open;;;"{quoted}"')
    error = one(file, PLAIN)
    assert isinstance(error, RowError)
    out = io.BytesIO()
    assert files.write_errors(out, file, PLAIN, {2: error}) == 1
    text = out.getvalue().decode("utf-8-sig")
    assert f'"{written.replace(chr(34), chr(34) * 2)}"' in text or f";{written};" in text
    mended = files.in_memory("e.csv", text.replace("A-1;x;", "A-1;1;").encode("utf-8-sig"))
    assert the_deal(mended, PLAIN).owner_key == cell


@pytest.mark.parametrize("is_1904", [False, True])
def test_the_error_file_of_a_workbook_is_a_workbook(is_1904: bool) -> None:
    """Same sheet, cells of the same kinds; mended in Excel it is loaded as it is."""
    rows = (
        ("A-1", "x", Day("2014-03-31"), "won", Number("1234.56"), Number("41728"), "=1+1"),
        ("A-2", Number("1"), Day("2014-03-31"), "open", "", "", ""),
    )
    book = book_of(*rows, is_1904=is_1904)
    found = outcomes(book, GERMAN)
    refused = {error.row: error for error in found if isinstance(error, RowError)}
    out = io.BytesIO()
    assert files.write_errors(out, book, GERMAN, refused) == 1
    again = files.in_memory("e.xlsx", out.getvalue())
    error = one(again, GERMAN)
    assert isinstance(error, RowError)
    assert error[1:] == refused[2][1:]
    with files.read(again) as table:
        assert (table.header, table.sheet, table.is_1904) == (HEADER, "Deals", is_1904)
        (row,) = table.rows
    assert (row.cells[0], *row.cells[2:]) == (rows[0][0], *rows[0][2:])
    assert isinstance(row.cells[4], Number) and isinstance(row.cells[2], Day)
    mended = book_of(
        (row.cells[0], Number("3"), *row.cells[2:], "2", "Rev", "unreadable", "cannot", "17"),
        header=(*HEADER, "row", "column", "error_code", "message", "expected"),
        is_1904=is_1904,
    )
    deal = the_deal(mended, GERMAN)
    assert (deal.amount, deal.owner_key, deal.revision) == ("1234.56", "=1+1", 3)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_hundred_thousand_rows(form: str) -> None:
    """Read row by row, each with its own number."""
    count = 100_000
    if form == "csv":
        file = csv_of(
            *(f"A-{n},1,2014-03-31,won,{n}.56,2014-03-30,José" for n in range(count)),
            delimiter=",",
        )
    else:
        file = book_of(
            *(
                (
                    f"A-{n}",
                    Number("1"),
                    Day("2014-03-31"),
                    "won",
                    Number(f"{n}.56"),
                    Day("2014-03-30"),
                    "José",
                )
                for n in range(count)
            )
        )
    found = 0
    with files.read(file, PLAIN) as table:
        for row, outcome in deals(table, PLAIN):
            assert isinstance(outcome, DealChanged)
            assert (row.number, outcome.amount) == (found + 2, f"{found}.56")
            found += 1
    assert found == count


def test_more_rows_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said when the row is reached, in both forms."""
    row = ("A-1", "1", "2014-03-31", "open", "", "", "")
    for file in (book_of(row, row), csv_of(";".join(row), ";".join(row))):
        with (
            pytest.raises(FileRefused, match="more than the 1 rows"),
            files.read(file, PLAIN, rows_max=1) as table,
        ):
            list(table.rows)
    monkeypatch.setattr(limits, "XLSX_UNPACKED_BYTES_MAX", 1_000)
    with pytest.raises(FileRefused, match="unpacked it has more than"):
        outcomes(book_of(row), PLAIN)
