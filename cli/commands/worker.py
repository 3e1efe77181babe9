"""`paceboard worker`."""

from typing import Annotated, Final

import typer

from cli import where

NAME: Final = "worker"


def command(
    metrics_port: Annotated[
        int | None,
        typer.Option(
            help="Serve the deals' Prometheus metrics on this port of 127.0.0.1, those "
            "of standings, alerts and jobs on the next."
        ),
    ] = None,
) -> None:
    """Run one worker: deals, and beside them standings, alerts and jobs. Several share the work.

    It is two processes that live and die together.

    **Needs** Kafka with its topics, and a database that is migrated and set up. SIGTERM ends
    it after the batch under way.

    **Example**  `paceboard worker --metrics-port 9102`
    """
    from streams.worker import run_worker

    raise typer.Exit(run_worker(where.settings(), metrics_port=metrics_port))
