"""One more person who may sign in."""

import secrets
from typing import Final

from cli.failures import Failure
from db import enrolment, installation, users
from db.connect import Connection
from schemas import limits

ACTOR: Final = "cli"
ADMIN: Final = "admin"
_ID_BYTES: Final = 6


def enrol_one(conn: Connection, *, name: str, role: str, payee_id: str | None) -> str:
    """Add the user; the new id. Raises Failure, and NotInstalled before the set-up."""
    installation.read(conn)
    _check(conn, name, role, payee_id)
    user_id = f"u{secrets.token_hex(_ID_BYTES)}"
    row = {
        "user_id": user_id,
        "payee_id": payee_id,
        "role": role,
        "name": name,
        "demo": False,
        "disabled_at": None,
    }
    enrolment.enrol(conn, [row], actor=ACTOR)
    return user_id


def _check(conn: Connection, name: str, role: str, payee_id: str | None) -> None:
    if not name.strip() or len(name) > limits.TEXT_LENGTH_MAX:
        raise Failure("the name is empty or too long", "give the person's name")
    if role != ADMIN and payee_id is None:
        raise Failure(f"a {role} is a payee of the company", "give his id: --payee ID")
    if payee_id is not None and payee_id not in {row.payee_id for row in users.names(conn)}:
        raise Failure(f"no payee has the id {payee_id!r}", "load the reference data first")
    if any(row.name == name and row.disabled_at is None for row in users.users(conn)):
        raise Failure(
            f"a user called {name!r} is there already",
            "see paceboard user list; for another person of that name add what tells them apart",
        )
