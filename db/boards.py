"""Boards as standings left them: the last standing with all rows, and its version."""

from collections.abc import Sequence
from typing import Final, LiteralString, NamedTuple

import msgspec

from db.connect import Connection
from schemas.messages import StandingsChanged


class BoardStanding(NamedTuple):
    """A board's newest standing; None while standings have not computed it yet."""

    version: int
    standing: StandingsChanged | None


STANDING: Final[LiteralString] = """
SELECT version, standing::text FROM board_states WHERE board_id = %(board_id)s
"""


def standing(connection: Connection, board_id: str) -> BoardStanding:
    """A board's newest standing."""
    row = connection.execute(STANDING, {"board_id": board_id}).fetchone()
    if row is None or row[1] is None:
        return BoardStanding(0, None)
    return BoardStanding(row[0], msgspec.json.decode(row[1], type=StandingsChanged))


VERSIONS: Final[LiteralString] = """
SELECT board_id, version FROM board_states
 WHERE board_id = ANY(%(board_ids)s) AND standing IS NOT NULL
"""


def versions(connection: Connection, board_ids: Sequence[str]) -> dict[str, int]:
    """The version of each of these boards that has been computed."""
    return dict(connection.execute(VERSIONS, {"board_ids": list(board_ids)}).fetchall())
