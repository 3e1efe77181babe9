"""A first mapping for a file nobody has described yet: from its header and its first rows.

It is a starting point for a person, so what is not sure is said in `doubts`, and what is not known
is left out: a guess may lack a field that a mapping needs.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ingest import file_deals, files
from ingest.fields import BY_NAME, FIELDS, plain
from ingest.files import File
from ingest.mapping import AMOUNTS, DATES, SERIAL, Mapping
from ingest.tables import FileRefused, Row, Table, Typed
from schemas import limits
from schemas.messages import DealStatus

_STATUS_WORDS: Final[dict[DealStatus, tuple[str, ...]]] = {
    DealStatus.CANCELLED: (
        *("cancelled", "canceled", "void", "voided", "storniert", "storno", "annule", "cancelado"),
        *("annullato", "geannuleerd"),
    ),
    DealStatus.LOST: (
        *("lost", "closed lost", "rejected", "declined", "verloren", "abgelehnt", "perdu"),
        *("perdido", "perso"),
    ),
    DealStatus.WON: (
        *("won", "closed won", "closed", "booked", "shipped", "invoiced", "paid", "completed"),
        *("gewonnen", "abgeschlossen", "berechnet", "fakturiert", "bezahlt", "gagne", "ganado"),
        *("vinto", "gewonnen"),
    ),
    DealStatus.OPEN: (
        *("open", "new", "in process", "pending", "draft", "quoted", "offen", "neu", "angebot"),
        *("ouvert", "abierto", "aperto", "in bearbeitung"),
    ),
}
_NUMBERS: Final = (
    *((".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'")),
)
_DAY_FIRST: Final = ("%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y")
_MONTH_FIRST: Final = ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y")
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_SOURCE_LENGTH_MAX: Final = 40
_VALUES_MAX: Final = 50


class Looked(NamedTuple):
    """What the start of a file looks like."""

    header: tuple[str, ...]
    sheet: str | None
    sheets: tuple[str, ...]
    rows: tuple[Row, ...]
    delimiter: str
    encoding: str


class Guess(NamedTuple):
    """A mapping document, maybe not complete, and what a person must look at."""

    document: dict[str, Any]
    doubts: tuple[str, ...]


def look(file: File, *, sheet: str | None = None) -> Looked:
    """The header and the first rows; a CSV file may be cut off anywhere. Raises FileRefused."""
    encoding = _encoding(file)
    reading = Mapping(source="file", columns={}, encoding=encoding)  # type: ignore[arg-type]
    with files.read(file, reading, sheet=sheet) as table:
        rows = tuple(itertools.islice(_readable(table), limits.COLUMNS_SAMPLE_ROWS))
        return Looked(table.header, table.sheet, table.sheets, rows, table.delimiter, encoding)


def guess(looked: Looked, *, source: str, currency: str | None = None) -> Guess:
    """The mapping that would fit best; `currency` where no column says it."""
    columns = _columns(looked.header)
    samples = {
        field: [row.cells[looked.header.index(column)] for row in looked.rows if _has(row, looked)]
        for field, column in columns.items()
    }
    doubts: list[str] = []
    decimal, grouping = _numbers(samples, doubts)
    document: dict[str, Any] = {
        "source": source,
        "columns": columns,
        "constants": _constants(columns, currency),
        "values": _values(samples, doubts),
        "date_formats": list(_date_formats(samples, looked, decimal, doubts)),
        "decimal": decimal,
        "grouping": grouping,
    }
    if looked.encoding != "utf-8":
        document["encoding"] = looked.encoding
        doubts.append("The file is not UTF-8; it is read as Windows text. Look at the accents.")
    if looked.sheet is not None and looked.sheet != looked.sheets[0]:
        document["sheet"] = looked.sheet
    filled = {*columns, *document["constants"]}
    doubts += [
        f"Nothing in the header looks like {field.name}: {field.meaning}"
        for field in FIELDS
        if field.is_required and field.name not in filled
    ]
    return Guess({name: value for name, value in document.items() if value != {}}, tuple(doubts))


def source_of(name: str) -> str:
    """A name for the source, of the file's: "Orders 2014 (final).csv" is "orders"."""
    stem = plain(re.split(r"[\\/]", name)[-1].rpartition(".")[0] or name)
    words = [word for word in re.sub(r"[^a-z0-9 ]", "", stem).split() if word.isalpha()]
    return "-".join(words)[:_SOURCE_LENGTH_MAX].strip("-") or "file"


def _encoding(file: File) -> str:
    """UTF-8 unless the bytes cannot be that. A character that is cut off at the end is none."""
    if files.form_of(file) != files.CSV:
        return "utf-8"
    with file.open() as stream:
        start = stream.read(limits.BODY_BYTES_MAX)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-8"  # its mark says what it is
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return "utf-8" if error.end == len(start) and error.reason.startswith("unexp") else "cp1252"
    return "utf-8"


def _readable(table: Table) -> Iterator[Row]:
    """Rows up to the first that cannot be read."""
    try:
        yield from table.rows
    except FileRefused:
        return


def _has(row: Row, looked: Looked) -> bool:
    return len(row.cells) == len(looked.header)


def _columns(header: Sequence[str]) -> dict[str, str]:
    """Each field's column: the product's own name for it first, then the best-known header."""
    usable = [column for column in header if column and header.count(column) == 1]
    found: dict[str, str] = {}
    taken: set[str] = set()
    for field in FIELDS:
        own = next((c for c in usable if c in (field.name, field.name.replace(".", "_"))), None)
        if own is not None:
            found[field.name] = own
            taken.add(own)
    by_plain = {plain(column): column for column in reversed(usable)}
    for field in sorted(FIELDS, key=lambda f: f.name in ("name", "customer.name")):
        words = (word for word in field.headers if by_plain.get(word, "") not in {"", *taken})
        if field.name not in found and (word := next(words, None)) is not None:
            found[field.name] = by_plain[word]
            taken.add(by_plain[word])
    if "changed_on" not in found and "closed_on" in found:
        found["changed_on"] = found["closed_on"]
    if "revision" not in found and "changed_on" in found:
        found["revision"] = found["changed_on"]
    if "customer.key" not in found and "customer.name" in found:
        found["customer.key"] = found["customer.name"]
    if "customer.key" not in found:
        found = {name: column for name, column in found.items() if "customer." not in name}
    return {name: found[name] for name in BY_NAME if name in found}


def _constants(columns: dict[str, str], currency: str | None) -> dict[str, str]:
    found = {}
    if "status" not in columns and "closed_on" in columns:
        found["status"] = DealStatus.WON.value
    if "currency" not in columns and "amount" in columns and currency is not None:
        found["currency"] = currency
    return found


def _values(samples: dict[str, list[str]], doubts: list[str]) -> dict[str, dict[str, str]]:
    """The statuses that the sample has, in the product's words."""
    seen = [str(cell).strip() for cell in samples.get("status", ()) if cell.strip()]
    texts = list(dict.fromkeys(seen))[:_VALUES_MAX]
    if not texts or set(texts) <= set(DealStatus):
        return {}
    words = {word: status for status, known in _STATUS_WORDS.items() for word in known}
    found = {text: words[plain(text)].value for text in texts if plain(text) in words}
    unknown = [text for text in texts if text not in found]
    if unknown:
        doubts.append(f"Say what these statuses mean: {', '.join(unknown)}.")
    return {"status": {**found, **dict.fromkeys(unknown, DealStatus.OPEN.value)}}


def _numbers(samples: dict[str, list[str]], doubts: list[str]) -> tuple[str, str]:
    """The decimal sign and the grouping under which all amounts can be read."""
    cells = [cell.strip() for f in AMOUNTS for cell in samples.get(f, ()) if _is_text(cell)]
    # A cell that is no amount whichever way is a row to be refused, not a question.
    texts = [text for text in cells if any(_reads(text, *signs) for signs in _NUMBERS)]
    if cells and not texts:
        doubts.append(f"These amounts cannot be read: {', '.join(cells[:3])}.")
    fitting = [signs for signs in _NUMBERS if all(_reads(text, *signs) for text in texts)]
    if not fitting:
        doubts.append(f"These amounts cannot be read: {', '.join(texts[:3])}.")
        return ".", ""
    if texts and any(_means(texts, *fitting[0]) != _means(texts, *other) for other in fitting):
        doubts.append(f"{texts[0]} can be read in two ways: say which sign is the decimal one.")
    return fitting[0]


def _reads(text: str, decimal: str, grouping: str) -> bool:
    return isinstance(_amount(text, decimal, grouping), str)


def _means(texts: list[str], decimal: str, grouping: str) -> list[object]:
    return [_amount(text, decimal, grouping) for text in texts]


def _amount(text: str, decimal: str, grouping: str) -> object:
    signs: Any = {"decimal": decimal, "grouping": grouping}
    return file_deals.amount("amount", text, Mapping(source="file", columns={}, **signs))


def _date_formats(
    samples: dict[str, list[str]], looked: Looked, decimal: str, doubts: list[str]
) -> Sequence[str]:
    """The format in which all dates can be read; for each column its own where they differ."""
    by_field = {
        field: [cell.strip() for cell in samples.get(field, ()) if _is_text(cell)]
        for field in DATES
    }
    texts = [text for field in sorted(by_field) for text in by_field[field]]
    if not texts:
        return ("%Y-%m-%d",)
    forms = list(_forms(is_day_first=looked.delimiter == ";" or decimal == ","))
    whole = [form for form in forms if all(_parses(text, form) for text in texts)]
    if whole:
        first = whole[0]
        other = next((f for f in whole if _dates(texts, f) != _dates(texts, first)), None)
        if other is not None:
            doubts.append(
                f"{texts[0]} can be {_said(texts[0], first)} or {_said(texts[0], other)}: say "
                "which it is."
            )
        return (first,)
    found = [
        next((form for form in forms if all(_parses(text, form) for text in column)), None)
        for column in by_field.values()
        if column
    ]
    if None in found:
        doubts.append(f"These dates cannot be read: {', '.join(texts[:3])}.")
    return tuple(dict.fromkeys(form for form in found if form)) or ("%Y-%m-%d",)


def _forms(*, is_day_first: bool) -> Iterator[str]:
    yield from ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
    yield from ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d %H:%M:%S.%f")
    yield from ("%Y/%m/%d", "%Y%m%d")
    days = ("%d.%m.%Y", "%d.%m.%y", *(_DAY_FIRST if is_day_first else _MONTH_FIRST))
    for form in (*days, *(_MONTH_FIRST if is_day_first else _DAY_FIRST)):
        yield from (f"{form}{clock}" for clock in _CLOCKS)
    yield from ("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", SERIAL)


def _parses(text: str, form: str) -> bool:
    return file_deals.parsed(text, (form,)) is not None


def _dates(texts: list[str], form: str) -> list[object]:
    return [file_deals.parsed(text, (form,)) for text in texts]


def _said(text: str, form: str) -> str:
    day = file_deals.parsed(text, (form,))
    return f"{day:%-d %B %Y}" if day else text


def _is_text(cell: str) -> bool:
    return bool(cell.strip()) and not isinstance(cell, Typed)
