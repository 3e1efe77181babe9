"""`paceboard period`."""

import datetime as dt
from typing import Annotated, Final

import typer

from cli import where
from cli.console import out, step, table
from cli.failures import Failure
from schemas.settings import Settings

NAME: Final = "period"
ACTOR: Final = "cli"
app = typer.Typer(
    help="The periods that are locked and paid. A locked period's pay is final.",
    no_args_is_help=True,
)


@app.command("list")
def list_() -> None:
    """List the periods: open ones are provisional, locked ones final.

    **Needs** the database.

    **Example**  `paceboard period list`
    """
    from cli.database import connected
    from db import periods, reference
    from schemas.money import text_of

    with connected(where.settings(), "period") as conn:
        rows = reference.read(conn)
        locks = {lock.period_id: lock for lock in periods.locks(conn)}
        shown = []
        for period in rows.periods:
            booked = periods.booked(conn, period.period_id)
            lock = locks.get(period.period_id)
            shown.append(
                (
                    period.period_id,
                    period.plan_year,
                    f"{period.starts_on} to {period.ends_on - dt.timedelta(days=1)}",
                    f"locked {lock.known_at:%Y-%m-%d %H:%M} UTC" if lock else "open",
                    booked.accounts,
                    f"{text_of(booked.earned)} {rows.company.currency}",
                )
            )
    table(("period", "plan year", "dates", "state", "accounts", "earned"), shown)


@app.command()
def lock(
    period: Annotated[str | None, typer.Argument(help="The period's id.")] = None,
    before: Annotated[
        str | None, typer.Option(help="Lock every open period that ends on or before this date.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say what would be frozen, and change nothing.")
    ] = False,
) -> None:
    """Lock a period: all that was sent is booked first, then its statements are frozen.

    What comes later is booked into the first open period, labelled with its origin. Periods are
    locked in order. The last open period is refused, since late deals need somewhere to be booked:
    add the next period first. A lock cannot be undone.

    With `--check` the exit code is 3 when the lock would be refused.

    **Needs** the database, and to lock: Kafka, and a worker.

    **Example**  `paceboard period lock 2011-05-31 --check`
    **Example**  `paceboard period lock 2011-05-31`
    **Example**  `paceboard period lock --before 2014-03-01`
    """
    from cli.database import connected

    settings = where.settings()
    if (period is None) == (before is None):
        raise Failure("name one period, or --before a date", "see: paceboard period lock --help")
    if check:
        if period is None:
            raise Failure("--check looks at one period", "name it in place of --before")
        _check(settings, period)
        return
    with connected(settings, "period") as conn:
        from cli.locking import lock_one, open_before

        chosen = [period] if period is not None else open_before(conn, _date(before or ""))
        if not chosen:
            out.print("no open period ends by then")
        for period_id in chosen:
            with step(f"locking {period_id}") as progress:
                result = lock_one(conn, settings, period_id, say=progress.say, actor=ACTOR)
                progress.result = f"{result.frozen.frozen} statements frozen"


def _check(settings: Settings, period_id: str) -> None:
    """Print what a lock would freeze now. Exits with 3 when it would be refused."""
    from api.period_lock import LockRefused
    from api.period_lock import check as look
    from cli.database import connected
    from schemas.messages import PeriodState
    from schemas.money import text_of

    with connected(settings, "period") as conn:
        try:
            found = look(conn, period_id)
        except LockRefused as error:
            raise Failure(str(error)) from error
    is_locked = found.period.state is PeriodState.LOCKED
    refusal = "it is locked already" if is_locked else found.refusal
    last_day = found.period.ends_on - dt.timedelta(days=1)
    complete = found.complete_through
    waiting = [f"{held.deals} deals, {text_of(held.amount)} {held.currency}" for held in found.held]
    rows = [
        ("period", f"{found.period.period_id}, {found.period.starts_on} to {last_day}"),
        ("has ended", "yes" if found.has_ended else "no"),
        ("complete through", f"{complete:%Y-%m-%d %H:%M} UTC" if complete else "not known"),
        ("accounts", f"{found.booked.accounts}"),
        ("entries", f"{found.booked.entries}"),
        ("earned", f"{text_of(found.booked.earned)} {found.currency}"),
        ("held", "; ".join(waiting) or "none"),
        ("dead letters", f"{found.dead_letters}, of all periods"),
        ("can be locked", f"no: {refusal}" if refusal else "yes"),
    ]
    table(("a lock would freeze", period_id), rows)
    if found.refusal is not None:
        raise typer.Exit(3)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise Failure(f"{text} is no date", "write it like 2014-03-01") from error
