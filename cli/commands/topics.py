"""`paceboard topics`."""

from typing import Annotated, Final

import typer

from cli import where
from cli.console import err, out, table

NAME: Final = "topics"
app = typer.Typer(
    help="The topics on Kafka: make what is missing, compare what is there, read along.",
    no_args_is_help=True,
)


@app.command()
def create(
    replication: Annotated[
        int,
        typer.Option(
            envvar="PACEBOARD_REPLICATION", help="How many brokers keep each partition; 3 is usual."
        ),
    ] = 1,
) -> None:
    """Make the topics that are missing. Those that are there stay as they are.

    **Needs** Kafka. PACEBOARD_TOPIC_PREFIX is what their names begin with.

    **Example**  `paceboard topics create --replication 3`
    """
    from cli import topic_admin

    made = topic_admin.create(where.settings(), replication=replication)
    for name in made:
        out.print(f"created {name}")
    if not made:
        out.print("all topics are there; to compare them: paceboard topics check")


@app.command()
def check() -> None:
    """Compare partitions, clean-up and retention with what this version expects; exit 1 if not so.

    **Needs** Kafka. Where the database can be read, its count of the deals partitions is
    compared too: workers refuse to start on another one.

    **Example**  `paceboard topics check`
    """
    from cli import topic_admin

    settings = where.settings()
    found = topic_admin.check(settings, installed_partitions=_installed_partitions())
    if not found:
        out.print(f"all topics of {settings.topic_prefix} are as declared")
        return
    table(("topic", "what", "expected", "found"), found)
    err.print(
        "partition counts are part of the contract: to change one, drain and raise the timeline; "
        "what is missing: paceboard topics create"
    )
    raise typer.Exit(1)


@app.command()
def tail(
    topic: Annotated[
        str,
        typer.Argument(
            help="deals, credits, accruals, progress, standings, alerts, reference, dead-letters "
            "or batches."
        ),
    ],
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="All that is there, then what comes.")
    ] = False,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop where the topic ends now.")
    ] = False,
    key: Annotated[str | None, typer.Option(help="Only the records with this key.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
) -> None:
    """Print the records of a topic as they come, one line of JSON each, until Ctrl-C.

    A line has partition, offset, time, key, headers and value. It reads for itself: no group,
    no committed offset, nobody else's reading moves. What a topic carries is in docs/topics.md.

    **Needs** Kafka with its topics.

    **Example**  `paceboard topics tail credits --count 3`
    **Example**  `paceboard topics tail accruals --from-beginning --until-end`
    """
    from cli import topic_tail

    settings = where.settings()
    wanted = topic_tail.Wanted(
        topic_tail.topic_called(topic, settings.topic_prefix),
        is_from_beginning=from_beginning,
        is_until_end=until_end,
        key=key,
        records_max=count,
    )
    for line in topic_tail.lines(settings, wanted):
        typer.echo(line)


def _installed_partitions() -> int | None:
    import psycopg

    from cli.database import connected
    from db.installation import find
    from schemas.settings import DatabaseRole, SettingMissing

    try:
        with connected(where.settings(), "topics", role=DatabaseRole.READER) as conn:
            installation = find(conn)
    except (psycopg.Error, SettingMissing):
        err.print("[dim]the database cannot be read; its count of partitions is not compared[/]")
        return None
    return installation.deals_partitions if installation else None
