"""The tutorial word by word: each of its commands is run and prints what it says."""

from __future__ import annotations

import datetime as dt
import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cli import business
from cli.commands.token import bearer_for
from cli.sample import Orders, load_company, load_orders
from deploy.local.stack import Stack
from ingest import adventureworks
from schemas.settings import Settings
from tests.database import connected, copied
from tests.e2e.support import Site, api, free_port
from tests.services import unique_name
from tests.workers import settle, with_topics, worker

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
STEP = re.compile(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"
TOKEN = ".paceboard/demo-token"
LOCKED = "2013-11-30"
MARCH = dt.datetime(2014, 3, 3, 11, tzinfo=ZoneInfo(adventureworks.TIME_ZONE))


@pytest.fixture(scope="module")
def site(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """What the demo leaves: the history loaded, earlier periods locked, a token in a file."""
    folder = tmp_path_factory.mktemp("tutorial")
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("tutorial"))
        with connected(settings, "api") as conn:
            load_company(conn)
            business.set_clock(conn, business=MARCH, rate=Decimal(0), by="test")
        load_orders(settings, Orders.HISTORY)
        admin = adventureworks.ADMINISTRATORS[0]
        token = bearer_for(settings, admin, scopes=("deals:write",), hours=1)
        with (
            worker(settings, folder / "worker.log") as process,
            api(settings, free_port(), folder / "api.log") as address,
        ):
            settle(settings, process)
            _lock_until(settings, LOCKED)
            yield Site(settings, address, token, process)


def _lock_until(settings: Settings, last: str) -> None:
    from cli.locking import lock_one, open_before

    with connected(settings, "api") as conn:
        for period in open_before(conn, MARCH.date()):
            lock_one(conn, settings, period, say=lambda _: None, actor="test")
            if period == last:
                return


def test_the_tutorial_runs_word_by_word(site: Site, tmp_path: Path) -> None:
    """In its order, in one folder, with the commands as they stand there."""
    (tmp_path / ".paceboard").mkdir()
    (tmp_path / TOKEN).write_text(site.token)
    environment = {
        **os.environ,
        **site.settings.values,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    steps = STEP.findall(TUTORIAL.read_text())
    assert len(steps) >= 6
    for command, expected in steps:
        done = subprocess.run(
            ["bash", "-c", command.replace(ADDRESS, site.address)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        same = doctest.OutputChecker().check_output(
            expected, done.stdout + ("" if done.stdout.endswith("\n") else "\n"), FLAGS
        )
        assert same, f"{command}\nprinted:\n{done.stdout}\nand not:\n{expected}"


FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
