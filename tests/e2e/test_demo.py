"""`paceboard demo` as a person runs it: what it prints works, Ctrl-C ends all, the next goes on."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from cli import business, demonstration
from db import periods
from deploy.local.places import STATE_VARIABLE, Places
from deploy.local.stack import Stack
from ingest import adventureworks as sample
from schemas.settings import Settings
from tests.database import connected, settings_for
from tests.workers import ends_of, is_settled, wait_until

RATE = 10_000  # under the rate that jumps over whole days: there is time to pause
HISTORY_WINDOWS = 11
INTERRUPTED = 130
STOP_SECONDS_MAX = 60
SELLER = sample.payee_id("275")
OWN_AMOUNT = Decimal(50_000)
ADDRESS = re.compile(r"leaderboard\s+(http://\S+)/")
CURL = re.compile(r"^curl .*?\\\n.*?'$", re.MULTILINE)
OWNER_CREDITS = "SELECT sum(amount) FROM credits WHERE role = 'owner' AND closed_on < %s"
SELLERS_CREDITS = """
    SELECT coalesce(sum(amount), 0) FROM credits
    WHERE payee_id = %s AND role = 'owner' AND closed_on >= %s
"""
OWN_CREDIT = """
    SELECT sum(amount) FROM credits WHERE deal_id = 'adventureworks:MINE-1' AND role = 'owner'
"""


class Demo(NamedTuple):
    """A running demo: its state folder, its settings, the process and what it has said."""

    state: Path
    settings: Settings
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def await_said(self, what: re.Pattern[str]) -> tuple[re.Match[str], float]:
        """What it has said, and the seconds until it did."""
        seconds = wait_until(
            lambda: bool(what.search(self.said())) or self.process.poll() is not None,
            what.pattern,
        )
        found = what.search(self.said())
        assert found, f"the demo ended with {self.process.poll()}:\n{self.said()}"
        return found, seconds

    def interrupt(self) -> float:
        """Ctrl-C; the seconds until everything was gone."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(STOP_SECONDS_MAX) == INTERRUPTED, self.said()
        assert of_state(self.state) == []
        return time.monotonic() - started


@pytest.fixture
def given(stack: Stack, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a demo in a state folder of its own; what it made on the stack is removed."""
    names = demonstration.names(Places.here(tmp_path), 1)
    settings = settings_for(stack, "").but(**names)
    try:
        yield settings
    finally:
        demonstration.discard(settings)


@contextmanager
def demo(settings: Settings, state: Path, log: Path) -> Iterator[Demo]:
    """`paceboard demo`; whatever a failing test leaves of it is killed."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "demo", "--rate", str(RATE)],
            env={**os.environ, **settings.values, STATE_VARIABLE: str(state)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Demo(state, settings, process, log)
    finally:
        for pid in of_state(state):
            os.kill(pid, signal.SIGKILL)
        process.wait(STOP_SECONDS_MAX)


def of_state(state: Path) -> list[int]:
    """Every process that was started, by whomever, with that state folder in its environment."""
    mark = f"{STATE_VARIABLE}={state}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # gone, or not ours
            continue
    return found


def amount_of(address: str, state: Path) -> Decimal:
    """What the board says of the seller."""
    request = urllib.request.Request(
        f"{address}/v1/boards/reps/standings",
        headers={"Authorization": f"Bearer {(state / 'demo-token').read_text().strip()}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        rows = json.load(answer)["board"]["rows"]
    return next(Decimal(row["amount"]) for row in rows if row["payee_id"] == SELLER)


def pause(settings: Settings) -> dt.datetime:
    """Stop business time once it runs, and see that it stays: the replay may set it just then."""
    with connected(settings, "api") as conn:
        wait_until(lambda: business.read(conn).rate != business.PAUSED, "the replay")
        while business.read(conn).rate != business.PAUSED:
            now = business.read(conn)
            business.set_clock(conn, business=now.business, rate=business.PAUSED, by="test")
            time.sleep(0.5)
        return business.read(conn).business


def at_rest(settings: Settings, address: str, state: Path) -> Decimal:
    """The seller's amount once all that was sent is on the board: what the ledger credits him."""
    ends = ends_of(settings)
    with connected(settings, "api") as conn:
        wait_until(lambda: is_settled(conn, ends, "next_offset"), "settled topic")
        found = conn.execute(SELLERS_CREDITS, (SELLER, sample.LAST_WINDOW_STARTS)).fetchone()
    credited = Decimal(found[0]) if found else Decimal(0)
    wait_until(lambda: amount_of(address, state) == credited, f"{credited} on the board")
    return credited


def owned_before_the_last_window() -> Decimal:
    """The sellers' orders of the file."""
    return sum(
        (
            Decimal(deal.amount or "")
            for deal in sample.deals()
            if deal.channel == "seller"
            and deal.closed_on is not None
            and deal.closed_on < sample.LAST_WINDOW_STARTS
        ),
        Decimal(),
    )


def say(text: str) -> None:
    print(text)  # noqa: T201


def test_the_demo_from_nothing_to_a_deal_of_ones_own_and_again(
    given: Settings, tmp_path: Path
) -> None:
    """History credited and locked; the printed curl moves the row; Ctrl-C; the next goes on."""
    with demo(given, tmp_path, tmp_path / "first.log") as first:
        command, seconds = first.await_said(CURL)
        say(f"from nothing to the address: {seconds:.1f} s")
        address = first.await_said(ADDRESS)[0][1]
        stood_at = pause(given)
        with connected(given, "api") as conn:
            assert len(periods.locks(conn)) == HISTORY_WINDOWS
            credited = conn.execute(OWNER_CREDITS, (sample.LAST_WINDOW_STARTS,)).fetchone()
            assert credited == (owned_before_the_last_window(),)
        before = at_rest(given, address, tmp_path)
        started = time.monotonic()
        posted = subprocess.run(
            command[0], shell=True, capture_output=True, text=True, check=False, timeout=60
        )
        assert '"accepted"' in posted.stdout, posted
        wait_until(
            lambda: amount_of(address, tmp_path) == before + OWN_AMOUNT,
            f"{before + OWN_AMOUNT} on the board",
        )
        say(f"curl to the board's new amount: {(time.monotonic() - started) * 1000:.0f} ms")
        say(f"Ctrl-C to the end of all: {first.interrupt():.1f} s")
    with demo(given, tmp_path, tmp_path / "second.log") as second:
        ready, seconds = second.await_said(ADDRESS)
        say(f"second start to the address: {seconds:.1f} s")
        assert "history" not in second.said()
        with connected(given, "api") as conn:
            assert business.read(conn).business >= stood_at
            assert conn.execute(OWN_CREDIT).fetchone() == (OWN_AMOUNT,)
            wait_until(lambda: business.read(conn).business > stood_at, "the replay to go on")
        assert amount_of(ready[1], tmp_path) >= before + OWN_AMOUNT
        second.interrupt()
