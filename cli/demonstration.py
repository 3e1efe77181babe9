"""The demo's own installation: a database and topics of its own, numbered, made afresh at the end.

When a replay has ended, the next demo takes the next number: a new database and new topics, so
nothing of the old ones (offsets, late messages) can touch the new run. The timeline is the number,
so that pages left open take a snapshot. The old ones are removed. A state folder of its own
(PACEBOARD_STATE) has names of its own, so that two demos can share one server.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cli import business, topic_admin
from cli.console import step
from cli.database import connected
from cli.locking import lock_one, open_before
from cli.sample import Orders, await_applied, load_company, load_orders, midnight
from cli.sample_replay import ends_at
from db import disposal, installation
from db.connect import Connection
from deploy.local.places import Places
from ingest import adventureworks as sample
from schemas.ids import digest
from schemas.settings import Settings

ACTOR: Final = "demo"
NUMBER: Final = "demo-number"
OWN_DEAL: Final = (  # of whoever watches: README.md shows the same
    '{"source": "adventureworks", "key": "MINE-1", "deal_id": "adventureworks:MINE-1", '
    '"revision": 1, "changed_on": "2014-03-03", "status": "won", "amount": "50000.00", '
    '"currency": "USD", "closed_on": "2014-03-03", "channel": "seller", "owner_key": "275"}'
)


def names(places: Places, number: int) -> dict[str, str]:
    """What tells one demo from another."""
    own = "" if places.is_main_state else f"{digest(str(places.state))[:8]}_"
    name = f"demo_{own}{number}"
    return {
        "PACEBOARD_DATABASE": f"paceboard_{name}",
        "PACEBOARD_TOPIC_PREFIX": f"paceboard-{name.replace('_', '-')}",
        "PACEBOARD_DEMO": "1",
    }


def curl(address: str, token: Path) -> str:
    """The command that posts a deal of one's own, ready to paste."""
    return (
        f'curl -X POST {address}/v1/deals -H "Authorization: Bearer $(cat {token})" \\\n'
        f"  -H 'Content-Type: application/json' -d '{OWN_DEAL}'"
    )


def number(places: Places) -> int:
    """The number of the present demo, from 1 on."""
    try:
        return int(_path(places).read_text())
    except (OSError, ValueError):
        return 1


def remember(places: Places, value: int) -> None:
    """Take this number from now on."""
    _path(places).parent.mkdir(parents=True, exist_ok=True)
    _path(places).write_text(f"{value}\n")


def has_ended(settings: Settings) -> bool:
    """Whether the replay of this demo has come to its end."""
    with connected(settings, "demo") as conn:
        if not is_loaded(conn):
            return False
        return business.read(conn).business >= ends_at(conn)


def is_loaded(conn: Connection) -> bool:
    """Whether the company and its history are in, and every period but the last is locked."""
    found = installation.find(conn)
    return (
        found is not None
        and found.reference_version > 0
        and not open_before(conn, sample.LAST_WINDOW_STARTS)
    )


def discard(settings: Settings) -> None:
    """Remove a demo's database and topics."""
    topic_admin.delete(settings)
    disposal.drop(settings)


def load_company_at_start(conn: Connection, *, number: int) -> None:
    """The company, with business time at the start of the last window. Can be repeated."""
    with step("sample company: people, quotas, plan, boards"):
        load_company(conn)
        while installation.read(conn).timeline < number:
            installation.raise_timeline(conn, actor=ACTOR, why="a new demo")
        _stand_at_start(conn)


def load_history(settings: Settings, conn: Connection, *, check: Callable[[], None]) -> None:
    """What was before the last window: credited, then locked. Can be repeated."""
    with step("history to Kafka") as progress:
        ends = load_orders(
            settings, Orders.HISTORY, progress=lambda count: progress.say(f"{count:,} orders")
        )
    with step("history credited") as progress:
        await_applied(settings, conn, ends, say=progress.say, check=check)
    earlier = open_before(conn, sample.LAST_WINDOW_STARTS)
    with step(f"{len(earlier)} earlier periods locked") as progress:
        for period_id in earlier:
            check()
            progress.say(period_id)
            lock_one(conn, settings, period_id, say=progress.say, actor=ACTOR)


def _stand_at_start(conn: Connection) -> None:
    """Business time stands at the start of the last window until the replay begins."""
    start: dt.datetime = midnight(sample.LAST_WINDOW_STARTS)
    if business.read(conn).business != start:
        business.set_clock(conn, business=start, rate=business.PAUSED, by=ACTOR)


def _path(places: Places) -> Path:
    return places.state / NUMBER
