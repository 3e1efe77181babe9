"""`POST /v1/deals`: one DealChanged or a list; nothing counts as accepted before Kafka has it."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec
import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, posting, signed, tracing
from api.answers import answer, only
from api.idempotency import PASSING
from api.openapi import Example, header, one_or_many, operation
from api.outbound import DealRecord
from api.partitions import AWAY, obstacle
from api.posting import Item
from api.problems import (
    Fault,
    Forbidden,
    Invalid,
    Malformed,
    NotSignedIn,
    TooLarge,
    Unavailable,
    UnknownParameter,
)
from api.services import Services, services_of
from schemas import limits
from schemas.examples import EXAMPLES
from schemas.messages import DealChanged

log = structlog.get_logger(__name__)
router = APIRouter()

REPLAY: Final = "Paceboard-Replay"
RETRY_SECONDS: Final = 2
AGAIN: Final = (
    "Send it again: a deal that did arrive is not counted twice, since a revision is kept once."
)


class Unsent(NamedTuple):
    """Why deals that may be sent are not on the topic, as a sender is told."""

    code: str
    detail: str
    remedy: str
    of_all: str  # when nothing of the request was recorded


LATE: Final = Unsent(
    "not_recorded",
    detail="Kafka has not acknowledged it in time.",
    remedy=AGAIN,
    of_all=f"Kafka has not acknowledged any of the deals. {AGAIN}",
)


class PostedDeal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one deal of the request."""

    index: int
    status: Literal["accepted", "refused", "not_recorded"]
    deal_id: str | None = None
    tracking_id: str | None = None  # the same for a retry, another for other content
    error: Fault | None = None


class PostedDeals(msgspec.Struct, frozen=True, kw_only=True):
    """At least one deal is on the deals topic, acknowledged; each deal has its own fate."""

    accepted: int
    refused: int
    not_recorded: int
    deals: tuple[PostedDeal, ...]


_EXAMPLE: Final = EXAMPLES[DealChanged]
_SECOND: Final = msgspec.structs.replace(
    _EXAMPLE,
    key="SO75125",
    deal_id="adventureworks:SO75125",
    name="Order SO75125",
    amount="1749.50",
)


@router.post(
    "/v1/deals",
    status_code=202,
    operation_id="postDeals",
    summary="Send deals",
    tags=["Deals"],
    openapi_extra=operation(
        body=one_or_many(DealChanged, count_max=limits.POST_DEALS_MAX),
        examples={
            "one": Example("One deal", _EXAMPLE),
            "many": Example("A list of deals", [_EXAMPLE, _SECOND]),
        },
        answers={202: PostedDeals},
        problems=(
            Malformed,
            UnknownParameter,
            NotSignedIn,
            Forbidden,
            TooLarge,
            Invalid,
            Unavailable,
        ),
        parameters=(
            header("traceparent", "W3C trace context; carried on with the record."),
            header(
                REPLAY,
                "Marks history: what follows from it has is_replay true.",
                values=("true", "false"),
            ),
        ),
    ),
)
async def post_deals(request: Request) -> Response:
    """Send one deal in its full state, or a list of them.

    202 when at least one is recorded, with the fate of each; 422 when all are refused; 503 when
    Kafka acknowledges none of those that may be sent, or no worker would read them there.
    Repeating a request changes nothing: a source's revision of a deal counts once. Needs the role
    admin or the scope `deals:write`.
    """
    services = services_of(request)
    only(request)
    session = signed.session(request)
    access.require_posting(session)
    items = posting.read(
        await _body(request),
        traceparent=tracing.traceparent(request.headers.get("traceparent")),
        is_replay=_is_replay(request),
    )
    records = [item.record for item in items if item.record is not None]
    in_the_way = await _in_the_way(services) if records else None
    acknowledged = [False] * len(records) if in_the_way else await _sent(services, records)
    sent = [record for record, is_there in zip(records, acknowledged, strict=True) if is_there]
    services.postings.note(sent, posted_by=session.user_id)
    recorded = dict(zip(map(id, records), acknowledged, strict=True))
    why = in_the_way or LATE
    fates = tuple(_fate(index, item, recorded, why) for index, item in enumerate(items))
    _count(services, fates)
    if not any(fate.status == "accepted" for fate in fates):
        _refuse_all(fates, why)
    if any(fate.status == "not_recorded" for fate in fates):
        setattr(request.state, PASSING, True)  # the same request again sends what is missing
    return answer(_posted(fates), status=202)


async def _body(request: Request) -> bytes:
    """The whole body. Raises TooLarge as soon as it is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limits.BODY_BYTES_MAX:
            raise TooLarge(f"A body has at most {limits.BODY_BYTES_MAX} bytes; send fewer deals.")
        parts.append(part)
    return b"".join(parts)


def _is_replay(request: Request) -> bool:
    given = request.headers.get(REPLAY, "false")
    if given not in ("true", "false"):
        raise Malformed(f"The header {REPLAY} is 'true' or 'false'.")
    return given == "true"


async def _in_the_way(services: Services) -> Unsent | None:
    """What is known of the deals topic; never asks the database."""
    expected = services.worlds.deals_partitions()
    found = obstacle(await services.deals.known_partitions(), expected)
    if found is None:
        return None
    if found is AWAY:
        return LATE
    what = f"{found.what[0].upper()}{found.what[1:]}"
    return Unsent(
        found.code,
        detail=f"{what}: it was not sent.",
        remedy=f"Send it again later. To whom operates Paceboard: {found.remedy}.",
        of_all=f"{what}. Nothing was sent. To whom operates Paceboard: {found.remedy}.",
    )


async def _sent(services: Services, records: Sequence[DealRecord]) -> Sequence[bool]:
    return await services.deals.send(records) if records else ()


def _fate(index: int, item: Item, recorded: dict[int, bool], why: Unsent) -> PostedDeal:
    record = item.record
    if record is None:
        assert item.fault is not None
        return PostedDeal(
            index=index, status="refused", deal_id=item.fault.deal_id, error=item.fault
        )
    if recorded[id(record)]:
        return PostedDeal(
            index=index,
            status="accepted",
            deal_id=record.deal.deal_id,
            tracking_id=record.tracking_id,
        )
    return PostedDeal(
        index=index,
        status="not_recorded",
        deal_id=record.deal.deal_id,
        tracking_id=record.tracking_id,
        error=Fault(
            code=why.code,
            detail=why.detail,
            remedy=why.remedy,
            deal_id=record.deal.deal_id,
        ),
    )


def _refuse_all(fates: Sequence[PostedDeal], why: Unsent) -> None:
    errors = tuple(fate.error for fate in fates if fate.error is not None)
    if any(fate.status == "not_recorded" for fate in fates):
        raise Unavailable(why.of_all, retry_after_seconds=RETRY_SECONDS, errors=errors)
    count = "The deal was" if len(fates) == 1 else f"All {len(fates)} deals were"
    raise Invalid(f"{count} refused; nothing was recorded.", errors=errors)


def _count(services: Services, fates: Sequence[PostedDeal]) -> None:
    for fate in fates:
        is_refused = fate.status == "refused" and fate.error is not None
        outcome = fate.error.code if is_refused and fate.error else fate.status
        services.metrics.posted.labels(outcome).inc()


def _posted(fates: tuple[PostedDeal, ...]) -> PostedDeals:
    statuses = [fate.status for fate in fates]
    return PostedDeals(
        accepted=statuses.count("accepted"),
        refused=statuses.count("refused"),
        not_recorded=statuses.count("not_recorded"),
        deals=fates,
    )
