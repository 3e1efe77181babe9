"""`paceboard user`."""

import enum
from typing import Annotated, Final

import typer

from cli import where
from cli.console import table
from cli.failures import Failure

NAME: Final = "user"
app = typer.Typer(help="Who may sign in, and as what.", no_args_is_help=True)


class Role(enum.StrEnum):
    """What a user may be; the same as the API's roles, without importing it for help."""

    ADMIN = "admin"
    MANAGER = "manager"
    REP = "rep"


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What the person is called.")],
    role: Annotated[
        Role, typer.Option(help="An admin sees all; a manager his people; a rep himself.")
    ],
    payee: Annotated[
        str | None, typer.Option(help="The id of the payee the person is: for rep and manager.")
    ] = None,
) -> None:
    """Let a person sign in. It prints the user's id, by which tokens can be had.

    The first admin of a new installation is made by it. The audit keeps who was added, by id.

    **Needs** a database that is migrated and set up; for **--payee** his reference data.

    **Example**  `paceboard user add "Dana Whitfield" --role admin`
    """
    from cli.database import connected
    from cli.enrolling import enrol_one

    with connected(where.settings(), "user") as conn:
        user_id = enrol_one(conn, name=name, role=role.value, payee_id=payee)
    typer.echo(user_id)


@app.command("list")
def list_() -> None:
    """List the users, also those who may no longer sign in.

    **Needs** a migrated database.

    **Example**  `paceboard user list`
    """
    from cli.database import connected
    from db.users import users

    with connected(where.settings(), "user") as conn:
        rows = users(conn)
    if not rows:
        raise Failure("there is no user yet", 'add one: paceboard user add "NAME" --role admin')
    table(
        ("id", "name", "role", "payee", "may sign in"),
        [
            (
                row.user_id,
                row.name,
                row.role,
                row.payee_id or "",
                "no" if row.disabled_at else "in the demo" if row.demo else "yes",
            )
            for row in rows
        ],
    )
