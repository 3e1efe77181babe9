"""State folders of these tests' own, beside the real downloads: no test touches the main stack."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.places import REPOSITORY, Places
from deploy.local.stack import DATABASE_VARIABLE, KAFKA_VARIABLE, Stack, down


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.local", *arguments]


def local(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        command_line(*arguments),
        cwd=REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for all tests: to make a new database in each would take most of their time."""
    folder = tmp_path_factory.mktemp("stack") / "state"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_state(state_folder: Path) -> Iterator[Places]:
    """The real downloads with a state of our own; whatever a test leaves running is stopped."""
    places = Places.here(state_folder)
    yield places
    down(places)
    shutil.rmtree(places.logs, ignore_errors=True)


@pytest.fixture
def bare() -> dict[str, str]:
    """Our environment without any address of a service."""
    given = {KAFKA_VARIABLE, DATABASE_VARIABLE}
    return {name: value for name, value in os.environ.items() if name not in given}


@pytest.fixture
def wheel_only(bare: dict[str, str], stack: Stack) -> dict[str, str]:
    """Kafka is given, the database is the wheel: the quickest stack that has a server to start."""
    return bare | {KAFKA_VARIABLE: stack.kafka, "PACEBOARD_LOCAL_DATABASE": "wheel"}
