"""`paceboard clock`."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from cli import where
from cli.console import out
from cli.failures import Failure

if TYPE_CHECKING:
    from db.connect import Connection

NAME: Final = "clock"
BY: Final = "cli"
RATE_MAX: Final = Decimal(10_000_000)
app = typer.Typer(
    help="The business clock: what 'today' is for pace, alerts and period locks. "
    "Money is never booked by it.",
    no_args_is_help=True,
)


@app.command()
def show() -> None:
    """Show business time, and how fast it runs.

    **Needs** the database.

    **Example**  `paceboard clock show`
    """
    with _connected() as (conn, zone):
        _say(conn, zone)


@app.command()
def pause() -> None:
    """Stop business time where it is. A replay waits meanwhile.

    **Needs** the database.

    **Example**  `paceboard clock pause`
    """
    _change(rate=Decimal(0))


@app.command()
def resume() -> None:
    """Let business time run on, as fast as before the pause.

    **Needs** the database.

    **Example**  `paceboard clock resume`
    """
    _change()


@app.command()
def rate(
    value: Annotated[str, typer.Argument(help="Business seconds per real second; 0 pauses.")],
) -> None:
    """Let business time run this fast from now on: 1 with the world, 540 a working day a minute.

    **Needs** the database.

    **Example**  `paceboard clock rate 540`
    """
    _change(rate=_rate(value))


@app.command("set")
def set_(
    instant: Annotated[
        str,
        typer.Argument(help="Date and time, e.g. 2014-03-03T09:00; in the company's zone if none."),
    ],
) -> None:
    """Set business time, forwards or back; it runs on as fast as before.

    **Needs** the database.

    **Example**  `paceboard clock set 2014-03-31T08:55`
    """
    try:
        found = dt.datetime.fromisoformat(instant)
    except ValueError as error:
        raise Failure(f"{instant} is no date and time", "write it like 2014-03-03T09:00") from error
    _change(business=found)


def _change(*, business: dt.datetime | None = None, rate: Decimal | None = None) -> None:
    from cli import business as clock

    with _connected() as (conn, zone):
        now = clock.read(conn)
        if business is not None and business.tzinfo is None:
            business = business.replace(tzinfo=zone)
        if rate is None:
            is_resumed = business is None and now.rate == clock.PAUSED
            rate = clock.rate_before_pause(conn) if is_resumed else now.rate
        try:
            clock.set_clock(conn, business=business or now.business, rate=rate, by=BY)
        except ValueError as error:
            raise Failure(str(error), "try again") from error
        _say(conn, zone)


def _say(conn: "Connection", zone: ZoneInfo) -> None:
    from cli import business as clock

    now = clock.read(conn)
    how = {clock.PAUSED: "paused", clock.ONE: "runs with the world"}.get(
        now.rate, f"runs {now.rate:,f} times as fast as the world"
    )
    if now.row is None:
        how = "never set: the system's time"
    out.print(f"{now.business.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}, {how}")


def _rate(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= RATE_MAX:
        raise Failure(f"{text} is no rate", f"use a number from 0 to {RATE_MAX:,}")
    return value


@contextmanager
def _connected() -> Iterator[tuple["Connection", ZoneInfo]]:
    from cli.database import connected
    from db.installation import read

    settings = where.settings()
    with connected(settings, "clock") as conn:
        yield conn, ZoneInfo(read(conn).time_zone)
