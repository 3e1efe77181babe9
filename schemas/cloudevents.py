"""CloudEvents in Kafka's binary mode: attributes in headers, the message is the record's value.

A fact's event id is derived from the fact, so that publishing it again gives the same id.
"""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.messages import (
    BINDINGS,
    AccrualPosted,
    Alert,
    AssignmentChanged,
    BatchPublished,
    CreditBooked,
    DealChanged,
    Drain,
    Message,
    PeriodLocked,
    PlanPublished,
    ProgressChanged,
    QuotaSet,
    Reaccrue,
    RecordRefused,
    RecreditDeal,
    SourceCompleteThrough,
    StandingsChanged,
)

SPEC_VERSION: Final = b"1.0"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
CONTENT_TYPE: Final = b"application/json"
REPLAY_HEADER: Final = "paceboard-replay"  # "true": a producer marks history by it

Header = tuple[str, bytes]


class Attributes(NamedTuple):
    """What the headers of a record say; None where one is missing or not UTF-8."""

    type: str | None = None
    id: str | None = None
    source: str | None = None
    time: str | None = None  # RFC 3339, as received
    traceparent: str | None = None
    is_replay: bool = False


def headers(
    message: Message,
    *,
    id: str,
    time: dt.datetime,
    source: str,
    traceparent: str | None = None,
) -> list[Header]:
    """The headers of a record carrying `message`; `time` is aware, `source` names who says so."""
    common = common_headers(type(message), time=time, source=source)
    return with_id(common, id, traceparent)


def common_headers(kind: type[Message], *, time: dt.datetime, source: str) -> list[Header]:
    """What all records of one kind, instant and source have in common."""
    return [
        ("ce_specversion", SPEC_VERSION),
        ("ce_type", BINDINGS[kind].type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", instant_text(time).encode()),
        ("content-type", CONTENT_TYPE),
    ]


def with_id(common: list[Header], id: str, traceparent: str | None = None) -> list[Header]:
    """Those headers with what is one record's own."""
    own = [*common, ("ce_id", id.encode())]
    if traceparent is not None:
        own.append(("traceparent", traceparent.encode()))
    return own


def read_headers(received: Iterable[Header] | None) -> Attributes:
    """The attributes we look at; the first of a repeated header counts, others are ignored."""
    found: dict[str, str] = {}
    for name, value in received or ():
        if name in _NAMES and name not in found:
            try:
                found[name] = value.decode()
            except (UnicodeDecodeError, AttributeError):  # a header may have no value at all
                continue
    return Attributes(
        type=found.get("ce_type"),
        id=found.get("ce_id"),
        source=found.get("ce_source"),
        time=found.get("ce_time"),
        traceparent=_trace(found.get("traceparent")),
        is_replay=found.get(REPLAY_HEADER) == "true",
    )


def _trace(text: str | None) -> str | None:
    """A W3C trace context; anything else is as good as none."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


def instant_text(instant: dt.datetime) -> str:
    """RFC 3339 in UTC, ending in Z."""
    return instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def event_id(message: Message) -> str:
    """The event's id, derived from the fact: the same fact sent again has the same id."""
    match message:
        case CreditBooked():
            return message.credit_id
        case AccrualPosted():
            return message.entry_id
        case ProgressChanged():
            return f"{message.account_id}/{message.version}"
        case StandingsChanged():
            return f"{message.board_id}/{message.version}"
        case Alert():
            return f"{message.alert_id}/{message.version}"
        case BatchPublished():
            return str(message.batch)
        case RecordRefused():
            return message.dead_letter_id
        case DealChanged():
            return f"{message.source}:{message.key}/{message.revision}"
        case RecreditDeal():
            return f"{message.deal_id}/{message.reference_version}"
        case Reaccrue():
            return f"{message.account_id}/{message.reference_version}/{message.cause}"
        case Drain():
            return f"{message.drain_id}/{message.round}"
        case SourceCompleteThrough():
            return f"{message.source}/{instant_text(message.complete_through)}"
        case PlanPublished() | QuotaSet() | AssignmentChanged() | PeriodLocked():
            return f"{message.entity}/{message.reference_version}"
        case _:
            raise AssertionError(f"no event id for {type(message).__name__}")


_NAMES: Final = frozenset(
    ("ce_type", "ce_id", "ce_source", "ce_time", "traceparent", REPLAY_HEADER)
)
