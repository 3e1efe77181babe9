"""`--help` is a document, and quick."""

import subprocess
import sys

import pytest

from tests.cli.conftest import Command

COMMANDS = (
    *(
        "up",
        "demo",
        "status",
        "doctor",
        "worker",
        "api",
        "migrate",
        "setup",
        "replay",
        "token",
        "load",
        "load deals",
    ),
    *("user add", "user list"),
    *("deal show", "deal list", "payee show"),
    *("topics create", "topics check", "topics tail", "period list", "period lock"),
    *("clock show", "clock pause", "clock resume", "clock rate", "clock set"),
)
HEAVY = ("psycopg", "sqlalchemy", "kafka", "aiokafka", "faust", "fastapi", "uvicorn", "alembic")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_needs_and_shows_an_example(name: str, command: Command) -> None:
    """A person who knows nothing yet can start from it."""
    said = command(*name.split(), "--help")
    assert said.code == 0
    assert "Needs" in said.out
    assert f"paceboard {name.split(maxsplit=1)[0]}" in said.out.split("Example")[1]


@pytest.mark.parametrize("group", ["topics", "clock", "period", "load", "user", "deal", "payee"])
def test_a_group_alone_shows_its_commands(group: str, command: Command) -> None:
    """As good as help."""
    assert "Usage" in "".join(command(group)[1:])


def test_help_imports_nothing_heavy() -> None:
    """It comes at once, and works before anything else does."""
    code = f"import sys, cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_misspelt_command_is_an_error(command: Command) -> None:
    """Exit code 2, as for every mistake in the command line."""
    said = command("tpoics")
    assert said.code == 2
    assert "No such command" in said.err
