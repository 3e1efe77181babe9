"""`paceboard setup`."""

from typing import Annotated, Final

import typer

from cli import where
from cli.console import out

NAME: Final = "setup"


def command(
    company: Annotated[str, typer.Argument(help="The company's name.")],
    currency: Annotated[str, typer.Option(help="Its currency, an ISO 4217 code.")] = "USD",
    time_zone: Annotated[str, typer.Option(help="Its time zone, an IANA name.")] = "UTC",
) -> None:
    """Say which company this installation is for. Once: afterwards it can only be repeated.

    The working week is Monday to Friday from nine to six, until somebody loads another calendar.

    **Needs** a migrated database.

    **Example**  `paceboard setup "Northwind" --currency EUR --time-zone Europe/Berlin`
    """
    from cli.database import connected
    from cli.setting_up import set_up

    with connected(where.settings(), "setup") as conn:
        set_up(conn, company=company, currency=currency, time_zone=time_zone)
    out.print(f"set up for {company}, {currency}, {time_zone}")
