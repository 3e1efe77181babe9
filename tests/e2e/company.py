"""The sample company with its history, running, in the middle of its last window."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from cli import business
from cli.commands.token import bearer_for
from cli.sample import Orders, load_company, load_orders
from deploy.local.stack import Stack
from ingest import adventureworks
from tests.database import connected, copied
from tests.e2e.support import Site, api, deal, free_port, post
from tests.services import unique_name
from tests.workers import settle, wait_until, with_topics, worker

ZONE = ZoneInfo(adventureworks.TIME_ZONE)
APRIL = dt.datetime(2014, 4, 15, 11, tzinfo=ZONE)  # a Tuesday; half of the quota is expected
SELLER, COLLEAGUE = adventureworks.payee_id("275"), adventureworks.payee_id("276")
MANAGER = adventureworks.payee_id("274")
ADMINISTRATOR = adventureworks.ADMINISTRATORS[0]


@contextmanager
def sample_site(stack: Stack, template: str, folder: Path) -> Iterator[Site]:
    """All are off pace; one deal of SELLER's came by HTTP, and one of whom nobody knows."""
    with copied(stack, template) as given:
        settings = with_topics(given, unique_name("sample"))
        with connected(settings, "api") as conn:
            load_company(conn)
            business.set_clock(conn, business=APRIL, rate=Decimal(0), by="test")
        token = bearer_for(settings, ADMINISTRATOR, scopes=("deals:write",), hours=1)
        load_orders(settings, Orders.HISTORY)
        with worker(settings, folder / "history.log") as process:
            settle(settings, process)
        # Anew, so that nobody keeps last year's shape as it was while last year came in.
        with (
            worker(settings, folder / "worker.log") as process,
            api(settings, free_port(), folder / "api.log") as address,
        ):
            post(address, token, deal("SO69393", "32184.03", closed_on="2014-04-14"))
            post(
                address,
                token,
                deal("SO69394", "100.00", closed_on="2014-04-14", owner_key="9999"),
            )
            settle(settings, process)
            yield Site(settings, address, token, process)


def next_days(site: Site, first: int) -> None:
    """Two working days of April, each long enough for everybody to be looked at."""
    for day in (first, first + 1):
        with connected(site.settings, "api") as conn:
            at = dt.datetime(2014, 4, day, 11, tzinfo=ZONE)
            business.set_clock(conn, business=at, rate=Decimal(0), by="test")
        wait_until(lambda day=day: _looked_at(site, day), f"the look of 2014-04-{day}")


def _looked_at(site: Site, day: int) -> bool:
    with connected(site.settings, "api") as conn:
        row = conn.execute(
            "SELECT evaluated_on FROM alerts WHERE payee_id = %s ORDER BY period_id DESC LIMIT 1",
            (SELLER,),
        ).fetchone()
    return row is not None and row[0] == dt.date(2014, 4, day)
