"""Which installation a command talks to.

The environment says it, where it names Kafka or a database. Otherwise it is what `paceboard up` or
`paceboard demo` runs here, on the local stack; they leave a note of the names they use.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.failures import Failure
from deploy.local import broker, database
from deploy.local.places import Places
from deploy.local.stack import (
    DATABASE_VARIABLE,
    KAFKA_VARIABLE,
    DatabaseKind,
    Stack,
    exports,
    status,
)
from schemas.settings import DatabaseRole, Settings

NOTE: Final = "installation.json"
LOCAL_REMEDY: Final = (
    "start them with: make up; or set PACEBOARD_KAFKA and PACEBOARD_DATABASE_URL to yours"
)


def settings() -> Settings:
    """The settings of the installation to talk to."""
    addresses = (KAFKA_VARIABLE, DATABASE_VARIABLE, *(r.url_variable for r in DatabaseRole))
    if any(os.environ.get(name) for name in addresses):
        return Settings.from_environment()
    places = Places.here()
    stack = running_stack(places)
    if stack is None:
        raise Failure("Kafka and the database are not running here", LOCAL_REMEDY)
    return settings_on(places, stack, read_note(places))


def settings_on(places: Places, stack: Stack, names: Mapping[str, str] | None = None) -> Settings:
    """The settings of an installation on that stack; what the environment says comes first."""
    given = {name: value for name, value in os.environ.items() if value}
    return Settings.from_environment({**exports(places, stack), **(names or {}), **given})


def running_stack(places: Places) -> Stack | None:
    """The local stack if both services run; nothing is started."""
    found = status(places)
    kafka, service = found[broker.NAME], found[database.NAME]
    if kafka is None or service is None:
        return None
    kind: DatabaseKind = "timescale" if service.detail == "timescale" else "postgres"
    url = database.url(places, service)
    return Stack(f"127.0.0.1:{kafka.port}", url, kind, "already running", ())


def read_note(places: Places) -> dict[str, str]:
    """The names that a running installation uses; empty where none runs."""
    try:
        found = json.loads((places.run / NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()}


@contextmanager
def noted(places: Places, names: Mapping[str, str]) -> Iterator[None]:
    """While the block runs other commands find the installation by these names."""
    path: Path = places.run / NOTE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(names), indent=2) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
