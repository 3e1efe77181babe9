"""`paceboard demo`."""

import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.console import err, step

if TYPE_CHECKING:
    from cli.installing import Installation

NAME: Final = "demo"
TOKEN_FILE: Final = "demo-token"
TOKEN_HOURS: Final = 24


def command(
    rate: Annotated[
        int, typer.Option(min=1, help="Business seconds per real second on days with many orders.")
    ] = 540,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over even if the last replay has not ended.")
    ] = False,
) -> None:
    """Start everything, load the sample company, and replay its last quota window live.

    The first time it loads three years of orders, locks eleven periods, and starts the replay. Run
    again it goes on where it stopped; after the end it starts over, with a new database and new
    topics (the old ones are removed). Ctrl-C stops everything and keeps the data.

    **Needs** make setup, once. **make demo** does both.

    **Example**  `paceboard demo`
    """
    from cli import demonstration, where
    from cli.database import connected
    from cli.installing import (
        prepare,
        processes,
        services,
        start_worker,
        stopping_on_signals,
    )
    from cli.sample_replay import replay_sample
    from deploy.local.places import Places

    started = time.monotonic()
    places = Places.here()
    with stopping_on_signals(), services(places) as stack:
        number = demonstration.number(places)
        settings = where.settings_on(places, stack).but(**demonstration.names(places, number))
        prepare(settings)
        if fresh or demonstration.has_ended(settings):
            with step("starting over, with a new database and new topics"):
                demonstration.remember(places, number + 1)
                demonstration.discard(settings)
            number += 1
            settings = settings.but(**demonstration.names(places, number))
            prepare(settings)
        names = demonstration.names(places, number)
        with (
            processes(settings, places, stack, names) as installation,
            connected(settings, "demo") as conn,
        ):
            check = installation.children.check
            is_loaded = demonstration.is_loaded(conn)
            if not is_loaded:
                demonstration.load_company_at_start(conn, number=number)
            start_worker(installation)
            if not is_loaded:
                demonstration.load_history(settings, conn, check=check)
            _tell(installation, time.monotonic() - started)
            replay_sample(settings, conn, live_rate=Decimal(rate), check=check)
            err.print("\n  the replay has ended, business time stands still; Ctrl-C stops all\n")
            installation.children.watch()


def _tell(installation: "Installation", seconds: float) -> None:
    from cli import demonstration

    token = _write_token(installation)
    err.print(
        f"""
  ready after {seconds:.0f} s

  leaderboard   [bold]{installation.address}/[/]
  API docs      [bold]{installation.address}/docs[/]

  clock         paceboard clock pause | resume | rate 60
  a deal of your own, in another terminal:

"""
    )
    err.print(demonstration.curl(installation.address, token), markup=False)
    err.print("\n  Ctrl-C stops everything; the next demo goes on from there\n")


def _write_token(installation: "Installation") -> Path:
    """A token of an administrator, readable by its owner only."""
    from cli.commands.token import bearer_for
    from deploy.local.credentials import write_private
    from ingest.adventureworks import ADMINISTRATORS

    path = installation.places.state / TOKEN_FILE
    token = bearer_for(
        installation.settings, ADMINISTRATORS[0], scopes=("deals:write",), hours=TOKEN_HOURS
    )
    write_private(path, f"{token}\n")
    return path
