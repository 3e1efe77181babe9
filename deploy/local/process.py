"""Long-running programs: started apart from our terminal, recognised again later, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.errors import Failed

POLL_SECONDS = 0.05
LOG_TAIL_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Service:
    """A program we started: `born` tells it from a later one that was given the same pid."""

    name: str
    pid: int
    born: str
    port: int
    detail: str = ""


def birth(pid: int) -> str | None:
    """A mark of the running process `pid` that no other process has, or None when it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id")
        if fields[0] == "Z":
            reap(pid)
            return None
        return f"{boot.read_text().strip()}:{fields[19]}"
    found = subprocess.run(
        ["ps", "-p", str(pid), "-o", "stat=,lstart="], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(found) < 2 or found[0].startswith("Z") else found[1].strip()


def reap(pid: int) -> None:
    """Let go of a dead child of ours; while it is a zombie its pid looks taken to PostgreSQL."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def is_alive(service: Service) -> bool:
    return birth(service.pid) == service.born


def spawn(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    log: Path,
    environ: Mapping[str, str] | None = None,
    detail: str = "",
) -> Service:
    """Start `command` in a session of its own, so that Ctrl-C in a terminal does not reach it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        command[0],
        list(command),
        dict(os.environ if environ is None else environ),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Service(name=name, pid=pid, born=birth(pid) or "", port=port, detail=detail)


def await_ready(
    service: Service, is_ready: Callable[[], bool], *, log: Path, seconds_max: float = 60
) -> None:
    """Wait until `is_ready`; a program that dies or dawdles fails with the end of its log."""
    deadline = time.monotonic() + seconds_max
    while not is_ready():
        if not is_alive(service):
            raise Failed(f"{service.name} ended while starting; {log} says:\n{tail(log)}")
        if time.monotonic() > deadline:
            stop(service)
            raise Failed(
                f"{service.name} was not ready after {seconds_max:.0f} s; {log} says:\n{tail(log)}"
            )
        time.sleep(POLL_SECONDS)


def stop(service: Service, *, by: signal.Signals = signal.SIGTERM, seconds_max: float = 30) -> None:
    """Ask the program to end, wait for it, and kill its whole session when it does not."""
    if not is_alive(service):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(service.pid, by)
    deadline = time.monotonic() + seconds_max
    while is_alive(service):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGKILL)
            break
        time.sleep(POLL_SECONDS)
    reap(service.pid)


def remember(service: Service, folder: Path) -> None:
    """Write the service's state file in one step: a reader sees the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{service.name}.json"
    half.write_text(json.dumps(asdict(service), indent=2) + "\n")
    half.replace(folder / f"{service.name}.json")


def recall(name: str, folder: Path) -> Service | None:
    """What the state file says, whether or not the process still runs; None without a sound one."""
    try:
        return Service(**json.loads((folder / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget(name: str, folder: Path) -> None:
    (folder / f"{name}.json").unlink(missing_ok=True)


def free_port(preferred: int | None = None) -> int:
    """A TCP port of 127.0.0.1 that is free now; the preferred one when it is (addresses stay)."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Failed("no free TCP port on 127.0.0.1")


def answers(host: str, port: int, *, seconds_max: float = 3) -> bool:
    """Whether anything accepts a TCP connection there."""
    try:
        socket.create_connection((host, port), timeout=seconds_max).close()
    except OSError:
        return False
    return True


def tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "  (nothing)"
    return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])


def run_checked(
    command: Sequence[str],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Run a short program to its end and return its output; a failure carries its last lines."""
    done = subprocess.run(
        list(command),
        cwd=cwd,
        env=None if environ is None else dict(environ),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode != 0:
        last = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-LOG_TAIL_LINES:])
        raise Failed(f"{' '.join(command[:4])} ... ended with {done.returncode}:\n{last}")
    return done.stdout
