"""What a posted body says: deals that may be sent, or what is wrong with each. Pure."""

from typing import Final, NamedTuple

import msgspec

from api import reading
from api.outbound import DealRecord, encoded
from api.problems import Fault, Invalid, Malformed, pointer
from domain import contract
from schemas import limits
from schemas.ids import tracking_id
from schemas.messages import DealChanged, RefusalCode
from schemas.refusals import REMEDIES

_DEAL: Final = msgspec.json.Decoder(DealChanged)
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS: Final = frozenset(DealChanged.__struct_fields__)


class _Peek(msgspec.Struct):
    """What of a refused deal still tells its sender which it was."""

    deal_id: str | None = None


class Item(NamedTuple):
    """One deal of the body: to be sent, or refused."""

    record: DealRecord | None
    fault: Fault | None


def read(body: bytes, *, traceparent: str, is_replay: bool) -> list[Item]:
    """One deal, or a list of them, item by item. Raises Malformed or Invalid for the whole."""
    is_batch = body.lstrip()[:1] == b"["
    return [
        _item(bytes(raw), f"/{index}" if is_batch else "", traceparent, is_replay)
        for index, raw in enumerate(_items(body) if is_batch else [_single(body)])
    ]


def _items(body: bytes) -> list[msgspec.Raw]:
    try:
        items = _ITEMS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error
    if not 1 <= len(items) <= limits.POST_DEALS_MAX:
        problem = f"{len(items)} deals in one request; 1 to {limits.POST_DEALS_MAX} may be sent."
        fault = Fault(
            code="batch_size",
            pointer="",
            detail=problem,
            remedy=f"Send at most {limits.POST_DEALS_MAX} deals a request, in several requests.",
        )
        raise Invalid(problem, errors=(fault,))
    return items


def _single(body: bytes) -> bytes:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error
    if not isinstance(value, dict):
        fault = _fault(RefusalCode.UNREADABLE, "", "The body is neither an object nor a list.")
        raise Invalid(fault.detail, errors=(fault,))
    return body


def _unreadable(error: Exception) -> Malformed:
    fault = _fault(RefusalCode.UNREADABLE, "", f"The body is not JSON: {error}.")
    return Malformed(fault.detail, errors=(fault,))


def _item(raw: bytes, place: str, traceparent: str, is_replay: bool) -> Item:
    try:
        deal = _DEAL.decode(raw)
    except msgspec.ValidationError as error:
        at, what = reading.place(str(error))
        return _refused(raw, RefusalCode.BREAKS_CONTRACT, place + at, what)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _refused(raw, RefusalCode.UNREADABLE, place, str(error))
    refusal = contract.check(deal)
    if refusal is not None:
        at = pointer(refusal.where) if _is_field(refusal.where) else ""
        return _refused(raw, refusal.code, place + at, refusal.problem)
    value = encoded(deal)
    if len(value) > limits.RECORD_BYTES_MAX:
        return _refused(raw, RefusalCode.TOO_LARGE, place, f"the deal has {len(value)} bytes")
    digest = contract.content_digest(deal)
    tracking = tracking_id(deal.source, deal.key, deal.revision, digest)
    return Item(DealRecord(deal, value, tracking, traceparent, is_replay), None)


def _is_field(where: str) -> bool:
    return where.removeprefix("$").strip(".").partition(".")[0].partition("[")[0] in _FIELDS


def _refused(raw: bytes, code: RefusalCode, place: str, problem: str) -> Item:
    return Item(None, _fault(code, place, problem, _deal_id(raw)))


def _fault(code: RefusalCode, place: str, problem: str, deal_id: str | None = None) -> Fault:
    return Fault(
        code=code.value, pointer=place, detail=problem, remedy=REMEDIES[code], deal_id=deal_id
    )


def _deal_id(raw: bytes) -> str | None:
    try:
        found = msgspec.json.decode(raw, type=_Peek).deal_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if found is None else found[: limits.KEY_LENGTH_MAX]
