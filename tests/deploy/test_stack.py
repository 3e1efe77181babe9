"""The life of a stack: started once, reused, stopped by whom it belongs to, and durable."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from deploy.local import broker, database
from deploy.local.places import REPOSITORY, Places
from deploy.local.process import Service, is_alive, recall, remember
from deploy.local.stack import Stack, alive, down, running, status, up
from tests.deploy.conftest import command_line, local


def service_of(places: Places) -> Service:
    service = alive(places, database.NAME)
    assert service is not None
    return service


def test_the_wheel_really_is_postgresql_without_timescale(
    own_state: Places, wheel_only: dict[str, str]
) -> None:
    stack = up(own_state, wheel_only)
    assert (stack.database_kind, stack.started) == ("postgres", ("database",))
    assert "postgresql://" not in repr(stack)
    with psycopg.connect(stack.database_url) as connection:
        version = connection.execute("SHOW server_version_num").fetchone()
        assert version is not None
        assert int(version[0]) >= 17_00_00
        names = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
        assert connection.execute(names).fetchone() == (0,)


def test_the_database_asks_for_its_password(own_state: Places, wheel_only: dict[str, str]) -> None:
    url = up(own_state, wheel_only).database_url
    user, _, rest = url.partition("@")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"{user}x@{rest}")


def test_a_second_up_reuses_what_runs(own_state: Places, wheel_only: dict[str, str]) -> None:
    first = up(own_state, wheel_only)
    pid = service_of(own_state).pid
    second = up(own_state, wheel_only)
    assert second.started == ()
    assert second.database_url == first.database_url
    assert service_of(own_state).pid == pid


def test_down_stops_only_our_own_services(
    own_state: Places, wheel_only: dict[str, str], stack: Stack
) -> None:
    ours = up(own_state, wheel_only)
    assert down(own_state) == ("database",)
    assert down(own_state) == ()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(ours.database_url)
    psycopg.connect(stack.database_url).close()
    assert broker.speaks(int(stack.kafka.rpartition(":")[2]))


def test_after_kill_9_the_next_up_has_every_committed_row_at_the_same_address(
    own_state: Places, wheel_only: dict[str, str]
) -> None:
    first = up(own_state, wheel_only)
    with psycopg.connect(first.database_url) as connection:
        connection.execute("CREATE TABLE paid (amount numeric); INSERT INTO paid VALUES (482.76)")
    killed = service_of(own_state)
    os.kill(killed.pid, signal.SIGKILL)
    while is_alive(killed):
        time.sleep(0.01)
    second = up(own_state, wheel_only)
    assert second.started == ("database",)
    assert second.database_url == first.database_url
    with psycopg.connect(second.database_url) as connection:
        row = connection.execute("SELECT amount::text FROM paid").fetchone()
    assert row == ("482.76",)


def test_a_state_file_of_a_process_long_gone_is_seen_through(tmp_path: Path) -> None:
    places = Places.here(tmp_path)
    ours = os.getpid()  # alive, but born at another time than the file says
    stale = Service(name=database.NAME, pid=ours, born="another boot:1", port=1, detail="postgres")
    remember(stale, places.run)
    assert status(places) == {"kafka": None, "database": None}
    assert down(places) == ()
    (places.run / "kafka.json").write_text("{ half a file")
    assert recall("kafka", places.run) is None


def test_the_last_user_of_a_stack_stops_it(own_state: Places, wheel_only: dict[str, str]) -> None:
    with running(own_state, wheel_only) as outer:
        with running(own_state, wheel_only) as inner:
            assert (outer.started, inner.started) == (("database",), ())
        assert alive(own_state, database.NAME) is not None
    assert alive(own_state, database.NAME) is None


def test_a_stack_that_was_up_before_stays_up(own_state: Places, wheel_only: dict[str, str]) -> None:
    up(own_state, wheel_only)
    with running(own_state, wheel_only):
        pass
    assert alive(own_state, database.NAME) is not None


def test_two_ups_at_once_start_one_database(own_state: Places, wheel_only: dict[str, str]) -> None:
    command = command_line("--state", str(own_state.state), "stack", "up")
    both = [
        subprocess.Popen(command, cwd=REPOSITORY, env=wheel_only, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("started: database" in text for text in said) == [False, True]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_run_hands_on_the_exit_code_and_the_addresses(
    own_state: Places, wheel_only: dict[str, str], script: str, code: int
) -> None:
    command = ["sh", "-c", f'test -n "$PACEBOARD_SESSION_KEY" || exit 9; {script}']
    done = local(wheel_only, "--state", str(own_state.state), "run", "--", *command)
    assert done.returncode == code
    assert alive(own_state, database.NAME) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_then_the_services(
    own_state: Places, wheel_only: dict[str, str], number: signal.Signals
) -> None:
    """As a terminal does, SIGINT goes to the whole group; SIGTERM to the wrapper alone."""
    command = command_line("--state", str(own_state.state), "run", "--", "sleep", "60")
    wrapper = subprocess.Popen(command, cwd=REPOSITORY, env=wheel_only, start_new_session=True)
    deadline = time.monotonic() + 30
    while not children(wrapper.pid, "sleep") and time.monotonic() < deadline:
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(wrapper.pid, number)
    else:
        wrapper.send_signal(number)
    assert wrapper.wait(timeout=30) == 128 + number
    assert alive(own_state, database.NAME) is None
    log = (own_state.logs / "postgres.log").read_text()
    assert "database system is shut down" in log


def children(pid: int, name: str) -> list[str]:
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "comm="], capture_output=True, text=True, check=False
    )
    return [line for line in found.stdout.split() if line == name]


def test_a_command_that_does_not_exist_is_127(
    own_state: Places, wheel_only: dict[str, str]
) -> None:
    done = local(wheel_only, "--state", str(own_state.state), "run", "--", "no-such-command")
    assert done.returncode == 127
    assert "no such command: no-such-command" in done.stderr


def test_kafka_keeps_its_records_and_address_over_a_restart(
    own_state: Places, bare: dict[str, str], listener_url: str
) -> None:
    given = bare | {"PACEBOARD_DATABASE_URL": listener_url}
    first = up(own_state, given)
    cluster = (own_state.data / "kafka" / "meta.properties").read_text()
    assert first.started == ("kafka",)
    assert down(own_state) == ("kafka",)
    second = up(own_state, given)
    assert (second.kafka, second.started) == (first.kafka, ("kafka",))
    assert (own_state.data / "kafka" / "meta.properties").read_text() == cluster


@pytest.fixture
def listener_url(stack: Stack) -> str:
    return stack.database_url
