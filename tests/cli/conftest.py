"""Running commands as a person does, against an installation of the test's own."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from cli.main import run
from schemas.settings import PREFIX, Settings


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `paceboard ARGUMENTS`."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(list(arguments))
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return call


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose services do not answer."""
    monkeypatch.setenv("PACEBOARD_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("PACEBOARD_DATABASE_URL", "postgresql://postgres:x@127.0.0.1:1/postgres")
    for role in ("OWNER", "API", "WORKER", "READER"):
        monkeypatch.setenv(f"PACEBOARD_{role}_PASSWORD", "not-one")


@pytest.fixture
def installation(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A migrated, empty database that commands find by their environment."""
    for name, value in database.values.items():
        assert name.startswith(PREFIX)
        monkeypatch.setenv(name, value)
    yield database
