"""A failure is one line: what, where, what to do. Never a traceback, exit code 1."""

from pathlib import Path

import pytest

from cli.failures import Failure, sentence
from tests.cli.conftest import Command


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("clock show", "make up"),
        ("period list", "make up"),
        ("token somebody", "make up"),
        ("setup Northwind", "make up"),
        ("period lock", "--help"),
        ("load --sample nothing", "adventureworks"),
        ("load --sample adventureworks --orders few", "history"),
        ("token somebody --scope everything", "deals:write"),
        ("token somebody --hours 10000", "at most"),
    ],
)
def test_one_line_that_says_what_to_do(line: str, says: str, command: Command) -> None:
    """Without services, and with arguments that mean nothing."""
    said = command(*line.split())
    assert said.code == 1
    assert said.err.startswith("paceboard: ")
    assert says in said.err
    assert "Traceback" not in said.err


@pytest.mark.usefixtures("nowhere")
def test_no_kafka(command: Command) -> None:
    """The address is part of the message."""
    said = command("topics", "check")
    assert said.code == 1
    assert "127.0.0.1:1" in said.err


def test_a_secret_that_is_missing_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable, not its value."""
    monkeypatch.setenv("PACEBOARD_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("PACEBOARD_DATABASE_URL", "postgresql://postgres:sesame@127.0.0.1:1/x")
    monkeypatch.delenv("PACEBOARD_API_PASSWORD", raising=False)
    said = command("clock", "show")
    assert said.code == 1
    assert "PACEBOARD_API_PASSWORD" in said.err
    assert "sesame" not in said.err


def test_a_file_that_is_not_there(command: Command, tmp_path: Path) -> None:
    """Its name, in one line."""
    said = command("load", "deals", str(tmp_path / "a.csv"), "--mapping", str(tmp_path / "m.json"))
    assert said.code == 1
    assert "a.csv" in said.err


def test_what_nobody_foresaw_is_one_line_too() -> None:
    """With the way to see all of it."""
    assert sentence(KeyError("x")) == (
        "unexpected KeyError: 'x'; for the whole of it run: paceboard --debug"
    )
    assert sentence(Failure("no hat", "buy one")) == "no hat; buy one"
