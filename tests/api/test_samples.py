"""The sample consumers, run as they stand against a worker, a broker and a database.

Deals move between two sellers while they read. What they show is held to the ledger to the cent
(pay), and to what is possible at all (batch marks: law 11).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ingest.publish import publish_deals
from schemas.settings import Settings
from tests.api.support import Served, served, token
from tests.books import won
from tests.database import ADA, BEN, START, connected
from tests.workers import WorkerProcess, settle, wait_until, worker

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAMPLES = Path(__file__).resolve().parents[2] / "docs" / "samples"
DEALS = 8
MOVES = 12
EACH = Decimal(1_000)
OWNERS = (ADA, BEN)


@pytest.fixture(scope="module")
def running(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with worker(settings, tmp_path_factory.mktemp("samples") / "log") as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(settings: Settings, running: WorkerProcess) -> AsyncIterator[Served]:
    async with served(settings) as found:
        yield found


def send(settings: Settings, revision: int) -> None:
    """All deals, each with the owner whose turn it is."""
    owner = OWNERS[revision % 2]
    deals = [won(f"S{n}", str(EACH), START, owner=owner, revision=revision) for n in range(DEALS)]
    publish_deals(settings, deals, is_replay=False)


def command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, str(SAMPLES / program), *arguments]


def kafka(settings: Settings) -> tuple[str, str]:
    return settings.kafka, settings.topic_prefix


@contextmanager
def following(arguments: Sequence[str], out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A sample that runs on, its lines in a file."""
    with out.open("wb") as target:
        process = subprocess.Popen(arguments, stdout=target, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


async def test_batch_marks_never_show_an_impossible_number_while_deals_move(
    settings: Settings, running: WorkerProcess, tmp_path: Path
) -> None:
    """Each deal is worth 1,000 wherever it is: the total never falls, and is never in between."""
    send(settings, 1)
    settle(settings, running)
    out = tmp_path / "marks"
    with following(command("batch_marks.py", *kafka(settings), "--follow"), out):
        wait_until(lambda: len(lines(out)) >= 1, "the first state")
        for revision in range(2, MOVES + 2):
            send(settings, revision)
            time.sleep(0.05)
        settle(settings, running)
        last = OWNERS[(MOVES + 1) % 2]
        wait_until(lambda: _credited(lines(out)[-1], last) == EACH * DEALS, "the last state")
    totals = [sum(map(Decimal, json.loads(line)["credited"].values())) for line in lines(out)]
    print(f"{len(totals)} states shown while {DEALS * MOVES} deals moved")  # noqa: T201
    assert all(total % EACH == 0 for total in totals), totals
    assert totals == sorted(totals), "money was nowhere, or in two places, for a moment"
    assert totals[-1] == EACH * DEALS


def _credited(line: str, payee: str) -> Decimal:
    return Decimal(json.loads(line)["credited"].get(payee, "0"))


async def test_pay_rebuilt_from_accruals_agrees_with_the_statements(
    settings: Settings, running: WorkerProcess, api: Served
) -> None:
    """Every payee, period and component; and the statement over HTTP, to the cent."""
    send(settings, 100)
    settle(settings, running)
    done = subprocess.run(
        command("pay_from_accruals.py", *kafka(settings)),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    found = {(row[0], row[1], row[2]): Decimal(row[3]) for row in rows}
    with connected(settings, "api") as conn:
        booked = conn.execute(
            "SELECT payee_id, booking_period, component, sum(earned) FROM ledger GROUP BY 1, 2, 3"
        ).fetchall()
    assert found == {(row[0], row[1], row[2]): row[3] for row in booked}
    for payee in OWNERS:
        for period in {key[1] for key in found if key[0] == payee}:
            path = f"/v1/payees/{payee}/statements/{period}"
            earned = Decimal((await api.get(path, "ann")).json()["earned"])
            assert earned == sum(pay for key, pay in found.items() if key[:2] == (payee, period))


async def test_a_snapshot_and_the_tail_make_the_state(
    settings: Settings, running: WorkerProcess, api: Served, tmp_path: Path
) -> None:
    """What the sample says at the end is what the API says."""
    out = tmp_path / "tail"
    address = f"http://{api.host}"
    arguments = command(
        "snapshot_and_tail.py", address, token(settings, "ann"), ADA, *kafka(settings)
    )
    with following(arguments, out):
        await _until(lambda: bool(lines(out)))
        for revision in range(200, 204):
            await asyncio.to_thread(send, settings, revision)
        await asyncio.to_thread(settle, settings, running)
        progress = (await api.get(f"/v1/payees/{ADA}/progress", "ann")).json()["progress"]
        expected = sum(Decimal(part["earned"]) for part in progress["components"])
        await _until(lambda: Decimal(lines(out)[-1].split()[-1]) == expected)


async def test_the_live_sample_shows_a_newer_state(
    settings: Settings, running: WorkerProcess, api: Served, tmp_path: Path
) -> None:
    """A snapshot, then a greater version when a deal comes; a foreign channel is refused."""
    out = tmp_path / "live"
    address = f"ws://{api.host}"
    own = command("live_socket.py", address, token(settings, "ada"), f"payee:{ADA}")
    with following(own, out):
        await _until(lambda: bool(lines(out)))
        first = json.loads(lines(out)[0])
        await asyncio.to_thread(
            publish_deals, settings, [won("LIVE", "77.00", START)], is_replay=False
        )
        await _until(lambda: json.loads(lines(out)[-1])["version"] > first["version"])
    other = command("live_socket.py", address, token(settings, "ada"), f"payee:{BEN}")
    refused = await asyncio.to_thread(
        subprocess.run, other, capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 1 and "payee:" in refused.stderr


async def test_the_command_line_follows_a_payee(settings: Settings, running: WorkerProcess) -> None:
    """Each credit once, reversals with a minus; they sum to what stands credited."""
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        **settings.values,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
    }
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", str(SAMPLES / "follow.sh"), ADA, "--from-beginning", "--until-end"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=environment,
    )
    amounts = [Decimal(line.split()[2]) for line in done.stdout.splitlines()]
    with connected(settings, "api") as conn:
        row = conn.execute(
            "SELECT sum(amount), count(*) FROM credits WHERE payee_id = %s", (ADA,)
        ).fetchone()
    assert row is not None and (sum(amounts), len(amounts)) == row


async def _until(done: Any) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.05)
