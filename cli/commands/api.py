"""`paceboard api`."""

from typing import Annotated, Final

import typer

from cli import where

NAME: Final = "api"
DEFAULT_PORT: Final = 8000


def command(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="PACEBOARD_PORT", help="The port to listen on.")
    ] = DEFAULT_PORT,
) -> None:
    """Serve the HTTP API, the live socket and the web pages.

    **Needs** a database that is migrated and set up; Kafka for POST /v1/deals;
    PACEBOARD_SESSION_KEY, 32 random characters or more.

    **Example**  `paceboard api --host 0.0.0.0 --port 8000`
    """
    from api.serve import serve

    serve(where.settings(), host, port)
