"""`paceboard payee`."""

from typing import Annotated, Final

import typer

from cli import where
from cli.console import out, table
from cli.failures import Failure

NAME: Final = "payee"
app = typer.Typer(help="People who are paid: where they stand.", no_args_is_help=True)


@app.command()
def show(
    payee: Annotated[str, typer.Argument(help="The payee's id, or a part of his name.")],
    period: Annotated[str | None, typer.Option(help="A period's id; else today's.")] = None,
) -> None:
    """Show a payee's progress in a period, and his statements.

    As an administrator sees it.

    **Needs** the database.

    **Example**  `paceboard payee show "Michael Blythe"`
    **Example**  `paceboard payee show p2d84358a80f1 --period 2013-11-30`
    """
    from cli.looking import payee_called, progress_of, statements_of

    settings = where.settings()
    found = payee_called(settings, payee)
    if len(found) != 1:
        names = "; ".join(f"{one}, {name}" for one, name in found) or "nobody"
        raise Failure(f"{len(found)} people are called {payee}: {names}", "name one by his id")
    progress = progress_of(settings, found[0][0], period)
    if progress is None:
        raise Failure(f"there is no period {period}", "see: paceboard period list")
    stamps = progress.stamps
    state = "final" if stamps.state == "locked" else "provisional"
    through = f"{stamps.complete_through:%Y-%m-%d %H:%M} UTC" if stamps.complete_through else "-"
    out.print(
        f"{progress.name} ({progress.payee_id}), {stamps.period_name}: {state}, complete through "
        f"{through}, {stamps.currency}",
        markup=False,
    )
    rows = [
        ("credited", progress.credited),
        ("quota", progress.quota or "no quota"),
        ("attainment", progress.attainment_ratio or "-"),
        ("to go", progress.gap_to_quota or "-"),
        ("needed a working day", progress.required_per_remaining_working_day or "-"),
        ("working days left", progress.working_days_left),
        ("earned, provisional", progress.earned_provisional),
        ("earned, final", progress.earned_final),
        ("alerts", "; ".join(alert.text for alert in progress.alerts) or "none"),
    ]
    table(("what", "how much"), rows)
    out.print("")
    table(
        ("statement", "state", "earned"),
        [
            (row.period_name, row.state.value, f"{row.earned} {row.currency}")
            for row in statements_of(settings, found[0][0]).rows
        ],
    )
