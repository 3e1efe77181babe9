"""What comes from Debian: programs by apt-get, and the root that TimescaleDB runs in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deploy.local import say
from deploy.local.errors import Failed, Missing
from deploy.local.places import Places
from deploy.local.process import run_checked
from deploy.local.say import Progress
from deploy.local.stamps import Stamp
from deploy.local.versions import DEBIAN_SUITE, POSTGRES_MAJOR, TIMESCALEDB

PROGRAMS = {"java": "default-jre-headless", "mvn": "maven", "debootstrap": "debootstrap"}
TEST_PROGRAMS = {"chromium": "chromium"}
ROOT_PACKAGES = f"postgresql-{POSTGRES_MAJOR},postgresql-{POSTGRES_MAJOR}-timescaledb"


def packages(progress: Progress, *, is_for_tests: bool) -> None:
    """Install the programs this machine lacks, where we may; later steps name what is missing."""
    wanted = PROGRAMS | (TEST_PROGRAMS if is_for_tests else {})
    lacking = [package for program, package in wanted.items() if shutil.which(program) is None]
    if not lacking:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        say.line(f"  not installed (no root, or no apt-get): {' '.join(lacking)}")
        return
    with progress.step(f"Debian packages: {' '.join(lacking)}"):
        apt_get("update")
        apt_get("install", "--no-install-recommends", *lacking)


def apt_get(*arguments: str) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_checked(["apt-get", "-y", "-q", *arguments], environ=environ)


def missing(program: str, what: str) -> Missing:
    return Missing(what, f"apt-get install {(PROGRAMS | TEST_PROGRAMS)[program]}")


def timescale_root(places: Places, progress: Progress) -> None:
    """Made beside its place and moved there in one step; the data of an older root moves along."""
    root = places.timescale_root
    stamp = Stamp.of(places, "timescale", DEBIAN_SUITE, ROOT_PACKAGES, TIMESCALEDB)
    if stamp.is_fresh and root.exists():
        return
    fresh = root.with_name("timescale.new")
    with progress.step("TimescaleDB (a Debian root)"):
        shutil.rmtree(fresh, ignore_errors=True)
        include = f"--include={ROOT_PACKAGES}"
        mirror = [word for word in (os.environ.get("PACEBOARD_DEBIAN_MIRROR"),) if word]
        command = ["debootstrap", "--variant=minbase", include, DEBIAN_SUITE, str(fresh), *mirror]
        run_checked(command, log=places.logs / "setup-timescale.log")
        check_version(fresh)
        shutil.rmtree(fresh / "var/cache/apt", ignore_errors=True)
        keep_data(root, fresh)
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)
    stamp.press()


def check_version(root: Path) -> None:
    """Debian may move to another TimescaleDB; the tests were made with one, so say so."""
    found = next(
        (root / f"usr/share/postgresql/{POSTGRES_MAJOR}/extension").glob(
            f"timescaledb--{TIMESCALEDB}.sql"
        ),
        None,
    )
    if found is None:
        raise Failed(
            f"Debian {DEBIAN_SUITE} no longer has TimescaleDB {TIMESCALEDB}: set the new "
            "version in deploy/local/versions.py, and run the tests"
        )


def keep_data(old: Path, new: Path) -> None:
    data = Path("var/lib/paceboard")
    if (old / data).exists():
        (old / data).rename(new / data)
