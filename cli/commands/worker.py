"""`paceboard worker`."""

from typing import Annotated, Final

import typer

from cli import where

NAME: Final = "worker"


def command(
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics on this port of 127.0.0.1.")
    ] = None,
) -> None:
    """Run one worker: deals, standings and alerts. Several share the work by partitions.

    **Needs** Kafka with its topics, and a database that is migrated and set up. SIGTERM ends
    it after the batch under way.

    **Example**  `paceboard worker --metrics-port 9102`
    """
    from streams.worker import run_worker

    raise typer.Exit(run_worker(where.settings(), metrics_port=metrics_port))
