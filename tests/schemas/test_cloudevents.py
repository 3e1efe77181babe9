"""Headers say what a record is, and a fact sent again has the id it had."""

import datetime as dt

import pytest

from schemas.cloudevents import REPLAY_HEADER, Attributes, event_id, headers, read_headers
from schemas.messages import Drain, Message, RecreditDeal

AT = dt.datetime(2014, 3, 1, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))


def test_headers_come_back_as_they_were_written() -> None:
    message = RecreditDeal(deal_id="crm:1", cause="quota set", reference_version=7)
    written = headers(
        message,
        id=event_id(message),
        time=AT,
        source="relay",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    assert read_headers(written) == Attributes(
        type="paceboard.command.recredit-deal.v1",
        id="crm:1/7",
        source="relay",
        time="2014-03-01T07:30:00Z",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        is_replay=False,
    )
    assert ("content-type", b"application/json") in written
    assert ("ce_specversion", b"1.0") in written


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (None, Attributes()),
        ([], Attributes()),
        ([("ce_type", b"\xff")], Attributes()),  # not UTF-8
        ([(REPLAY_HEADER, b"true")], Attributes(is_replay=True)),
        ([(REPLAY_HEADER, b"yes")], Attributes()),
        ([("ce_id", b"1"), ("ce_id", b"2"), ("other", b"x")], Attributes(id="1")),
    ],
)
def test_foreign_headers_never_raise(
    received: list[tuple[str, bytes]] | None, expected: Attributes
) -> None:
    assert read_headers(received) == expected


def test_a_fact_sent_again_has_the_same_id() -> None:
    first, again = (Drain(drain_id="lock.P1", round=1) for _ in range(2))
    assert event_id(first) == event_id(again) == "lock.P1/1"


def test_a_message_without_an_id_is_a_broken_promise() -> None:
    class Unbound(Message):
        pass

    with pytest.raises(AssertionError, match="Unbound"):
        event_id(Unbound())
