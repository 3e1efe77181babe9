"""`paceboard user`: a real installation has a first admin, who can get a token."""

import datetime as dt

import pytest

from api.sessions import Scope, UserRole, read
from cli.commands.user import Role
from cli.database import connected
from schemas.settings import Settings
from tests.cli.conftest import Command
from tests.database import ADA, company


def test_the_first_admin_gets_a_token(installation: Settings, command: Command) -> None:
    """From an empty installation, by two commands."""
    assert command("setup", "Northwind").code == 0
    said = command("user", "add", "Eve Adams", "--role", "admin")
    assert said.code == 0, said.err
    user_id = said.out.strip()
    token = command("token", "Eve Adams", "--scope", "deals:write").out.strip()
    session = read(token, key=installation.session_key, now=dt.datetime.now(dt.UTC))
    assert (session.user_id, session.role) == (user_id, UserRole.ADMIN)
    assert session.scopes == (Scope.DEALS_WRITE,)
    listed = command("user", "list").out
    assert user_id in listed
    assert "Eve Adams" in listed
    with connected(installation, "test") as conn:
        lines = conn.execute(
            "SELECT actor, action, after::text FROM audit WHERE entity = %s", (user_id,)
        ).fetchall()
    assert [(actor, action) for actor, action, _ in lines] == [("cli", "enrol")]
    assert "Eve" not in lines[0][2]


def test_a_rep_is_a_payee(installation: Settings, command: Command) -> None:
    """His own page is that of the payee."""
    company(installation)
    said = command("user", "add", "Ada", "--role", "rep", "--payee", ADA)
    assert said.code == 0, said.err
    assert ADA in command("user", "list").out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("Ada", "--role", "rep"), "--payee"),
        (("Ada", "--role", "rep", "--payee", "nobody"), "no payee has the id 'nobody'"),
        (("", "--role", "admin"), "name is empty"),
        (("Meg", "--role", "admin"), "is there already"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: tuple[str, ...], why: str, installation: Settings, command: Command
) -> None:
    """And nobody is added."""
    company(installation)
    assert command("user", "add", "Meg", "--role", "admin").code == 0
    said = command("user", "add", *arguments)
    assert said.code == 1
    assert why in said.err
    with connected(installation, "test") as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_before_the_set_up_it_says_so(installation: Settings, command: Command) -> None:
    """No user of nothing."""
    assert "paceboard setup" in command("user", "add", "Eve", "--role", "admin").err
    assert "user add" in command("user", "list").err


def test_the_roles_are_the_apis() -> None:
    """Declared again only so that help imports nothing."""
    assert {role.value for role in Role} == {role.value for role in UserRole}
