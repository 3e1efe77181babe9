"""The command `paceboard`: its groups, and how failures reach a person."""

import sys
from typing import Annotated

import typer

from cli.commands import (
    api,
    clock,
    deal,
    demo,
    doctor,
    load,
    migrate,
    payee,
    period,
    replay,
    setup,
    status,
    token,
    topics,
    up,
    user,
)
from cli.commands import worker as worker_command
from cli.console import err
from cli.failures import sentence

INTERRUPTED = 130
HELP = """Credits, attainment and pay to the cent, live.

A first look: **paceboard demo** starts everything and replays a sample company.

An installation of your own: **up** starts it on this machine; or set PACEBOARD_KAFKA and
PACEBOARD_DATABASE_URL, then **migrate**, **topics create**, **setup**, **user add**,
and run **worker** and **api** as many times as you need.
"""

app = typer.Typer(
    name="paceboard",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(help=HELP)
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show Python's whole traceback of a failure.")
    ] = False,
) -> None:
    """What holds for every command; `run` looks for it."""


for module in (up, demo, status, doctor, worker_command, api, migrate, setup, replay, token):
    app.command(module.NAME)(module.command)
for group in (topics, load, deal, payee, clock, period, user):
    app.add_typer(group.app, name=group.NAME)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code. A failure is one line on standard error."""
    try:
        app(arguments, prog_name="paceboard")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if "--debug" in arguments:
            raise
        err.print("[red]paceboard:[/]", end=" ")
        err.print(sentence(error), markup=False)
        return 1
    return 0


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
