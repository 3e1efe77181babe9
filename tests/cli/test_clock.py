"""The business clock from the command line, on a real database."""

import datetime as dt
from decimal import Decimal

import pytest

from cli.business import read
from cli.database import connected
from schemas.settings import Settings
from tests.cli.conftest import Command


@pytest.fixture
def company(installation: Settings, command: Command) -> Settings:
    """Set up for a company in California."""
    said = command("setup", "Northwind", "--time-zone", "America/Los_Angeles")
    assert said.code == 0, said.err
    return installation


def test_set_pause_rate_resume(company: Settings, command: Command) -> None:
    """Each takes effect at once and says how the clock stands now."""
    assert "never set" in command("clock", "show").out
    assert "runs with the world" in command("clock", "set", "2014-03-03T09:00").out
    assert "paused" in command("clock", "pause").out
    with connected(company, "test") as conn:
        paused = read(conn).business
        assert read(conn).business == paused
    assert "540 times" in command("clock", "rate", "540").out
    assert "paused" in command("clock", "rate", "0").out
    assert "540 times" in command("clock", "resume").out
    with connected(company, "test") as conn:
        now = read(conn)
    assert now.rate == Decimal(540)
    assert dt.timedelta() <= now.business - paused < dt.timedelta(days=1)


def test_the_companys_zone_counts(company: Settings, command: Command) -> None:
    """Nine in the morning is that of California, unless a zone is given."""
    command("clock", "rate", "0")
    assert "Mon 2014-03-03 09:00:00 PST" in command("clock", "set", "2014-03-03T09:00").out
    assert "Mon 2014-03-03 01:00:00 PST" in command("clock", "set", "2014-03-03T09:00Z").out


@pytest.mark.parametrize("rate", ["-1", "NaN", "fast", "1e30"])
def test_no_rate(rate: str, company: Settings, command: Command) -> None:
    """The clock does not run backwards."""
    said = command("clock", "rate", "--", rate)
    assert said.code == 1
    assert "is no rate" in said.err


def test_before_the_migration(
    installation: Settings, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that runs is not asked whether it runs."""
    monkeypatch.setenv("PACEBOARD_DATABASE", "paceboard_not_there")
    said = command("clock", "show")
    assert said.code == 1
    assert "run: paceboard migrate" in said.err


def test_before_the_setup(installation: Settings, command: Command) -> None:
    """A sentence, not a stack of Python."""
    said = command("clock", "show")
    assert said.code == 1
    assert "paceboard setup" in said.err


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [("--currency", "XXX", "ISO 4217"), ("--time-zone", "Mars/Olympus", "IANA")],
)
def test_a_company_of_nowhere(
    option: str, value: str, says: str, installation: Settings, command: Command
) -> None:
    """Refused before anything is written; a second set-up with the same values changes nothing."""
    said = command("setup", "Northwind", option, value)
    assert (said.code, says in said.err) == (1, True)
    assert command("setup", "Northwind").code == 0
    assert command("setup", "Northwind").code == 0
    assert "Northwind" in command("setup", "Southwind").err
