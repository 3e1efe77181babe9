"""What `deal` and `payee` show: the API's own answers, as an administrator would get them."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from api import deal_answers, periods, progress, statements
from api.curves import Shapes
from api.sessions import Session, UserRole
from api.world import World, Worlds
from cli.failures import Failure
from db import deals as rows
from db.connect import Connection, pool
from db.keyset import Keyset
from schemas import limits
from schemas.answers import DealAnswer, DealRow, Fate, Statements
from schemas.ids import PayeeId, PeriodId
from schemas.live import PayeeProgress
from schemas.settings import DatabaseRole, Settings
from schemas.state import DealOutcome

OPERATOR = Session(
    session_id="cli",
    user_id="cli",
    role=UserRole.ADMIN,
    payee_id=None,
    scopes=(),
    issued_at=dt.datetime.min.replace(tzinfo=dt.UTC),
    expires_at=dt.datetime.max.replace(tzinfo=dt.UTC),
)


@contextmanager
def _world(settings: Settings) -> Iterator[tuple[Connection, World]]:
    found = pool(settings, DatabaseRole.API, application_name="paceboard look")
    try:
        with Worlds(found).snapshot() as (connection, world):
            yield connection, world
    finally:
        found.close()


def deal_of(settings: Settings, deal_id: str) -> DealAnswer | None:
    """A deal by its id; a key alone is that of the one source that has it.

    Raises Failure when several have it.
    """
    with _world(settings) as (connection, world):
        found = deal_answers.deal_answer(connection, world, OPERATOR, deal_id)
        if found is not None or ":" in deal_id:
            return found
        ids = rows.ids_of_key(connection, deal_id, limits.SAME_KEY_SHOWN_MAX)
        if len(ids) > 1:
            raise Failure(f"{deal_id} is several deals", f"say which: {', '.join(ids)}")
        if not ids:
            return None
        return deal_answers.deal_answer(connection, world, OPERATOR, ids[0])


def deals_like(
    settings: Settings, *, text: str | None, fate: str | None, rows_max: int
) -> list[DealRow]:
    """Deals, the last received first. Raises Failure for a fate that there is not."""
    known = [outcome.value for outcome in DealOutcome]
    if fate is not None and fate not in known:
        raise Failure(f"no deal can be {fate}", f"use {', '.join(known)}")
    with _world(settings) as (connection, world):
        return _like(connection, world, text, fate, rows_max)


def _like(
    connection: Connection, world: World, text: str | None, fate: str | None, rows_max: int
) -> list[DealRow]:
    filters = {"q": text, "fate": None if fate is None else Fate(fate).value}
    found = rows.deals(
        connection,
        Keyset(None, True, rows_max),
        "-received_at",
        seen=None,
        filters={name: value for name, value in filters.items() if value is not None},
        parameters={},
    )
    return [deal_answers.row(deal, OPERATOR, world) for deal in found]


def payee_called(settings: Settings, name: str) -> list[tuple[str, str]]:
    """(id, name) of the payee with that id, or of all whose name contains it."""
    with _world(settings) as (_, world):
        if name in world.people:
            return [(name, world.name_of(name))]
        named = [(payee, world.name_of(payee)) for payee in sorted(world.people)]
    return [one for one in named if name.lower() in one[1].lower()]


def progress_of(settings: Settings, payee_id: str, period_id: str | None) -> PayeeProgress | None:
    """A payee's progress; None when there is no such period."""
    with _world(settings) as (connection, world):
        period = (
            periods.current(world)
            if period_id is None
            else world.reference.period(PeriodId(period_id))
        )
        if period is None:
            return None
        payee = PayeeId(payee_id)
        return progress.answer(connection, world, Shapes(), payee, period).progress


def statements_of(settings: Settings, payee_id: str) -> Statements:
    """A payee's statements."""
    with _world(settings) as (connection, world):
        return statements.listed(connection, world, PayeeId(payee_id))
