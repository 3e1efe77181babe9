"""A first mapping from a header and a few rows: right where it can be, and honest where not."""

from __future__ import annotations

import io

import msgspec
import pytest

from domain.contract import check
from ingest import files, xlsx_writing
from ingest.adventureworks_files import ORDERS, open_text
from ingest.fields import FIELDS, plain
from ingest.file_deals import deals
from ingest.files import File
from ingest.guessing import Guess, guess, look, source_of
from ingest.mapping import Mapping, read_mapping
from ingest.tables import Day, Number
from schemas.messages import DealChanged


def of(content: bytes, name: str = "deals.csv") -> Guess:
    return guess(look(files.in_memory(name, content)), source="erp", currency="EUR")


def loads(file: File, found: Guess) -> list[DealChanged]:
    mapping: Mapping = read_mapping(msgspec.json.encode(found.document))
    with files.read(file, mapping) as table:
        outcomes = [outcome for _, outcome in deals(table, mapping, check=check)]
    assert all(isinstance(outcome, DealChanged) for outcome in outcomes), outcomes
    return outcomes  # type: ignore[return-value]


GERMAN = (
    "Auftrags-Nr.;Geändert am;Status;Nettobetrag;Währung;Auftragsdatum;Verkäufer;Kundennummer;"
    "Kunde\r\n"
    'A-1;31.03.2014;Gewonnen;"1.234,50";EUR;30.03.2014;7;K-1;José & Söhne\r\n'
    'A-2;01.04.2014;Storniert;"12,00";EUR;28.03.2014;7;K-2;"Müller; Sohn"\r\n'
)
CANONICAL = (
    "key,revision,changed_on,status,amount,currency,closed_on,owner_key,customer.key\n"
    "A-1,1,2014-03-31,won,1234.50,EUR,2014-03-30,7,K-1\n"
)
CRM = (
    "Opportunity ID\tLast Modified Date\tClose Date\tAmount\tOpportunity Owner\tAccount Name\n"
    "0061\t3/31/2014\t3/30/2014\t1,234.50\t7\tAcme\n"
)


@pytest.mark.parametrize(
    "content",
    [
        GERMAN.encode("utf-8-sig"),
        GERMAN.encode("cp1252"),
        GERMAN.encode("utf-16"),
        CANONICAL.encode(),
        CRM.encode(),
    ],
    ids=["german", "german, ansi", "german, utf-16", "our own names", "a CRM's report"],
)
def test_a_guess_that_loads_as_it_is(content: bytes) -> None:
    """Nobody has to write a mapping for a plain file."""
    deal = loads(files.in_memory("deals.csv", content), of(content))[0]
    assert (deal.amount, deal.currency, str(deal.closed_on)) == ("1234.50", "EUR", "2014-03-30")
    assert (deal.status, deal.owner_key) == ("won", "7")
    assert deal.customer is not None
    assert str(deal.changed_on) == "2014-03-31"


def test_a_workbook() -> None:
    """Numbers and dates need no guess; the sheet is named with the others."""
    stream = io.BytesIO()
    header = ("Order Number", "Version", "Modified", "State", "Net Amount", "Won on", "Seller")
    row = ("A-1", Number("2"), Day("2014-03-31"), "Closed Won", Number("5.5"), Day("2014-03-30"))
    xlsx_writing.write(stream, header, [(*row, Number("7"))], sheet="März")
    looked = look(files.in_memory("deals.xlsx", stream.getvalue()))
    assert (looked.header, looked.sheet, looked.sheets) == (header, "März", ("März",))
    found = guess(looked, source="erp", currency="EUR")
    assert found.doubts == ()
    (deal,) = loads(files.in_memory("x", stream.getvalue()), found)
    assert (deal.revision, deal.amount, deal.owner_key) == (2, "5.5", "7")


def test_the_sample_companys_orders() -> None:
    """A header of run-together words; what the codes of a status mean is asked."""
    with open_text(ORDERS) as text:
        content = "".join(next(text) for _ in range(30)).encode()
    found = of(content)
    assert found.document["columns"] == {
        "key": "SalesOrderNumber",
        "revision": "RevisionNumber",
        "changed_on": "ModifiedDate",
        "status": "Status",
        "amount": "SubTotal",
        "closed_on": "OrderDate",
        "owner_key": "SalesPersonID",
        "customer.key": "CustomerID",
        "territory_key": "TerritoryID",
    }
    assert found.doubts == ("Say what these statuses mean: 5.",)


@pytest.mark.parametrize(
    ("line", "doubt"),
    [
        ("A;1;03/04/2014;won;5,5;03/04/2014", "3 April 2014 or 4 March 2014"),
        ("A;1;2014-03-31;won;1.234;2014-03-31", "1.234 can be read in two ways"),
        ("A;1;2014-03-31;zugesagt;5;2014-03-31", "these statuses mean: zugesagt"),
        ("A;1;2014-03-31;won;5 EUR;2014-03-31", "amounts cannot be read: 5 EUR"),
        ("A;1;gestern;won;5;2014-03-31", "dates cannot be read"),
    ],
)
def test_what_is_not_sure_is_said(line: str, doubt: str) -> None:
    """Money and dates are not guessed in silence."""
    found = of(f"key;revision;changed_on;status;amount;closed_on\n{line}\n".encode())
    assert [said for said in found.doubts if doubt in said], found.doubts


def test_what_is_missing_is_said() -> None:
    """A guess may be no mapping yet."""
    found = of(b"Colour,Weight\nred,5\n")
    assert "columns" not in found.document
    assert [said for said in found.doubts if "looks like key" in said]


def test_a_file_that_is_cut_off() -> None:
    """The browser sends the first bytes only: in the middle of a row, of a quote, of a letter."""
    whole = GERMAN.encode()
    for end in range(len(GERMAN.partition("\r\n")[0].encode()) + 2, len(whole)):
        looked = look(files.in_memory("deals.csv", whole[:end]))
        assert looked.header[0] == "Auftrags-Nr."
        assert looked.encoding == "utf-8"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("Orders 2014 (final).csv", "orders-final"),
        ("/tmp/CRM_export.xlsx", "crm-export"),
        ("Aufträge.csv", "auftrage"),
        ("2014.csv", "file"),
        ("", "file"),
    ],
)
def test_a_name_for_the_source(name: str, source: str) -> None:
    """It fits what a source's name may be."""
    assert source_of(name) == source
    assert read_mapping(
        msgspec.json.encode(
            {
                "source": source,
                "columns": {"key": "a", "revision": "b", "changed_on": "c", "status": "d"},
            }
        )
    )


def test_no_header_means_two_fields() -> None:
    """Else the order of the declaration would decide, and nobody would know."""
    words = [word for field in FIELDS for word in field.headers]
    assert sorted(set(words)) == sorted(words)
    assert [word for word in words if plain(word) != word] == []
