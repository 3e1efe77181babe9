"""Which services are chosen, in which order, and what is said when one is missing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import database
from deploy.local.errors import Failed, Missing
from deploy.local.places import REPOSITORY, STATE_VARIABLE, Places
from deploy.local.stack import given_database, given_kafka, up
from tests.deploy.conftest import command_line, local

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop being root")


@pytest.fixture
def listener() -> Iterator[str]:
    """An address of 127.0.0.1 where something accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nothing_made(tmp_path: Path) -> Places:
    """A checkout in which set-up never ran."""
    return Places(repository=REPOSITORY, made=tmp_path, state=tmp_path)


def test_addresses_of_the_environment_come_before_local_services(
    listener: str, nothing_made: Places
) -> None:
    url = f"postgresql://someone:secret@{listener}/paceboard"
    stack = up(nothing_made, {"PACEBOARD_KAFKA": listener, "PACEBOARD_DATABASE_URL": url})
    assert (stack.kafka, stack.database_url, stack.database_kind) == (listener, url, "given")
    assert stack.started == ()
    assert "given by PACEBOARD_KAFKA" in stack.why
    assert "given by PACEBOARD_DATABASE_URL" in stack.why


def test_the_state_folder_can_be_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STATE_VARIABLE, raising=False)
    assert Places.here().is_main_state
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "given"))
    assert Places.here().state == tmp_path / "given"
    assert Places.here(tmp_path / "said").state == tmp_path / "said"  # the option comes first


def test_nothing_given_is_no_choice() -> None:
    assert given_kafka({}) is None
    assert given_database({"PACEBOARD_DATABASE_URL": ""}) is None


def test_a_given_address_that_is_silent_is_named_and_its_password_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Failed, match=f"PACEBOARD_KAFKA=127.0.0.1:{port}"):
        given_kafka({"PACEBOARD_KAFKA": f"127.0.0.1:{port}"})
    with pytest.raises(Failed, match=f"127.0.0.1:{port}") as refused:
        given_database({"PACEBOARD_DATABASE_URL": f"postgresql://u:secret@127.0.0.1:{port}/d"})
    assert "secret" not in str(refused.value)


def test_the_wheel_is_taken_when_asked_for() -> None:
    choice = database.choose(Places.here(), {"PACEBOARD_LOCAL_DATABASE": "wheel"})
    assert choice.kind == "postgres"
    assert "PACEBOARD_LOCAL_DATABASE asks for it" in choice.why


def test_timescale_that_is_asked_for_is_never_replaced_by_the_wheel(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        database.choose(Places.here(tmp_path), {"PACEBOARD_LOCAL_DATABASE": "timescale"})


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(Failed, match="'timescale' or 'wheel'"):
        database.choose(Places.here(), {"PACEBOARD_LOCAL_DATABASE": "oracle"})


def test_before_set_up_the_message_names_set_up(nothing_made: Places) -> None:
    with pytest.raises(Missing) as missing:
        up(nothing_made, {})
    assert missing.value.remedy in ("make setup", "apt-get install default-jre-headless")


@is_root
def test_without_root_plain_postgresql_is_taken_and_the_reason_said(tmp_path: Path) -> None:
    seen = subprocess.run(
        ["unshare", "--user", "--map-user=1000", "--map-group=1000", "python3", "-c", NO_ROOT],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert seen.stdout.startswith("postgres PostgreSQL without TimescaleDB, since there is no root")


NO_ROOT = """
from deploy.local.database import choose
from deploy.local.places import Places
choice = choose(Places.here(), {})
print(choice.kind, choice.why)
"""


def test_a_missing_program_is_named_with_the_command_that_brings_it(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    programs = tmp_path / "bin"  # everything but Java
    programs.mkdir()
    for name in ("chroot", "env", "ps", "unshare"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    state = str(tmp_path / "state")
    done = local(bare | {"PATH": str(programs)}, "--state", state, "stack", "up")
    assert done.returncode == 1
    assert "missing: Java 17" in done.stderr
    assert "apt-get install default-jre-headless" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_of_a_stack_that_is_down_says_so_by_its_exit_code(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    done = subprocess.run(
        command_line("--state", str(tmp_path), "stack", "status"),
        cwd=REPOSITORY,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "kafka      down" in done.stderr
