"""`paceboard token`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli import where
from cli.failures import Failure

if TYPE_CHECKING:
    from schemas.settings import Settings

NAME: Final = "token"


def command(
    user: Annotated[str, typer.Argument(help="A user's id, or the exact name.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do beyond reading: deals:write."),
    ] = None,
    hours: Annotated[int, typer.Option(min=1, help="How long it is good for.")] = 8,
) -> None:
    """Print a bearer token for a user, for machines: as **Authorization: Bearer ...**.

    **Needs** the database, and PACEBOARD_SESSION_KEY, the same as the API's.

    **Example**  `paceboard token "Dana Whitfield" --scope deals:write --hours 8`
    """
    typer.echo(bearer_for(where.settings(), user, scopes=scope or (), hours=hours))


def bearer_for(settings: "Settings", user: str, *, scopes: Sequence[str], hours: int) -> str:
    """A token for the user; raises Failure where there is none, or he may not sign in."""
    import datetime as dt

    from api.sessions import Scope, UserRole, mint
    from cli.database import connected
    from db.users import users
    from schemas import limits

    unknown = sorted(set(scopes) - {scope.value for scope in Scope})
    if unknown:
        raise Failure(f"unknown scope {unknown[0]}", f"use {', '.join(s.value for s in Scope)}")
    if hours * 3_600 > limits.TOKEN_SECONDS_MAX:
        raise Failure(
            f"{hours} hours is too long", f"at most {limits.TOKEN_SECONDS_MAX // 3_600} hours"
        )
    with connected(settings, "token") as conn:
        found = [row for row in users(conn) if user in (row.user_id, row.name)]
    if len(found) != 1:
        raise Failure(
            f"{len(found) or 'no'} users are called {user!r}", "give the user's id instead"
        )
    if found[0].disabled_at is not None:
        raise Failure(f"{user!r} may no longer sign in", "choose another user")
    return mint(
        settings.session_key,
        user_id=found[0].user_id,
        role=UserRole(found[0].role),
        now=dt.datetime.now(dt.UTC),
        payee_id=found[0].payee_id,
        scopes=[Scope(scope) for scope in scopes],
        seconds=hours * 3_600,
    )
