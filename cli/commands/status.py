"""`paceboard status`."""

from collections.abc import Iterator
from typing import Final

import typer

from cli import where
from cli.console import table

NAME: Final = "status"
PROCESSES: Final = ("worker", "api")


def command() -> None:
    """Say what runs on this machine, and where. Exit code 3 when something does not.

    **Needs** nothing.

    **Example**  `paceboard status`
    """
    rows = list(_rows())
    table(("what", "state", "where"), rows)
    if any(state == "down" for _, state, _ in rows):
        raise typer.Exit(3)


def _rows() -> Iterator[tuple[str, str, str]]:
    from deploy.local.places import Places
    from deploy.local.process import is_alive, recall
    from deploy.local.stack import status

    places = Places.here()
    for name, service in status(places).items():
        yield (name, "runs", f"127.0.0.1:{service.port}") if service else (name, "down", "")
    for name in PROCESSES:
        child = recall(name, places.run)
        if child is None or not is_alive(child):
            yield name, "down", ""
        else:
            place = f"http://127.0.0.1:{child.port}" if child.port else f"process {child.pid}"
            yield name, "runs", place
    names = where.read_note(places)
    if names:
        yield "database", "is called", names["PACEBOARD_DATABASE"]
        yield "topics", "begin with", names["PACEBOARD_TOPIC_PREFIX"]
