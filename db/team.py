"""What a team's page is made of: its people's own deals of a period, what waits, and a mark."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, LiteralString, NamedTuple

from db.connect import Connection


class Own(NamedTuple):
    """A payee's credits of a period for deals of his own (owner and splits), and of his team."""

    own: Decimal
    team: Decimal
    last_on: dt.date | None  # when the last of his own was closed


OWN: Final[LiteralString] = """
SELECT payee_id,
       coalesce(sum(amount) FILTER (WHERE role IN ('owner', 'split')), 0),
       coalesce(sum(amount) FILTER (WHERE role = 'rollup'), 0),
       max(closed_on) FILTER (WHERE role IN ('owner', 'split') AND reverses IS NULL
                                AND amount > 0)
  FROM credits
 WHERE origin_period = %(period_id)s
   AND account_id IN (SELECT account_id FROM accounts WHERE payee_id = ANY(%(payee_ids)s))
 GROUP BY payee_id
"""


def own_deals(connection: Connection, payee_ids: Sequence[str], period_id: str) -> dict[str, Own]:
    """By payee; who has nothing has no row."""
    given = {"payee_ids": list(payee_ids), "period_id": period_id}
    return {row[0]: Own(*row[1:]) for row in connection.execute(OWN, given)}


HELD: Final[LiteralString] = """
SELECT source || ':' || payee_key, count(*) FROM holds
 WHERE source || ':' || payee_key = ANY(%(keys)s) GROUP BY 1
"""


def held(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """How many shares wait, by "source:key" of whom they name."""
    return dict(connection.execute(HELD, {"keys": list(keys)}).fetchall())


MARK: Final[LiteralString] = """
SELECT (SELECT coalesce(sum(next_offset), 0) FROM partitions)::bigint
     + (SELECT coalesce(sum(version), 0) FROM alerts)::bigint
     + (SELECT count(*) FROM alert_acknowledgements)
"""


def mark(connection: Connection) -> int:
    """A number that rises with every record that is booked, every event of an alert, and every
    acknowledgement, of whomever: what a team shows may differ only where it has risen."""
    row = connection.execute(MARK).fetchone()
    assert row is not None
    return int(row[0])
