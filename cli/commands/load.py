"""`paceboard load`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli import where
from cli.console import err, out, step, table
from cli.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.files import Tried
    from schemas.settings import Settings

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
    file: Annotated[Path, typer.Argument(help="A CSV file or a workbook, with a header row.")],
    mapping: Annotated[
        str | None,
        typer.Option(
            help="Which column fills which field: a JSON file, or the id of a saved mapping; "
            "guessed from the header when not given."
        ),
    ] = None,
    is_history: Annotated[
        bool,
        typer.Option("--history", help="Mark them as history: nobody is told of each."),
    ] = False,
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="Send nothing if any row is refused.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would do, and send nothing.")
    ] = False,
    errors: Annotated[
        Path | None,
        typer.Option(help="Where refused rows go; FILE.errors.csv (or .xlsx) if not given."),
    ] = None,
) -> None:
    """Send deals from a file: good rows to Kafka, refused rows to a file ready to be mended.

    First it is tried out against the books: how many rows are new, changed, unchanged or refused,
    and what they would do to whose money. The mapping of the sample company is
    ingest/data/adventureworks/mapping.json; docs/files.md says all of it. Exit code 1 when rows
    were refused. Loading a file twice changes nothing.

    **Needs** Kafka with its topics; to say the money also the database.

    **Example**  `paceboard load deals orders.csv --mapping orders.json --dry-run`
    **Example**  `paceboard load deals orders.xlsx --mapping erp-orders`
    """
    from cli.files import good_deals, inspect, mapping_of, try_out, write_refused
    from ingest import files
    from ingest.publish import publish_deals
    from ingest.spool import Spool

    opened = files.on_disk(file)
    declared = mapping_of(where.settings, mapping, opened)
    with Spool() as spool:
        with step(f"reading {file}") as progress:
            checked = inspect(opened, declared, spool, say=progress.say)
            refused = dict(checked.refused)
            progress.result = f"{spool.count:,} good, {len(refused):,} refused"
        with step("trying it out") as progress:
            tried = _tried(lambda s: try_out(s, declared, spool, say=progress.say))
            if isinstance(tried, str):
                progress.result = f"not possible: {tried}"
            else:
                refused.update(tried.effect.refused)
        if not isinstance(tried, str):
            _say(tried, checked.rows, len(refused))
        if refused:
            form = files.form_of(opened)
            target = errors or file.with_name(f"{file.stem}.errors.{form}")
            write_refused(target, opened, declared, refused)
            err.print(f"refused rows are in {target}, each with its reason", markup=False)
        good = checked.rows - len(refused)
        if dry_run or not good or (all_or_nothing and refused):
            out.print("nothing was sent")
        else:
            with step("deals to Kafka") as progress:
                published = publish_deals(
                    where.settings(),
                    good_deals(spool, refused),
                    is_replay=is_history,
                    progress=lambda count: progress.say(f"{count:,} of {good:,}"),
                )
                progress.result = f"{published.deals:,} sent"
    if refused:
        raise typer.Exit(1)


def _tried(work: "Callable[[Settings], Tried | str]") -> "Tried | str":
    """Without services a file can still be checked."""
    try:
        return work(where.settings())
    except Failure as failure:
        return str(failure)


def _say(tried: "Tried", rows: int, refused: int) -> None:
    """The counts, and the money by payee."""
    from domain.wording import change

    effect, world = tried
    counts = (rows, effect.new, effect.changed, effect.unchanged, refused)
    table(("rows", "new", "changed", "unchanged", "refused"), [counts])
    if effect.held or effect.not_eligible:
        out.print(f"would wait: {effect.held} shares; not eligible: {effect.not_eligible} deals")
    if effect.changes:
        out.print("")
        table(
            ("payee", "period", "booked into", "credited", "earned"),
            [
                (
                    world.name_of(one.where.payee_id),
                    one.where.origin,
                    one.where.booked_into or "no period is open",
                    change(one.money.credited),
                    f"{change(one.money.earned)} {one.where.currency}",
                )
                for one in effect.changes
            ],
        )
