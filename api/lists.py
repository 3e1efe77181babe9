"""Lists: `limit`, an opaque `cursor`, `sort` and filters, the same way on every address.

A list is sorted only by what never changes of a row, and a page begins after the last row of the
one before. A cursor holds that row's key, the sort, and a digest of the question (list, sort,
filters): with other filters it is refused, never read as something else. It opens nothing that its
bearer may not see: who may see what is asked anew for each page.
"""

import base64
import binascii
import datetime as dt
import enum
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request

from api.answers import only
from api.openapi import Document, query
from api.problems import Fault, Malformed
from db.keyset import Keyset
from schemas import limits

R = TypeVar("R")
Key = tuple[Any, ...]

_DIGEST_DIGITS: Final = 24
_TEXT: Final = r"[^\x00-\x1f\x7f-\x9f]+"
_Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)]
_FLAGS: Final = {"true": True, "false": False}
_RANGE_WORDS: Final = {"gte": "on or after", "lt": "before"}


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a cursor says."""

    sort: str
    key: list[Any]
    digest: str


class Filter(NamedTuple):
    """A query parameter that leaves rows out."""

    name: str  # as callers write it: "closed_on[gte]"
    read: Callable[[str], Any]  # raises ValueError with what is expected
    description: str
    example: str
    schema: Document

    @property
    def argument(self) -> str:
        """Its name in code: "closed_on_gte"."""
        return self.name.replace("[", "_").replace("]", "")


class Sort(NamedTuple):
    """An order: its name, with a minus when it is descending, and the types of a row's key."""

    name: str
    types: tuple[Any, ...]

    @property
    def is_descending(self) -> bool:
        """Whether the greatest key comes first."""
        return self.name.startswith("-")


class Page(NamedTuple, Generic[R]):
    """The rows of a page, and the cursor of the next one: None when there are no more."""

    rows: tuple[R, ...]
    next_cursor: str | None


class Asked(NamedTuple):
    """A question for a page, as read and checked."""

    limit: int
    sort: Sort
    after: Key | None
    filters: dict[str, Any]  # by argument name; only those that were given
    digest_of: Callable[[Key], str]

    @property
    def keyset(self) -> Keyset:
        """The same for the database: one row more than the page shows tells whether more follow."""
        return Keyset(self.after, self.sort.is_descending, self.limit + 1)

    def page(self, rows: Sequence[R], key: Callable[[R], Key]) -> Page[R]:
        """The page of what the database gave by `keyset`; `key` is a row's, in the sort's types."""
        shown = tuple(rows[: self.limit])
        more = len(rows) > self.limit
        return Page(shown, self._cursor(key(shown[-1])) if more else None)

    def page_of_all(self, rows: Iterable[R], key: Callable[[R], Key]) -> Page[R]:
        """The page of rows that are all at hand, filtered, in any order."""
        found = sorted(rows, key=key, reverse=self.sort.is_descending)
        if self.after is not None:
            found = [row for row in found if self._is_after(key(row), self.after)]
        return self.page(found[: self.limit + 1], key)

    def _is_after(self, key: Key, after: Key) -> bool:
        return key < after if self.sort.is_descending else key > after

    def _cursor(self, key: Key) -> str:
        cursor = _Cursor(self.sort.name, list(key), self.digest_of(key))
        return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


class Listing(NamedTuple):
    """A list as declared: its name, its sorts (the first is the default), its filters."""

    name: str
    sorts: tuple[Sort, ...]
    filters: tuple[Filter, ...] = ()

    def parameters(self) -> tuple[Document, ...]:
        """For the OpenAPI document."""
        return (
            query(
                "limit",
                f"How many rows; {limits.LIST_ROWS_DEFAULT} when not given.",
                example="50",
                schema={"type": "integer", "minimum": 1, "maximum": limits.LIST_ROWS_MAX},
            ),
            query(
                "cursor",
                "`next_cursor` of the page before; with the same filters and sort.",
                schema={"type": "string", "maxLength": limits.CURSOR_LENGTH_MAX},
            ),
            query(
                "sort",
                f"The order; '{self.sorts[0].name}' when not given.",
                example=self.sorts[0].name,
                schema={"type": "string", "enum": [sort.name for sort in self.sorts]},
            ),
            *(
                query(one.name, one.description, example=one.example, schema=one.schema)
                for one in self.filters
            ),
        )

    def asked(self, request: Request, *scope: str, also: tuple[str, ...] = ()) -> Asked:
        """The question of a request.

        `scope` is what else the list depends on, as a part of the address. `also` are parameters
        that the handler reads itself. Raises UnknownParameter or Malformed.
        """
        known = ("limit", "cursor", "sort", *(one.name for one in self.filters), *also)
        only(request, *known)
        given = request.query_params
        sort = self._sort(given.get("sort"))
        texts = {
            name: given[name] for name in (*(f.name for f in self.filters), *also) if name in given
        }
        question = (self.name, scope, sort.name, sorted(texts.items()))
        digest_of = partial(_digest, question)
        cursor = given.get("cursor")
        return Asked(
            limit=_limit(given.get("limit")),
            sort=sort,
            after=None if cursor is None else _after(cursor, sort, digest_of),
            filters={
                one.argument: _read(one, given[one.name])
                for one in self.filters
                if one.name in given
            },
            digest_of=digest_of,
        )

    def _sort(self, name: str | None) -> Sort:
        if name is None:
            return self.sorts[0]
        found = next((sort for sort in self.sorts if sort.name == name), None)
        if found is None:
            raise _malformed("sort", f"one of {', '.join(sort.name for sort in self.sorts)}")
        return found


# ---- filters ------------------------------------------------------------------------------------


def text(
    name: str, description: str, *, example: str, length_max: int = limits.KEY_LENGTH_MAX
) -> Filter:
    """Text of at most `length_max` characters, none of them a control character."""

    def read(given: str) -> str:
        if len(given) > length_max or not re.fullmatch(_TEXT, given):
            raise ValueError(f"1 to {length_max} characters, none of them a control character")
        return given

    schema: Document = {
        "type": "string",
        "minLength": 1,
        "maxLength": length_max,
        "pattern": f"^{_TEXT}$",
    }
    return Filter(name, read, description, example, schema)


def date(name: str, description: str, *, example: str = "2014-03-01") -> Filter:
    """A date, as 2014-03-01."""

    def read(given: str) -> dt.date:
        found: dt.date = _converted(given, dt.date, f"a date, as {example}")
        return found

    return Filter(name, read, description, example, {"type": "string", "format": "date"})


def instant(name: str, description: str, *, example: str = "2014-03-01T00:00:00Z") -> Filter:
    """An instant with its offset, as 2014-03-01T00:00:00Z."""

    def read(given: str) -> dt.datetime:
        expected = f"an instant in UTC, as {example}"
        found: dt.datetime = _converted(given, _Instant, expected)
        try:
            return found.astimezone(dt.UTC)
        except OverflowError as error:
            raise ValueError(expected) from error

    return Filter(name, read, description, example, {"type": "string", "format": "date-time"})


def between(
    one: Callable[..., Filter], name: str, what: str, *, ends: Sequence[str] = ("gte", "lt")
) -> tuple[Filter, ...]:
    """The ends of a range, half-open: `closed_on[gte]` and `closed_on[lt]`."""
    return tuple(one(f"{name}[{end}]", f"{what} {_RANGE_WORDS[end]} this.") for end in ends)


def one_of(name: str, description: str, values: type[enum.StrEnum] | Sequence[str]) -> Filter:
    """One of named values; of an enum's, its member."""
    known: dict[str, Any] = {str(value): value for value in values}

    def read(given: str) -> Any:
        if given not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return known[given]

    schema: Document = {"type": "string", "enum": list(known)}
    return Filter(name, read, description, next(iter(known)), schema)


def flag(name: str, description: str) -> Filter:
    """ "true" or "false"."""

    def read(given: str) -> bool:
        if given not in _FLAGS:
            raise ValueError("'true' or 'false'")
        return _FLAGS[given]

    return Filter(name, read, description, "true", {"type": "boolean"})


# ---- reading ------------------------------------------------------------------------------------


def _digest(question: tuple[Any, ...], key: Key) -> str:
    """What makes a cursor belong to a question."""
    return hashlib.sha256(msgspec.json.encode((question, key))).hexdigest()[:_DIGEST_DIGITS]


def _limit(given: str | None) -> int:
    if given is None:
        return limits.LIST_ROWS_DEFAULT
    is_number = (
        given.isascii() and given.isdecimal() and len(given) <= len(str(limits.LIST_ROWS_MAX))
    )
    if not is_number or not 1 <= int(given) <= limits.LIST_ROWS_MAX:
        raise _malformed("limit", f"a whole number from 1 to {limits.LIST_ROWS_MAX}")
    return int(given)


def _read(one: Filter, given: str) -> Any:
    try:
        return one.read(given)
    except ValueError as error:
        raise _malformed(one.name, str(error)) from error


def _after(cursor: str, sort: Sort, digest_of: Callable[[Key], str]) -> Key:
    foreign = Malformed(
        "This cursor does not belong to this question.",
        errors=(
            Fault(
                code="foreign_cursor",
                parameter="cursor",
                detail="It was made for another list, sort or filters, or it is damaged.",
                remedy="Take next_cursor of a page with the same filters and sort; or leave the "
                "cursor out and begin again.",
            ),
        ),
    )
    try:
        found = _decoded(cursor)
        key: Key = msgspec.convert(tuple(found.key), tuple[sort.types])  # type: ignore[name-defined]
    except (ValueError, UnicodeError, msgspec.MsgspecError, RecursionError) as error:
        raise foreign from error
    if found.sort != sort.name or found.digest != digest_of(key):
        raise foreign
    return key


def _decoded(cursor: str) -> _Cursor:
    """Raises ValueError or MsgspecError for what is no cursor of ours."""
    if len(cursor) > limits.CURSOR_LENGTH_MAX:
        raise ValueError("too long")
    try:
        value = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    return msgspec.json.decode(value, type=_Cursor)


def _converted(given: str, kind: Any, expected: str) -> Any:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ValueError(expected) from error


def _malformed(parameter: str, expected: str) -> Malformed:
    detail = f"'{parameter}' is {expected}."
    fault = Fault(
        code="unreadable_parameter",
        parameter=parameter,
        detail=detail,
        remedy=f"Send {parameter} as {expected}, or leave it out.",
    )
    return Malformed(detail, errors=(fault,))
