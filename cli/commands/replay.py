"""`paceboard replay`."""

from decimal import Decimal
from typing import Annotated, Final

import typer

from cli import where
from cli.console import err

NAME: Final = "replay"


def command(
    rate: Annotated[
        int, typer.Option(min=1, help="Business seconds per real second on days with many orders.")
    ] = 540,
    skip_rate: Annotated[
        int, typer.Option(min=1, help="The same where nothing is sold.")
    ] = 345_600,
) -> None:
    """Send the sample company's last quota window, 1 March to 31 May 2014, by the business clock.

    Days with many orders take about a minute each; what lies between is run through. It follows the
    clock: **paceboard clock pause|resume|rate|set** take effect at once. Ctrl-C pauses the
    clock, and the next replay goes on from there.

    **Needs** the sample company with its history (paceboard load --sample adventureworks
    --orders history), Kafka, and a worker.

    **Example**  `paceboard replay --rate 540`
    """
    from cli.database import connected
    from cli.sample_replay import replay_sample

    settings = where.settings()
    with connected(settings, "replay") as conn:
        replay_sample(settings, conn, live_rate=Decimal(rate), fast_rate=Decimal(skip_rate))
    err.print("the replay has ended; business time stands still")
