"""The application: its routes, how errors become problems, what runs beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg import Error
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Lifespan

from api import (
    alerts,
    config,
    deal_reads,
    deals,
    docs,
    health,
    imports,
    live,
    locks,
    mappings,
    me,
    openapi,
    pay_reads,
    payees,
    problems,
    queues,
    reference_reads,
    session,
    standings,
    web,
)
from api.guards import Guards
from api.outbound import Deals, KafkaDeals
from api.problems import ApiError, Malformed, Unavailable
from api.requests import Requests, request_id_of
from api.services import Services
from db.connect import AWAY
from db.installation import NotInstalled
from schemas.live import CloseCode
from schemas.settings import Settings

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 2
FIRST_LOOK_SECONDS: Final = 2


def create_app(settings: Settings, *, outbound: Deals | None = None) -> FastAPI:
    """The application of one installation; `outbound` is where posted deals go, else Kafka."""
    app = FastAPI(
        title="Paceboard",
        lifespan=_lifespan(settings, outbound),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
    )
    for part in (
        deals,
        deal_reads,
        standings,
        payees,
        reference_reads,
        pay_reads,
        alerts,
        queues,
        locks,
        imports,
        mappings,
        session,
        me,
        health,
        live,
        docs,
    ):
        app.include_router(part.router)
    web.install(app, config.web_folder(settings))
    openapi.install(app)
    _map_errors(app)
    app.add_middleware(Guards, services=lambda: app.state.services)
    app.add_middleware(Requests, metrics=lambda: app.state.services.metrics)
    return app


def _lifespan(settings: Settings, outbound: Deals | None) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = Services(settings, outbound or KafkaDeals(settings))
        app.state.services = services
        await asyncio.gather(services.deals.start(), _first_look(services))
        beside = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("live heartbeats", services.live.beat()),
                ("live sweep", services.live.sweep()),
                ("live feed", services.feed.run()),
                ("idempotency sweep", services.idempotency.sweep()),
                ("postings", services.postings.run()),
                ("imports", services.imports.run()),
            )
        ]
        for task in beside:
            task.add_done_callback(_report)
        try:
            yield
        finally:
            services.hub.close_all(CloseCode.GOING_AWAY)
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await services.deals.stop()
            await asyncio.to_thread(services.last_words)
            await asyncio.to_thread(services.close)

    return lifespan


async def _first_look(services: Services) -> None:
    """So that the first request finds what the sweep keeps fresh; a database away only delays."""
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await services.live.world()
    except (Error, NotInstalled, TimeoutError) as error:
        log.warning("api.started_without_database", error=type(error).__name__)


def _report(task: "asyncio.Task[None]") -> None:
    """What runs beside must not end; if it does, the log says so."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("api.task_ended", task=task.get_name(), exc_info=error)


def _methods(request: Request) -> list[str]:
    """What that address takes; the framework names the methods of the first route alone."""
    return sorted(
        {
            method
            for route in request.app.routes
            if route.matches(request.scope)[0] is not Match.NONE
            for method in getattr(route, "methods", None) or ()
        }
    )


def _map_errors(app: FastAPI) -> None:
    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return problems.answer(error, request_id_of(request))

    async def frameworks(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        found = problems.of_status(error.status_code, error.detail)
        found.headers.update(error.headers or {})
        if error.status_code == 405:
            found.headers["Allow"] = ", ".join(_methods(request))
        return problems.answer(found, request_id_of(request))

    async def malformed(request: Request, error: Exception) -> Response:
        return problems.answer(Malformed("A parameter cannot be read."), request_id_of(request))

    async def away(request: Request, error: Exception) -> Response:
        log.warning("database.away", error=type(error).__name__)
        found = Unavailable(
            "The database does not answer right now.", retry_after_seconds=RETRY_SECONDS
        )
        return problems.answer(found, request_id_of(request))

    async def not_installed(request: Request, error: Exception) -> Response:
        found = Unavailable(str(error), retry_after_seconds=RETRY_SECONDS)
        return problems.answer(found, request_id_of(request))

    app.add_exception_handler(ApiError, known)
    app.add_exception_handler(HTTPException, frameworks)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(NotInstalled, not_installed)
    for kind in AWAY:
        app.add_exception_handler(kind, away)
