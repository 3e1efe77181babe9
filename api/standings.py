"""`GET /v1/boards` and a board's standings. No pay stands in either."""

from typing import Literal

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, boards, signed
from api.answers import hashed, only, versioned
from api.boards import BoardAnswer
from api.openapi import operation
from api.problems import NotFound, NotSignedIn, Unavailable, UnknownParameter
from api.services import services_of
from api.sessions import Session
from api.world import World
from db import boards as rows
from schemas.reference import Board, PersonRole

router = APIRouter()


class BoardView(msgspec.Struct, frozen=True, kw_only=True):
    """A board that you may see, and the version of its newest standing."""

    board_id: str
    name: str
    measure: str
    visibility: Literal["everyone", "team", "managers"]
    version: int


class Boards(msgspec.Struct, frozen=True, kw_only=True):
    """The boards that you may see."""

    boards: tuple[BoardView, ...]


@router.get(
    "/v1/boards",
    operation_id="listBoards",
    summary="The boards you may see",
    tags=["Boards"],
    openapi_extra=operation(
        answers={200: Boards, 304: None}, problems=(UnknownParameter, NotSignedIn, Unavailable)
    ),
)
def list_boards(request: Request) -> Response:
    """By each board's visibility and the hierarchy of today; the ones you stand on come first."""
    only(request)
    with services_of(request).worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        seen = [
            board
            for board in world.reference.rows.boards
            if access.may_see_board(session, board, world)
        ]
        seen.sort(key=lambda board: _order(board, session, world))
        versions = rows.versions(connection, [board.board_id for board in seen])
    return hashed(
        request,
        Boards(
            boards=tuple(
                BoardView(
                    board_id=board.board_id,
                    name=board.name,
                    measure=board.measure,
                    visibility=board.visibility,
                    version=versions.get(board.board_id, 0),
                )
                for board in seen
            )
        ),
    )


def _order(board: Board, session: Session, world: World) -> tuple[bool, bool, str]:
    """Own boards, then those of sellers, then by id."""
    own = session.payee_id
    person = world.reference.person_on(own, world.today) if own is not None else None
    is_own = person is not None and person.role in board.roles
    return not is_own, PersonRole.REP not in board.roles, board.board_id


@router.get(
    "/v1/boards/{board_id}/standings",
    operation_id="getStandings",
    summary="A board's standings",
    tags=["Boards"],
    openapi_extra=operation(
        answers={200: BoardAnswer, 304: None},
        problems=(UnknownParameter, NotSignedIn, NotFound, Unavailable),
    ),
)
def get_standings(request: Request, board_id: str) -> Response:
    """Who stands where, by the newest standing. Version 0: nothing has been credited yet."""
    services = services_of(request)
    only(request)
    with services.worlds.snapshot() as (connection, world):
        session = signed.session_in(request, world)
        board = access.require_board(session, board_id, world)
        found = boards.answer(connection, world, services.shapes, board)
    marks = (board_id, found.version, world.reference.version, world.today)
    return versioned(request, found, ".".join(map(str, marks)))
