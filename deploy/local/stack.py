"""The stack: which Kafka and which database, started once, reused, stopped by who started it.

Order of choice, for each of the two: the address in the environment; the local service; and for
the database, where TimescaleDB cannot be had, plain PostgreSQL. `up` says what it chose and why.

    from deploy.local.stack import running
    with running() as stack:
        print(stack.kafka, stack.database_url)
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal
from urllib.parse import urlsplit

from deploy.local import broker, database, say
from deploy.local.credentials import product_secrets
from deploy.local.errors import Failed
from deploy.local.places import Places
from deploy.local.process import Service, answers, forget, is_alive, recall, stop

KAFKA_VARIABLE = "PACEBOARD_KAFKA"
DATABASE_VARIABLE = "PACEBOARD_DATABASE_URL"
KIND_VARIABLE = "PACEBOARD_DATABASE_KIND"

DatabaseKind = Literal["timescale", "postgres", "given"]


@dataclass(frozen=True)
class Stack:
    """Where the services are, why these, and which of them this call started."""

    kafka: str
    database_url: str = field(repr=False)  # it has the password
    database_kind: DatabaseKind
    why: str
    started: tuple[str, ...]


def up(
    places: Places | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    is_kept: bool = True,
) -> Stack:
    """Start what is not running yet; kept services run on until `down`, others until unused."""
    places = places or Places.here()
    environ = os.environ if environ is None else environ
    with locked(places):
        if is_kept:
            kept_mark(places).touch()
        return start_missing(places, environ)


def start_missing(places: Places, environ: Mapping[str, str]) -> Stack:
    """Choose first, so that nothing is started when something is missing; undo a half start."""
    started: list[str] = []
    try:
        kafka, kafka_why = given_kafka(environ) or local_kafka(places, started)
        url, kind, why = given_database(environ) or local_database(places, environ, started)
    except BaseException:
        for name in started:
            stop_service(places, name)
        raise
    return Stack(kafka, url, kind, f"Kafka: {kafka_why}; database: {why}", tuple(started))


def given_kafka(environ: Mapping[str, str]) -> tuple[str, str] | None:
    address = environ.get(KAFKA_VARIABLE, "")
    if not address:
        return None
    host, _, port = address.split(",")[0].rpartition(":")
    if not port.isdigit() or not answers(host, int(port)):
        raise Failed(
            f"nothing answers at {KAFKA_VARIABLE}={address}; start it, or unset it to "
            "have a local Kafka"
        )
    return address, f"given by {KAFKA_VARIABLE}"


def given_database(environ: Mapping[str, str]) -> tuple[str, DatabaseKind, str] | None:
    address = environ.get(DATABASE_VARIABLE, "")
    if not address:
        return None
    parts = urlsplit(address)
    if not answers(parts.hostname or "127.0.0.1", parts.port or 5432):
        raise Failed(
            f"nothing answers at {DATABASE_VARIABLE} ({parts.hostname}:{parts.port or 5432}"
            "); start it, or unset it to have a local database"
        )
    return address, "given", f"given by {DATABASE_VARIABLE}"


def local_kafka(places: Places, started: list[str]) -> tuple[str, str]:
    service = alive(places, broker.NAME)
    if service is None:
        missing = broker.why_not(places)
        if missing:
            raise missing
        started.append(broker.NAME)
        service = broker.start(places)
    return f"127.0.0.1:{service.port}", "local, one KRaft node"


def local_database(
    places: Places, environ: Mapping[str, str], started: list[str]
) -> tuple[str, DatabaseKind, str]:
    choice = database.choose(places, environ)
    service = alive(places, database.NAME)
    if service is not None and service.detail != choice.kind:
        raise Failed(
            f"a database of the other kind ({service.detail}) is running and the choice is "
            f"{choice.kind} ({choice.why}); stop it first: make down"
        )
    if service is None:
        started.append(database.NAME)
        service = database.start(places, choice.kind)
    return database.url(places, service), choice.kind, choice.why


def down(places: Places | None = None) -> tuple[str, ...]:
    """Stop every service that was started here, whoever uses it; their names."""
    places = places or Places.here()
    with locked(places):
        return stop_all(places)


def stop_all(places: Places) -> tuple[str, ...]:
    kept_mark(places).unlink(missing_ok=True)
    names = (broker.NAME, database.NAME)
    return tuple(name for name in names if stop_service(places, name))


def stop_service(places: Places, name: str) -> bool:
    """Stop it if it is ours and runs; its state file stays, for the port it will have again."""
    service = alive(places, name)
    if service is None:
        return False
    if name == database.NAME:
        stop(service, by=database.STOP_SIGNAL)
    else:
        stop(service)
    return True


@contextmanager
def running(
    places: Places | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """The stack while the block runs; the last user stops it, unless `stack up` keeps it."""
    places = places or Places.here()
    places.run.mkdir(parents=True, exist_ok=True)
    with (places.run / "in-use").open("a") as in_use:
        fcntl.flock(in_use, fcntl.LOCK_SH)
        try:
            yield up(places, environ, is_kept=False)
        finally:
            with locked(places):
                fcntl.flock(in_use, fcntl.LOCK_UN)
                if not kept_mark(places).exists() and is_unused(in_use):
                    stop_all(places)


def is_unused(in_use: IO[str]) -> bool:
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def clean(places: Places | None = None) -> None:
    """Stop the services and remove their data, logs and passwords; downloads stay."""
    places = places or Places.here()
    with locked(places):
        stop_all(places)
        for service in (broker.NAME, database.NAME):
            forget(service, places.run)
        for folder in (places.data, places.logs, places.secrets):
            shutil.rmtree(folder, ignore_errors=True)
        if places.is_main_state:
            shutil.rmtree(places.timescale_root / "var/lib/paceboard", ignore_errors=True)


def exports(places: Places, stack: Stack) -> dict[str, str]:
    """The environment that the product's commands read."""
    return {
        KAFKA_VARIABLE: stack.kafka,
        DATABASE_VARIABLE: stack.database_url,
        KIND_VARIABLE: stack.database_kind,
        **product_secrets(places),
    }


def status(places: Places) -> dict[str, Service | None]:
    return {name: alive(places, name) for name in (broker.NAME, database.NAME)}


def alive(places: Places, name: str) -> Service | None:
    """The service of that name if it runs; a state file left by a crash is seen through."""
    service = recall(name, places.run)
    return service if service is not None and is_alive(service) else None


def kept_mark(places: Places) -> Path:
    return places.run / "kept"


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """One `up` or `down` at a time, across processes; the kernel frees it when the holder dies."""
    places.run.mkdir(parents=True, exist_ok=True)
    with (places.run / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say.line("another command is starting or stopping the stack; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
