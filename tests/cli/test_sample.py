"""`paceboard load --sample` on a real database, and what can be asked afterwards."""

import datetime as dt

import pytest

from api.sessions import Scope, read
from cli.database import connected
from db import reference
from schemas.messages import PeriodState
from schemas.settings import Settings
from tests.cli.conftest import Command


@pytest.fixture
def sample(installation: Settings, command: Command) -> Settings:
    """The sample company without orders."""
    said = command("load", "--sample", "adventureworks", "--orders", "none")
    assert said.code == 0, said.err
    return installation


def test_loading_twice_changes_nothing(sample: Settings, command: Command) -> None:
    """Not even the reference version: whatever is equal stays."""
    with connected(sample, "test") as conn:
        before = reference.read(conn)
        assert command("load", "--sample", "adventureworks", "--orders", "none").code == 0
        after = reference.read(conn)
    assert after == before
    assert (len(before.people), len(before.quotas), len(before.periods)) == (18, 163, 12)


def test_a_locked_period_stays_locked(sample: Settings, command: Command) -> None:
    """Loading again never opens what is final."""
    with connected(sample, "test") as conn:
        first = reference.read(conn).periods[0]
        with reference.reference_change(
            conn, actor="test", action="lock", entity=first.period_id
        ) as change:
            row = {name: getattr(first, name) for name in first.__struct_fields__}
            change.put("periods", [{**row, "state": PeriodState.LOCKED.value}])
        assert command("load", "--sample", "adventureworks", "--orders", "none").code == 0
        states = [period.state for period in reference.read(conn).periods]
    assert states == [PeriodState.LOCKED] + [PeriodState.OPEN] * 11


def test_periods(sample: Settings, command: Command) -> None:
    """Twelve, with their dates as people say them: the last day included."""
    said = command("period", "list")
    assert said.code == 0
    assert "2014-03-01 to 2014-05-31" in said.out
    assert said.out.count("open") == 12


def test_a_token_for_a_person(sample: Settings, command: Command) -> None:
    """By name; it says who he is, and what it may do."""
    said = command("token", "Dana Whitfield", "--scope", "deals:write", "--hours", "1")
    assert said.code == 0
    session = read(said.out.strip(), key=sample.session_key, now=dt.datetime.now(dt.UTC))
    assert (session.role, session.scopes) == ("admin", (Scope.DEALS_WRITE,))
    assert session.expires_at - session.issued_at == dt.timedelta(hours=1)
    said = command("token", "Nobody At All")
    assert (said.code, "no users" in said.err) == (1, True)


def test_a_period_that_is_not_there(sample: Settings, command: Command) -> None:
    """The periods there are, are named."""
    said = command("period", "lock", "2013-q4")
    assert said.code == 1
    assert "2014-03-01" in said.err


def test_nothing_to_lock(sample: Settings, command: Command) -> None:
    """No period ends that early: said, and no failure."""
    said = command("period", "lock", "--before", "2011-06-01")
    assert (said.code, "no open period" in said.out) == (0, True)
