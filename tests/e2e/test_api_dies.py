"""`kill -9` of the API while it loads a file or locks a period: nothing is lost, nothing twice."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from api import sessions
from api.sessions import UserRole
from deploy.local.stack import Stack
from schemas.settings import Settings
from tests.api.support import installed, set_clock
from tests.database import ADA, FIRST, connected, copied
from tests.e2e.support import free_port
from tests.services import unique_name
from tests.workers import WorkerProcess, settle, wait_until, with_topics, worker

ROWS = 10_000
FIELDS = ("key", "revision", "changed_on", "status", "amount", "currency", "closed_on", "owner_key")
AFTER_THE_PERIOD = dt.datetime(2024, 4, 15, 15, tzinfo=dt.UTC)


class Company(NamedTuple):
    settings: Settings
    worker: WorkerProcess
    folder: Path

    @contextmanager
    def api(self) -> Iterator[Server]:
        """A process of the API on the same port each time, killed at the end as by the kernel."""
        port = free_port()
        with (self.folder / "api.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "api", "--port", str(port)],
                env={**os.environ, **self.settings.values},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        token = sessions.mint(
            self.settings.session_key,
            user_id="ann",
            role=UserRole.ADMIN,
            scopes=(),
            now=dt.datetime.now(dt.UTC),
            seconds=3_600,
        )
        headers = {"Authorization": f"Bearer {token}"}
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
            try:
                wait_until(lambda: _is_ready(client), "the API")
                yield Server(client, process)
            finally:
                process.kill()
                process.wait(30)


class Server(NamedTuple):
    client: httpx.Client
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def load(self, content: bytes) -> str:
        """Tried out and committed; the address of the import."""
        mapping = {"source": "crm", "columns": {name: name for name in FIELDS}}
        sent = self.client.post(
            "/v1/imports/deals",
            params={"file_name": "deals.csv", "mapping": msgspec.json.encode(mapping).decode()},
            content=content,
            headers={"Content-Type": "text/csv"},
        ).raise_for_status()
        path = f"/v1/imports/{sent.json()['import_id']}"
        wait_until(lambda: self.get(path)["state"] == "checked", "the dry run")
        self.client.post(f"{path}/commit").raise_for_status()
        return path


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def company(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("dies")
    with copied(stack, migrated_template) as given:
        settings = with_topics(installed(given), unique_name("dies"))
        with worker(settings, folder / "worker.log") as process:
            yield Company(settings, process, folder)


def _file() -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(FIELDS)
    for number in range(ROWS):
        day = dt.date(2024, 1, 2) + dt.timedelta(days=number % 60)
        writer.writerow((f"D{number}", 1, day, "won", "1.01", "USD", day, "ada"))
    return text.getvalue().encode()


def _credited(company: Company) -> tuple[int, Decimal]:
    with connected(company.settings, "api") as conn:
        row = conn.execute(
            "SELECT count(*), coalesce(sum(amount), 0) FROM credits "
            "WHERE payee_id = %s AND role = 'owner'",
            (ADA,),
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_load_that_dies_is_given_up_in_words_and_counts_once_when_loaded_again(
    company: Company,
) -> None:
    """Killed between the first and the last row; then the same file once more."""
    with company.api() as server:
        path = server.load(_file())
        wait_until(lambda: server.get(path)["counts"]["sent"] > 0, "the first rows sent")
        server.process.kill()
    settle(company.settings, company.worker)
    before, _ = _credited(company)
    print(f"killed when {before} of {ROWS} rows were booked")  # noqa: T201
    with company.api() as server:
        wait_until(lambda: server.get(path)["state"] != "sending", "giving up")
        given_up = server.get(path)
        if given_up["state"] == "failed":  # not: all were sent before the kill
            assert "again" in given_up["problem"]
        again = server.load(_file())
        wait_until(lambda: server.get(again)["state"] == "done", "the load")
        assert server.get(again)["counts"]["unchanged"] == before
    settle(company.settings, company.worker)
    assert _credited(company) == (ROWS, Decimal("1.01") * ROWS)


def test_a_lock_that_dies_ends_when_it_is_asked_for_again(company: Company) -> None:
    """The period is open or locked, never in between; the frozen money is the ledger's."""
    with connected(company.settings, "api") as conn:
        set_clock(conn, AFTER_THE_PERIOD)
    path = f"/v1/periods/{FIRST}/lock"
    with company.api() as server:
        wait_until(lambda: server.get(path)["may_lock"], "a period that may be locked")
        server.client.post(path).raise_for_status()
        time.sleep(0.02)
        server.process.kill()
    with company.api() as server:
        found = server.get(path)
        print(f"killed when it was {found['state']}, {found['statements_frozen']} frozen")  # noqa: T201
        server.client.post(path).raise_for_status()
        wait_until(lambda: _is_frozen(server.get(path)), "the lock")
        found = server.get(path)
    with connected(company.settings, "api") as conn:
        row = conn.execute(
            "SELECT sum(earned) FROM ledger WHERE booking_period = %s", (FIRST,)
        ).fetchone()
    assert row is not None
    assert Decimal(found["earned"]) == row[0]


def _is_frozen(found: Any) -> bool:
    return found["state"] == "locked" and found["statements_frozen"] == found["accounts"] > 0
