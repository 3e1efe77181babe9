"""From a record of the deals topic to a message, or to the reason why it is none.

A record without a CloudEvents type is read as a DealChanged: a plain producer is welcome.
"""

from typing import Any, Final, NamedTuple

import msgspec

from domain import contract
from domain.contract import Refusal
from schemas import limits
from schemas.cloudevents import read_headers
from schemas.ids import digest
from schemas.messages import (
    BINDINGS,
    DealChanged,
    Drain,
    Reaccrue,
    RecordRefused,
    RecreditDeal,
    RefusalCode,
    SourceCompleteThrough,
)
from schemas.refusals import REMEDIES
from schemas.text import printable
from streams.ports import Record

_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    BINDINGS[struct].type: msgspec.json.Decoder(struct)
    for struct in (DealChanged, RecreditDeal, Reaccrue, Drain, SourceCompleteThrough)
}
_DEAL_CHANGED: Final = BINDINGS[DealChanged].type

Command = RecreditDeal | Reaccrue | Drain | SourceCompleteThrough


class Change(NamedTuple):
    """A revision of a deal, with what came around it."""

    deal: DealChanged
    digest: str
    value: bytes
    partition: int
    offset: int
    is_replay: bool
    traceparent: str | None


class Refused(NamedTuple):
    """A record that cannot be used."""

    refusal: Refusal
    record: Record
    partition: int


Decoded = Change | Command | Refused


def decode(record: Record, partition: int) -> Decoded:
    """What a record says. Never raises for what is in it."""
    attributes = read_headers(record.headers)
    type_ = attributes.type or _DEAL_CHANGED
    decoder = _DECODERS.get(type_)
    if decoder is None:
        return _refused(record, partition, RefusalCode.UNKNOWN_TYPE, "ce_type", f"'{type_[:80]}'")
    value = record.value or b""
    if len(value) > limits.RECORD_BYTES_MAX:
        return _refused(
            record, partition, RefusalCode.TOO_LARGE, "$", f"{len(value)} bytes is too large"
        )
    try:
        message = decoder.decode(value)
    except msgspec.ValidationError as error:
        return _refused(record, partition, RefusalCode.BREAKS_CONTRACT, *_place(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _refused(record, partition, RefusalCode.UNREADABLE, "$", str(error))
    if not isinstance(message, DealChanged):
        command: Command = message
        refusal = _refusal_of(command, value)
        return command if refusal is None else Refused(refusal, record, partition)
    refusal = contract.check(message)
    if refusal is not None:
        return Refused(refusal, record, partition)
    return Change(
        deal=message,
        digest=contract.content_digest(message),
        value=value,
        partition=partition,
        offset=record.offset,
        is_replay=attributes.is_replay,
        traceparent=attributes.traceparent,
    )


def _refusal_of(command: Command, value: bytes) -> Refusal | None:
    if b"\\u0000" in value:
        return Refusal(RefusalCode.BREAKS_CONTRACT, "text", "a text contains the character U+0000")
    if isinstance(command, SourceCompleteThrough):
        return contract.check_instant("complete_through", command.complete_through)
    return None


def dead_letter(
    refused: Refused, *, topic: str, batch: int, booked_at: Any, suffix: str = ""
) -> RecordRefused:
    """The message that tells sender and operator: what, where, what to do."""
    record = refused.record
    value = record.value or b""
    return RecordRefused(
        dead_letter_id=digest(
            "dead", topic, refused.partition, record.offset, refused.refusal.code, suffix
        ),
        topic=topic,
        partition=refused.partition,
        offset=record.offset,
        source_key=printable(record.key or b"")[: limits.TEXT_LENGTH_MAX],
        code=refused.refusal.code,
        where=refused.refusal.where,
        problem=refused.refusal.problem,
        remedy=REMEDIES[refused.refusal.code],
        value_start=printable(value[: limits.DEAD_LETTER_BYTES_MAX]),
        value_bytes=len(value),
        batch=batch,
        booked_at=booked_at,
    )


def _refused(
    record: Record, partition: int, code: RefusalCode, where: str, problem: str
) -> Refused:
    """`where` and `problem` may quote what the sender wrote."""
    refusal = Refusal(
        code,
        printable(where)[: limits.TEXT_LENGTH_MAX],
        printable(problem)[: limits.TEXT_LENGTH_MAX],
    )
    return Refused(refusal, record, partition)


def _place(problem: str) -> tuple[str, str]:
    """msgspec says 'Expected `str`, got `float` - at `$.amount`'."""
    what, found, place = problem.rpartition(" - at `")
    return (place.rstrip("`"), what) if found else ("$", problem)
