"""`make bench-files`: a file of 100,000 rows through the API, and the lists on what it leaves.

Prints seconds and memory of the dry run and of the load beside a bare baseline (the same file read
by `csv` and decoded into deals, nothing else), and milliseconds of each list, medians of 30.
"""

import csv
import datetime as dt
import io
import os
import platform
import secrets
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

import httpx
import msgspec
from kafka.admin import KafkaAdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from api import sessions
from api.sessions import UserRole
from bench import company
from bench.__main__ import WORKER
from db import clock, disposal
from db.connect import connect
from db.migrate import migrate
from schemas.messages import DealChanged
from schemas.settings import DatabaseRole, Settings
from schemas.topics import TOPICS

ROWS: Final = int(os.environ.get("PACEBOARD_BENCH_ROWS", "100000"))
TIMES: Final = 30
PORT: Final = 8099
LOG: Final = os.environ.get("PACEBOARD_BENCH_LOG", os.devnull)  # of the worker and the API
FIELDS: Final = (
    *("key", "revision", "changed_on", "status", "amount", "currency", "closed_on", "owner_key"),
)
LISTS: Final = (
    ("deals, newest", "/v1/deals"),
    ("deals of a seller", "/v1/deals?payee_id=p-s7"),
    ("a deal by its key", f"/v1/deals?q={ROWS - 1}"),
    ("a deal's receipt", f"/v1/deals/{company.SOURCE}:{ROWS - 1}"),
    ("credits of a seller", "/v1/credits?payee_id=p-s7"),
    ("a statement", "/v1/payees/p-s7/statements/2026"),
    ("its lines", "/v1/payees/p-s7/statements/2026/lines"),
    ("the feed of a manager", "/v1/payees/p-m0/feed"),
    ("his team", "/v1/payees/p-m0/team"),
    ("held shares, summed", "/v1/held/summary"),
    ("the admin's first page", "/v1/admin"),
    ("a period's lock", "/v1/periods/2026/lock"),
)
console = Console(stderr=True)


def main() -> None:
    """Measured once; then the table."""
    name = f"bench_{secrets.token_hex(4)}"
    settings = Settings.from_environment().but(
        PACEBOARD_DATABASE=name, PACEBOARD_TOPIC_PREFIX=name, PACEBOARD_RATE_READS="1000/1000"
    )
    migrate(settings)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    admin.create_topics([NewTopic(t.full_name(name), t.partitions, 1) for t in TOPICS])
    admin.wait_for_topics([t.full_name(name) for t in TOPICS])
    try:
        company.install(settings)
        with connect(settings, DatabaseRole.API, application_name="bench", autocommit=True) as conn:
            now = dt.datetime.now(dt.UTC)
            clock.append(conn, real=now, business=now, rate=Decimal(1), set_by="bench")
        content = _file()
        with (
            _running(settings, "-c", WORKER),
            _running(settings, "-m", "cli.main", "api", "--port", str(PORT)) as api,
            _client(settings) as client,
        ):
            _report(content, *_loaded(client, content), _peak_mb(api.pid), _lists(client))
    finally:
        admin.delete_topics([t.full_name(name) for t in TOPICS])
        admin.close()
        disposal.drop(settings)


def _file() -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, extrasaction="ignore")
    writer.writeheader()
    for deal in company.deals(ROWS):
        row = msgspec.to_builtins(deal)
        writer.writerow({**row, "owner_key": row["splits"][0]["payee_key"]})
    return text.getvalue().encode()


def _bare(content: bytes) -> float:
    started = time.perf_counter()
    for row in csv.DictReader(io.StringIO(content.decode())):
        deal = {**row, "source": company.SOURCE, "deal_id": f"{company.SOURCE}:{row['key']}"}
        msgspec.convert(deal, DealChanged, strict=False)
    return time.perf_counter() - started


@contextmanager
def _running(settings: Settings, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        open(LOG, "ab") as log,
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **settings.values},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def _client(settings: Settings) -> Iterator[httpx.Client]:
    token = sessions.mint(
        settings.session_key,
        user_id="bench",
        role=UserRole.ADMIN,
        payee_id=None,
        scopes=(),
        now=dt.datetime.now(dt.UTC),
        seconds=7_200,
    )
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", headers=headers, timeout=120) as client:
        until = time.monotonic() + 60
        while True:
            try:
                if client.get("/readyz").is_success:
                    break
            except httpx.HTTPError:
                pass
            assert time.monotonic() < until, "the API does not answer"
            time.sleep(0.1)
        yield client


def _loaded(client: httpx.Client, content: bytes) -> tuple[float, float]:
    """Seconds of the dry run, and of the load until all is booked."""
    mapping = {"source": company.SOURCE, "columns": {name: name for name in FIELDS}}
    started = time.perf_counter()
    sent = client.post(
        "/v1/imports/deals",
        params={"file_name": "deals.csv", "mapping": msgspec.json.encode(mapping).decode()},
        content=content,
        headers={"Content-Type": "text/csv"},
    ).raise_for_status()
    path = f"/v1/imports/{sent.json()['import_id']}"
    _until(client, path, "checked")
    checked = time.perf_counter()
    client.post(f"{path}/commit").raise_for_status()
    _until(client, path, "done")
    return checked - started, time.perf_counter() - checked


def _until(client: httpx.Client, path: str, state: str) -> None:
    while (found := client.get(path).raise_for_status().json())["state"] != state:
        assert found["state"] != "failed", found["problem"]
        console.print(f"  {found['state']}: {found['done_rows']:,} rows", end="\r")
        time.sleep(0.5)


def _peak_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1_024


def _lists(client: httpx.Client) -> list[tuple[str, float, float]]:
    """What, median and slowest milliseconds."""
    found = []
    for what, path in LISTS:
        client.get(path).raise_for_status()
        took = []
        for _ in range(TIMES):
            started = time.perf_counter()
            client.get(path).raise_for_status()
            took.append((time.perf_counter() - started) * 1_000)
        found.append((what, statistics.median(took), max(took)))
    return found


def _report(
    content: bytes, dry: float, load: float, peak: float, lists: list[tuple[str, float, float]]
) -> None:
    bare = _bare(content)
    table = Table(
        title=f"{dt.datetime.now(dt.UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores,"
        f" {ROWS:,} rows"
    )
    for column in ("what", "measured", "of bare / slowest"):
        table.add_column(column)
    table.add_row("bare: csv and decode", f"{bare:.1f} s", "1")
    table.add_row("dry run with its money", f"{dry:.1f} s", f"{dry / bare:.0f}")
    table.add_row("load until booked", f"{load:.1f} s", f"{load / bare:.0f}")
    table.add_row("peak memory of the API", f"{peak:,.0f} MB", "")
    for what, median, slowest in lists:
        table.add_row(what, f"{median:.1f} ms", f"{slowest:.0f} ms")
    Console().print(table)


if __name__ == "__main__":
    main()
