"""Live channels as the database has them: "board:...", "payee:...", "team:..." and an id.

One reading serves all who watch a channel: what is sent says nothing about the viewer.
"""

from collections.abc import Iterable, Sequence

import msgspec

from api import access, boards, periods, progress, teams
from api.curves import Shapes
from api.hub import ChannelState
from api.world import World, Worlds
from db import boards as board_rows
from db import progress as progress_rows
from db import team as team_rows
from db.connect import Connection
from schemas.ids import PayeeId
from schemas.live import BoardSnapshot, PayeeSnapshot, ServerFrame, TeamSnapshot

BOARD = "board"
PAYEE = "payee"
TEAM = "team"


def channel(kind: str, name: str) -> str:
    """The channel of a board, a payee or a team."""
    return f"{kind}:{name}"


def encoded(frame: ServerFrame) -> str:
    """A frame's text."""
    return msgspec.json.encode(frame).decode()


def read(worlds: Worlds, shapes: Shapes, name: str) -> ChannelState | None:
    """The channel's newest state, in one transaction; None when there is no such channel."""
    kind, _, subject = name.partition(":")
    with worlds.snapshot() as (connection, world):
        if kind == BOARD:
            return _board(connection, world, shapes, subject)
        if kind == PAYEE:
            return _payee(connection, world, shapes, PayeeId(subject))
        if kind == TEAM:
            return _team(connection, world, shapes, PayeeId(subject))
    return None


def versions(worlds: Worlds, names: Sequence[str]) -> tuple[World, dict[str, int]]:
    """The world, and the version that each of these channels has now, without reading them."""
    with worlds.snapshot() as (connection, world):
        found = board_rows.versions(connection, _subjects(BOARD, names))
        counted = progress_rows.versions(connection, _subjects(PAYEE, names))
        managers = _subjects(TEAM, names)
        mark = team_rows.mark(connection) if managers else 0
        complete_seconds = progress_rows.complete_seconds(connection)
    team_version = teams.version(world, mark, complete_seconds)
    return world, {
        **{channel(TEAM, manager): team_version for manager in managers},
        **{channel(BOARD, board_id): version for board_id, version in found.items()},
        **{
            channel(PAYEE, payee_id): progress.version(world, versions, complete_seconds)
            for payee_id, versions in counted.items()
        },
    }


def _subjects(kind: str, names: Iterable[str]) -> list[str]:
    return [name.partition(":")[2] for name in names if name.startswith(f"{kind}:")]


def _board(
    connection: Connection, world: World, shapes: Shapes, board_id: str
) -> ChannelState | None:
    board = access.board_of(world, board_id)
    if board is None:
        return None
    found = boards.answer(connection, world, shapes, board)
    frame = BoardSnapshot(
        channel=channel(BOARD, board_id),
        version=found.version,
        board=found.board,
        clock=world.now.frame,
    )
    return ChannelState(found.version, encoded(frame), {board_id: found.version})


def _payee(
    connection: Connection, world: World, shapes: Shapes, payee_id: PayeeId
) -> ChannelState | None:
    period = periods.current(world)
    if payee_id not in world.people or period is None:
        return None
    found = progress.answer(connection, world, shapes, payee_id, period)
    frame = PayeeSnapshot(
        channel=channel(PAYEE, payee_id),
        version=found.version,
        progress=found.progress,
        clock=world.now.frame,
    )
    covers = progress_rows.account_versions(connection, payee_id)
    return ChannelState(found.version, encoded(frame), covers)


def _team(
    connection: Connection, world: World, shapes: Shapes, manager: PayeeId
) -> ChannelState | None:
    period = periods.current(world)
    if period is None or not access.leads(world, manager):
        return None
    found = teams.answer(connection, world, shapes, manager, period)
    frame = TeamSnapshot(
        channel=channel(TEAM, manager),
        version=found.version,
        team=found.team,
        clock=world.now.frame,
    )
    return ChannelState(found.version, encoded(frame), {})
