"""`paceboard load`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from cli import where
from cli.console import err, out, step
from cli.failures import Failure

NAME: Final = "load"
SAMPLES: Final = ("adventureworks",)
app = typer.Typer(invoke_without_command=True)


@app.callback()
def sample(
    context: typer.Context,
    sample: Annotated[
        str | None, typer.Option(help=f"The sample company: {', '.join(SAMPLES)}.")
    ] = None,
    orders: Annotated[
        str,
        typer.Option(help="Its orders: all, history (before the last quota window) or none."),
    ] = "all",
) -> None:
    """Load the sample company, or deals from a file.

    **Needs** a migrated database; for orders also Kafka with its topics, and a worker that
    takes them up.

    **Example**  `paceboard load --sample adventureworks --orders history`
    """
    if context.invoked_subcommand is not None:
        return
    if sample is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    from cli.database import connected
    from cli.sample import Orders, load_company, load_orders

    if sample not in SAMPLES:
        raise Failure(f"no sample company {sample}", f"use {', '.join(SAMPLES)}")
    if orders not in list(Orders):
        raise Failure(f"--orders {orders} means nothing", f"use {', '.join(Orders)}")
    settings = where.settings()
    with (
        step("reference data and users"),
        connected(settings, "load") as conn,
    ):
        load_company(conn)
    if Orders(orders) is not Orders.NONE:
        with step("orders to Kafka") as progress:
            load_orders(settings, Orders(orders), progress=lambda n: progress.say(f"{n:,}"))


@app.command()
def deals(
    file: Annotated[Path, typer.Argument(help="A CSV file with a header row, UTF-8.")],
    mapping: Annotated[Path, typer.Option(help="Which column fills which field: a JSON file.")],
    is_history: Annotated[
        bool,
        typer.Option("--history", help="Mark them as history: nobody is told of each."),
    ] = False,
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="Send nothing if any row is refused.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, send nothing.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Where refused rows go; FILE.errors.csv if not given.")
    ] = None,
) -> None:
    """Send deals from a file: good rows to Kafka, refused rows to a file ready to be mended.

    The mapping of the sample company is ingest/data/adventureworks/mapping.json. Exit code 1 when
    rows were refused. Loading a file twice changes nothing.

    **Needs** Kafka with its topics.

    **Example**  `paceboard load deals orders.csv --mapping orders.json --dry-run`
    """
    from cli.files import good_deals, inspect, write_refused
    from ingest.files import on_disk
    from ingest.mapping import read_mapping
    from ingest.publish import publish_deals

    opened = on_disk(file)
    declared = read_mapping(mapping.read_bytes())
    with step(f"reading {file}") as progress:
        found = inspect(opened, declared, say=progress.say)
        progress.result = f"{found.good:,} good, {len(found.refused):,} refused"
    if found.refused:
        target = errors or file.with_name(f"{file.stem}.errors.csv")
        write_refused(target, opened, declared, found.refused)
        err.print(f"refused rows are in {target}, each with its reason")
    if dry_run or not found.good or (all_or_nothing and found.refused):
        out.print("nothing was sent")
    else:
        with step("deals to Kafka") as progress:
            published = publish_deals(
                where.settings(),
                good_deals(opened, declared),
                is_replay=is_history,
                progress=lambda count: progress.say(f"{count:,}"),
            )
            progress.result = f"{published.deals:,} sent"
    if found.refused:
        raise typer.Exit(1)
