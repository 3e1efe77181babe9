"""Lists: what may be asked, what a cursor is good for, and that pages lose and repeat nothing."""

import base64
import datetime as dt
import enum
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from api import lists
from api.lists import Asked, Listing, Sort
from api.problems import Malformed, UnknownParameter
from schemas import limits


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


LISTING = Listing(
    name="things",
    sorts=(Sort("-made_at", (dt.datetime, str)), Sort("thing_id", (str,))),
    filters=(
        lists.text("q", "What is looked for.", example="abc"),
        lists.one_of("colour", "Its colour.", Colour),
        lists.flag("is_open", "Whether it is open."),
        *lists.between(lists.date, "closed_on", "Closed"),
        *lists.between(lists.instant, "booked_at", "Booked", ends=("gte",)),
    ),
)
OTHER = LISTING._replace(name="others")
NOON = dt.datetime(2014, 3, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)


def asked(listing: Listing = LISTING, *scope: str, **parameters: str) -> Asked:
    named = {
        name.replace("_gte", "[gte]").replace("_lt", "[lt]"): v for name, v in parameters.items()
    }
    return listing.asked(_request(urlencode(named)), *scope)


def _request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def test_what_is_not_given_has_a_default() -> None:
    """Fifty rows, the first sort, no filters, from the beginning."""
    found = asked()
    assert found.limit == limits.LIST_ROWS_DEFAULT
    assert found.sort.name == "-made_at"
    assert found.filters == {}
    assert found.keyset == (None, True, limits.LIST_ROWS_DEFAULT + 1)


def test_filters_are_read_by_their_types() -> None:
    """Text, an enum's member, a flag, a date, an instant in UTC: by their names in code."""
    found = asked(
        q="SO 1",
        colour="blue",
        is_open="false",
        closed_on_gte="2014-03-01",
        closed_on_lt="2014-04-01",
        booked_at_gte="2014-03-01T13:00:00.123456+01:00",
    )
    assert found.filters == {
        "q": "SO 1",
        "colour": Colour.BLUE,
        "is_open": False,
        "closed_on_gte": dt.date(2014, 3, 1),
        "closed_on_lt": dt.date(2014, 4, 1),
        "booked_at_gte": NOON,
    }


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%D9%A1", "limit"),  # an Arabic-Indic one
        ("limit=" + "9" * 5_000, "limit"),
        ("sort=amount", "sort"),
        ("sort=", "sort"),
        ("q=", "q"),
        ("q=%00", "q"),
        ("q=" + "a" * 201, "q"),
        ("colour=green", "colour"),
        ("is_open=yes", "is_open"),
        ("closed_on[gte]=yesterday", "closed_on[gte]"),
        ("closed_on[gte]=2014-02-30", "closed_on[gte]"),
        ("booked_at[gte]=2014-03-01T12:00:00", "booked_at[gte]"),  # whose noon?
        ("booked_at[gte]=0001-01-01T00:00:00%2B14:00", "booked_at[gte]"),
        ("cursor=", "cursor"),
        ("cursor=%21%21", "cursor"),
        ("cursor=abcd", "cursor"),
        ("cursor=" + "a" * 5_000, "cursor"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_name(query: str, parameter: str) -> None:
    """400, with the parameter and what to send."""
    with pytest.raises(Malformed) as caught:
        LISTING.asked(_request(query))
    assert [fault.parameter for fault in caught.value.errors] == [parameter]
    assert caught.value.errors[0].remedy


@pytest.mark.parametrize(
    "query", ["offset=5", "limit=1&limit=2", "closed_on=2014-03-01", "q=a&q=a", "closed_on[gt]=1"]
)
def test_an_unknown_or_doubled_parameter_is_refused(query: str) -> None:
    """Never ignored: an ignored filter answers another question."""
    with pytest.raises(UnknownParameter):
        LISTING.asked(_request(query))


def _cursor(found: Asked) -> str:
    rows = [(NOON, "b"), (NOON, "a")]
    cursor = found._replace(limit=1).page(rows, lambda row: row).next_cursor
    assert cursor is not None
    return cursor


def test_a_cursor_goes_on_where_its_page_ended() -> None:
    """Microseconds and all; another limit may be asked with it."""
    cursor = _cursor(asked(q="SO"))
    assert asked(q="SO", cursor=cursor, limit="7").keyset == ((NOON, "b"), True, 8)


def test_a_cursor_is_good_for_its_own_question_alone() -> None:
    """Other filters, another sort, another list or another part of the address: 400."""
    cursor = _cursor(asked(LISTING, "anna", q="SO"))
    assert asked(LISTING, "anna", q="SO", cursor=cursor).after == (NOON, "b")
    for listing, scope, parameters in (
        (LISTING, "anna", {"q": "SP"}),
        (LISTING, "anna", {}),
        (LISTING, "anna", {"q": "SO", "colour": "red"}),
        (LISTING, "anna", {"q": "SO", "sort": "thing_id"}),
        (LISTING, "bert", {"q": "SO"}),
        (OTHER, "anna", {"q": "SO"}),
    ):
        with pytest.raises(Malformed):
            asked(listing, scope, cursor=cursor, **parameters)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_a_cursor_that_was_tampered_with_is_refused(at: int, other: bytes) -> None:
    """Whatever byte is changed: refused, never another row and never a failure of ours."""
    whole = base64.urlsafe_b64decode(_cursor(asked()) + "==")
    at %= len(whole)
    changed = whole[:at] + other + whole[at + len(other) :]
    if changed == whole:
        return
    with pytest.raises(Malformed):
        asked(cursor=base64.urlsafe_b64encode(changed).decode().rstrip("="))


@given(
    st.sets(st.tuples(st.datetimes(timezones=st.just(dt.UTC)), st.text(max_size=3)), max_size=40),
    st.integers(1, 7),
)
def test_pages_together_are_the_whole_list(keys: set[tuple[dt.datetime, str]], limit: int) -> None:
    """Each row once, in order, whatever the size of a page."""
    found: list[tuple[dt.datetime, str]] = []
    question = asked(limit=str(limit))
    for _ in range(len(keys) + 1):
        page = question.page_of_all(keys, lambda row: row)
        found += page.rows
        if page.next_cursor is None:
            break
        question = asked(limit=str(limit), cursor=page.next_cursor)
    assert found == sorted(keys, reverse=True)


def test_the_document_names_every_parameter() -> None:
    """What a handler takes and what the OpenAPI document says are one declaration."""
    named = [parameter["name"] for parameter in LISTING.parameters()]
    assert named == [
        "limit",
        "cursor",
        "sort",
        "q",
        "colour",
        "is_open",
        "closed_on[gte]",
        "closed_on[lt]",
        "booked_at[gte]",
    ]
