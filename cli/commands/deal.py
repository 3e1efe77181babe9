"""`paceboard deal`."""

from typing import Annotated, Final

import typer

from cli import where
from cli.console import out, table
from cli.failures import Failure

NAME: Final = "deal"
ROWS_MAX: Final = 500
app = typer.Typer(
    help="Deals as they stand: what became of one, what it pays and why.", no_args_is_help=True
)


@app.command()
def show(
    deal_id: Annotated[
        str, typer.Argument(help="The deal's id, source:key; the key alone will do.")
    ],
) -> None:
    """Open a deal to its receipt: its fate, what it pays whom and why, its revisions.

    As an administrator sees it. Exit code 1 when no source has sent it.

    **Needs** the database.

    **Example**  `paceboard deal show adventureworks:SO69393`
    """
    from cli.looking import deal_of

    found = deal_of(where.settings(), deal_id)
    if found is None:
        raise Failure(
            f"no source has sent a deal {deal_id}", "look for it with: paceboard deal list"
        )
    deal = found.deal
    amount = f"{deal.amount} {deal.currency}" if deal.amount else "no amount"
    out.print(f"{deal.deal_id}: {deal.status}, {amount}, closed on {deal.closed_on}", markup=False)
    out.print(f"  {deal.fate_words}", markup=False)
    if found.next_step:
        out.print(f"  {found.next_step}", markup=False)
    for line in found.receipt:
        out.print(
            f"\n{line.payee.name}, {line.role_words}, {line.component_words}: {line.earned} "
            f"{line.stamps.currency}",
            markup=False,
        )
        out.print(f"  {line.sentence}", markup=False)
        final = "final" if line.stamps.state == "locked" else "provisional"
        out.print(
            f"  {line.stamps.period_name}, {final}; plan {line.plan_name}, version "
            f"{line.plan_version}",
            markup=False,
        )
    for held in found.held:
        out.print(f"\nheld: {held.reason_words} {held.next_step}", markup=False)
    if found.revisions:
        out.print("")
        table(
            ("revision", "source", "outcome", "what it says", "booked"),
            [
                (
                    f"{one.revision}{' (counts)' if one.is_current else ''}",
                    one.source,
                    one.outcome,
                    one.words,
                    f"{one.booked_at:%Y-%m-%d %H:%M:%S} UTC",
                )
                for one in found.revisions
            ],
        )


@app.command("list")
def list_(
    text: Annotated[
        str | None, typer.Argument(help="Its key begins with this, or its name contains it.")
    ] = None,
    fate: Annotated[
        str | None, typer.Option(help="credited, held, not_eligible or not_counted.")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=ROWS_MAX, help="How many.")] = 20,
) -> None:
    """List deals, the last received first.

    **Needs** the database.

    **Example**  `paceboard deal list SO6939`
    **Example**  `paceboard deal list --fate held`
    """
    from cli.looking import deals_like

    found = deals_like(where.settings(), text=text, fate=fate, rows_max=most)
    table(
        ("deal", "what became of it", "amount", "closed on"),
        [
            (
                row.deal_id,
                row.fate_words,
                f"{row.amount or '-'} {row.currency or ''}",
                row.closed_on or "-",
            )
            for row in found
        ],
    )
