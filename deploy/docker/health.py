"""Health checks that run inside a container, by the standard library alone.

python -m deploy.docker.health api       /readyz answers 200
python -m deploy.docker.health worker    connections to Kafka and to the database stand, and both
                                         of its processes have had a turn lately
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

API_URL = "http://127.0.0.1:8080/readyz"
WORKER_URLS = ("http://127.0.0.1:9102/metrics", "http://127.0.0.1:9103/metrics")
BEAT = b"paceboard_beat_timestamp_seconds"
BEAT_SECONDS_MAX = 30
ESTABLISHED = "01"


def is_api_ready(url: str = API_URL) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def is_beating(url: str) -> bool:
    """Whether the process's event loop has had its turn lately: one that hangs has not."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            values = [line.split()[1] for line in answer if line.startswith(BEAT + b" ")]
    except (urllib.error.URLError, OSError):
        return False
    return bool(values) and time.time() - float(values[0]) < BEAT_SECONDS_MAX


def is_worker_connected(kafka: str, database_url: str) -> bool:
    """A worker that lost either service, or never reached it, has no connection to its port."""
    wanted = {
        int(kafka.split(",", maxsplit=1)[0].rpartition(":")[2]),
        urlsplit(database_url).port or 5432,
    }
    return wanted <= connected_ports()


def connected_ports() -> set[int]:
    """The remote ports of every established TCP connection of this container."""
    ports: set[int] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        rows = table.read_text().splitlines()[1:] if table.exists() else []
        fields = (row.split() for row in rows)
        ports |= {int(row[2].rpartition(":")[2], 16) for row in fields if row[3] == ESTABLISHED}
    return ports


def is_healthy(process: str) -> bool:
    match process:
        case "api":
            return is_api_ready()
        case "worker":
            kafka, database = os.environ["PACEBOARD_KAFKA"], "PACEBOARD_WORKER_DATABASE_URL"
            is_connected = is_worker_connected(kafka, os.environ[database])
            return is_connected and all(map(is_beating, WORKER_URLS))
        case _:
            raise SystemExit(f"no health check for {process!r}")


if __name__ == "__main__":
    sys.exit(0 if is_healthy(sys.argv[1]) else 1)
