"""`paceboard up`."""

from typing import Final

from cli.console import err

NAME: Final = "up"


def command() -> None:
    """Run an installation on this machine: Kafka, database, worker, API, until Ctrl-C.

    The database is migrated and the topics are made. Logs are in .paceboard/log. If a process dies,
    the end of its log is shown and everything stops: nothing is restarted in silence. The worker
    starts once the company is set up (paceboard setup, or paceboard load --sample adventureworks).

    **Needs** make setup, once; or PACEBOARD_KAFKA and PACEBOARD_DATABASE_URL of your own.
    PACEBOARD_PORT is the API's port; without it 8000, or any free one.

    **Example**  `paceboard up`
    """
    from cli import where
    from cli.installing import (
        prepare,
        processes,
        services,
        start_worker,
        stopping_on_signals,
    )
    from deploy.local.places import Places

    places = Places.here()
    with stopping_on_signals(), services(places) as stack:
        settings = where.settings_on(places, stack)
        prepare(settings)
        names = {
            "PACEBOARD_DATABASE": settings.database,
            "PACEBOARD_TOPIC_PREFIX": settings.topic_prefix,
        }
        with processes(settings, places, stack, names) as installation:
            err.print(f"\n  Paceboard runs at [bold]{installation.address}[/]")
            err.print("  Ctrl-C stops it; other terminals find it: paceboard period list\n")
            start_worker(installation)
            installation.children.watch()
