"""`paceboard setup`."""

from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from cli import where
from cli.console import out
from cli.failures import Failure

NAME: Final = "setup"


def command(
    company: Annotated[str, typer.Argument(help="The company's name.")],
    currency: Annotated[str, typer.Option(help="Its currency, an ISO 4217 code.")] = "USD",
    time_zone: Annotated[str, typer.Option(help="Its time zone, an IANA name.")] = "UTC",
) -> None:
    """Say which company this installation is for. Once: afterwards it can only be repeated.

    **Needs** a migrated database.

    **Example**  `paceboard setup "Northwind" --currency EUR --time-zone Europe/Berlin`
    """
    from cli.database import connected
    from db.installation import install
    from schemas.money import MINOR_UNITS
    from schemas.topics import DEALS

    if currency not in MINOR_UNITS:
        raise Failure(f"the currency {currency} is not known", "use an ISO 4217 code such as USD")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Failure(
            f"the time zone {time_zone} is not known", "use an IANA name such as Europe/Berlin"
        ) from error
    with connected(where.settings(), "setup") as conn:
        install(
            conn,
            company=company,
            currency=currency,
            time_zone=time_zone,
            deals_partitions=DEALS.partitions,
            actor="cli",
        )
    out.print(f"set up for {company}, {currency}, {time_zone}")
