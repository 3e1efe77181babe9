"""The running product for tests that come from outside: its processes, and a deal sent by HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from schemas.settings import Settings
from tests.workers import WorkerProcess, wait_until

ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
)
PATIENCE_MS = 60_000


class Site(NamedTuple):
    """The running product."""

    settings: Settings
    address: str
    token: str
    worker: WorkerProcess


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def api(settings: Settings, port: int, log: Path) -> Iterator[str]:
    """`paceboard api` in a process of its own; its address."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "api", "--port", str(port)],
            env={**os.environ, **settings.values, "PACEBOARD_DEMO": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: _answers(address) or process.poll() is not None, "the API")
            assert process.poll() is None, log.read_text()
            yield address
        finally:
            process.terminate()
            process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def deal(key: str, amount: str, **fields: object) -> dict[str, object]:
    return {
        "source": "adventureworks",
        "key": key,
        "deal_id": f"adventureworks:{key}",
        "revision": 1,
        "changed_on": "2014-03-03",
        "status": "won",
        "amount": amount,
        "currency": "USD",
        "closed_on": "2014-03-03",
        "channel": "seller",
        "owner_key": "275",
        **fields,
    }


def post(address: str, token: str, body: object) -> dict[str, object]:
    request = urllib.request.Request(
        f"{address}/v1/deals",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
        found: dict[str, object] = json.load(answer)
        return found
