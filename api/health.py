"""Is it alive, is it ready, and what does it measure: for supervisors and Prometheus."""

import hmac
import ipaddress
from typing import Final

import msgspec
import structlog
from fastapi import APIRouter, Request
from psycopg import Error
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import config, signin
from api.answers import answer, only
from api.metrics import CONTENT_TYPE
from api.openapi import operation
from api.partitions import obstacle
from api.problems import NotFound, UnknownParameter
from api.services import Services, services_of
from db import edition, installation, revision
from db.installation import Installation

log = structlog.get_logger(__name__)
router = APIRouter()

DATABASE_AWAY: Final = "database: it does not answer; look at its log and at the address"


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    alive: bool = True


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it can do its work, which database it has, and what is off because of that."""

    ready: bool
    reasons: tuple[str, ...]  # why not, each with what to do
    database: str | None
    off: tuple[str, ...]
    reference_version: int | None
    timeline: int | None
    deals_partitions: int | None


@router.get(
    "/livez",
    operation_id="isAlive",
    summary="Is the process alive",
    tags=["Operation"],
    openapi_extra=operation(answers={200: Alive}, problems=(UnknownParameter,), is_open=True),
)
async def livez(request: Request) -> Response:
    """Looks at nothing but itself."""
    only(request)
    return answer(Alive())


@router.get(
    "/readyz",
    operation_id="isReady",
    summary="Can it do its work",
    tags=["Operation"],
    openapi_extra=operation(
        answers={200: Ready, 503: Ready}, problems=(UnknownParameter,), is_open=True
    ),
)
async def readyz(request: Request) -> Response:
    """Kafka and its deals topic, the database, its migrations and its edition."""
    services = services_of(request)
    only(request)
    partitions = await services.deals.partitions()
    found = await run_in_threadpool(_looked, services, partitions)
    return answer(found, status=200 if found.ready else 503)


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Prometheus metrics",
    tags=["Operation"],
    openapi_extra=operation(
        answers={200: str},
        problems=(UnknownParameter, NotFound),
        is_open=True,
        media_types=("text/plain",),
    ),
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    """For this machine; with PACEBOARD_METRICS_TOKEN set, for who sends it as a bearer token."""
    services = services_of(request)
    only(request)
    if not _may_scrape(request, config.metrics_token(services.settings)):
        raise NotFound
    return Response(services.metrics.text(), media_type=CONTENT_TYPE)


def _may_scrape(request: Request, token: str | None) -> bool:
    if token is not None:
        given = signin.token_of(request) or ""
        return hmac.compare_digest(given.encode(), token.encode())
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _looked(services: Services, partitions: int | None) -> Ready:
    reasons: list[str] = []
    words: str | None = None
    off: tuple[str, ...] = ()
    installed: Installation | None = None
    try:
        with services.pool.connection(timeout=2) as connection:
            which = edition.edition(connection)
            words, off = which.words, which.off
            if revision.missing(connection):
                reasons.append("database: migrations are missing; run: paceboard migrate")
            else:
                installed = installation.find(connection)
                if installed is None:
                    reasons.append("database: the company is not set up; run: paceboard setup")
    except (Error, PoolTimeout) as error:
        log.warning("readyz.database", error=type(error).__name__)
        reasons.append(DATABASE_AWAY)
    expected = installed.deals_partitions if installed else None
    reasons.extend(_of_kafka(partitions, expected))
    return Ready(
        ready=not reasons,
        reasons=tuple(reasons),
        database=words,
        off=off,
        reference_version=installed.reference_version if installed else None,
        timeline=installed.timeline if installed else None,
        deals_partitions=partitions,
    )


def _of_kafka(partitions: int | None, expected: int | None) -> list[str]:
    found = obstacle(partitions, expected)
    return [f"kafka: {found.what}; {found.remedy}"] if found else []
