"""The Docker files, held to the rest of the repository: there is no engine here to try them on."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.docker.health import (
    BEAT,
    BEAT_SECONDS_MAX,
    WORKER_URLS,
    is_api_ready,
    is_beating,
    is_worker_connected,
)
from deploy.local import broker, versions
from deploy.local.places import REPOSITORY, Places
from ingest import adventureworks
from streams import beat

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (REPOSITORY / "deploy/docker/Dockerfile").read_text()
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
COPIED = [
    source
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    for source in line.split()[:-1]
]
PACKAGES = ["api", "bench", "cli", "db", "deploy", "domain", "ingest", "schemas", "streams"]

each_service = pytest.mark.parametrize("name", SERVICES)


def is_one_shot(service: dict[str, Any]) -> bool:
    return bool(service.get("restart") == "no")


@each_service
def test_a_service_is_watched_or_runs_once(name: str) -> None:
    assert ("healthcheck" in SERVICES[name]) != is_one_shot(SERVICES[name])


@each_service
def test_a_service_waits_for_services_that_exist_by_what_they_can_show(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        once = is_one_shot(SERVICES[other])
        wanted = "service_completed_successfully" if once else "service_healthy"
        assert how["condition"] == wanted, other


@each_service
def test_a_volume_is_declared(name: str) -> None:
    used = {volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])}
    assert used <= set(COMPOSE["volumes"])


@each_service
def test_a_port_is_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_the_services_are_the_versions_that_the_tests_run_on() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{versions.KAFKA}"
    wanted = f"timescale/timescaledb:{versions.TIMESCALEDB}-pg{versions.POSTGRES_MAJOR}"
    assert SERVICES["timescaledb"]["image"] == wanted
    assert f"FROM node:{versions.NODE_MAJOR_MIN}-" in DOCKERFILE


def test_every_secret_comes_from_the_environment_and_is_listed_in_the_example() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()
    example = (REPOSITORY / "deploy/docker/env.example").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


@each_service
def test_no_password_is_written_down(name: str) -> None:
    from_environment = r"\$\{\w+:\?set it in \.env\}"
    for variable, value in SERVICES[name].get("environment", {}).items():
        if variable.endswith(("PASSWORD", "_KEY")):
            assert re.fullmatch(from_environment, value), variable
        if "://" in value and "@" in value:
            assert re.search(rf"://\w+:{from_environment}@", value), variable


def test_only_migrate_and_the_database_know_the_superuser() -> None:
    knowing = {name for name, service in SERVICES.items() if "SUPERUSER" in str(service)}
    assert knowing == {"migrate", "timescaledb"}


@pytest.mark.parametrize("source", COPIED)
def test_what_the_image_copies_exists(source: str) -> None:
    assert (REPOSITORY / source).exists()


def test_the_image_has_every_package_and_the_builder_is_sent_it() -> None:
    assert {f"{package}/" for package in PACKAGES} <= set(COPIED)
    sent = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {f"!{source.split('/')[0]}" for source in COPIED} <= set(sent)


@pytest.mark.parametrize("name", OURS)
def test_a_command_exists_in_the_command_line_and_takes_these_options(name: str) -> None:
    words = OURS[name]["command"]
    first_option = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    program = Places.here().venv / "bin" / "paceboard"
    helped = subprocess.run(
        [program, *words[:first_option], "--help"], capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0, helped.stderr
    for word in words[first_option:]:
        assert not word.startswith("--") or word in helped.stdout


def test_the_images_packages_are_a_part_of_the_tested_ones() -> None:
    tested = pins(REPOSITORY / "requirements.lock")
    shipped = pins(REPOSITORY / "deploy/docker/requirements.lock")
    assert shipped <= tested
    assert not {"pytest", "mypy", "ruff"} & {pin.split("==")[0] for pin in shipped}


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([\w.\[\],-]+==[^\s;]+)", lock.read_text(), re.MULTILINE))


def test_health_files_named_by_a_check_can_be_run() -> None:
    for name in ("api", "worker"):
        check = SERVICES[name]["healthcheck"]["test"]
        assert check[:4] == ["CMD", "python", "-m", "deploy.docker.health"]
        assert check[4] == name


ADDRESSES = {  # of a container, and of this machine
    *("controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs"),
}


def test_kafka_is_set_as_the_tests_run_it() -> None:
    text = broker.properties(Path("data"), port=1, controller_port=2)
    local = dict(line.split("=", 1) for line in text.splitlines())
    given = SERVICES["kafka"]["environment"]
    here = {name: given.get(f"KAFKA_{name.replace('.', '_').upper()}") for name in local}
    assert here.keys() >= ADDRESSES
    assert {n: v for n, v in here.items() if n not in ADDRESSES} == {
        n: v for n, v in local.items() if n not in ADDRESSES
    }


def test_the_demo_loads_the_sample_before_the_api_and_replays_by_hand() -> None:
    assert SERVICES["load"]["profiles"] == ["demo"]
    assert SERVICES["load"]["command"][:3] == ["load", "--sample", adventureworks.SOURCE]
    needed = SERVICES["api"]["depends_on"]["load"]
    assert needed["required"] is False  # in an installation of one's own there is none
    assert SERVICES["replay"]["profiles"] != SERVICES["load"]["profiles"]
    assert [name for name, one in SERVICES.items() if "profiles" in one] == ["load", "replay"]


def made_env(folder: Path, *arguments: str) -> dict[str, str]:
    """What make-env.sh writes in a copy of the repository's files."""
    place = folder / "deploy" / "docker"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("make-env.sh", "env.example"):
        shutil.copy(REPOSITORY / "deploy" / "docker" / name, place)
    subprocess.run(["sh", "deploy/docker/make-env.sh", *arguments], cwd=folder, check=True)
    file = folder / ".env"
    assert file.stat().st_mode & 0o077 == 0
    lines = [line.partition("=") for line in file.read_text().splitlines()]
    return {name: value for name, sign, value in lines if sign and name.isupper()}


def test_an_env_of_the_demo_is_the_sample_companys(tmp_path: Path) -> None:
    made = made_env(tmp_path, "demo")
    assert made["PACEBOARD_COMPANY"] == f"'{adventureworks.NAME}'"
    assert made["PACEBOARD_CURRENCY"] == adventureworks.CURRENCY
    assert made["PACEBOARD_TIME_ZONE"] == adventureworks.TIME_ZONE
    assert (made["COMPOSE_PROFILES"], made["PACEBOARD_DEMO"]) == ("demo", "1")


def test_an_env_has_secrets_of_its_own_and_is_never_overwritten(tmp_path: Path) -> None:
    made = made_env(tmp_path, "Northwind", "EUR", "Europe/Berlin")
    assert made["PACEBOARD_COMPANY"] == "'Northwind'"
    assert made["PACEBOARD_CURRENCY"] == "EUR"
    assert not {"COMPOSE_PROFILES", "PACEBOARD_DEMO"} & made.keys()
    secrets = [v for n, v in made.items() if n.endswith(("PASSWORD", "_KEY"))]
    assert len(set(secrets)) == len(secrets) == 6
    assert all(re.fullmatch("[0-9a-f]{64}", secret) for secret in secrets)
    for folder, company in ((tmp_path, "Other"), (tmp_path / "new", "O'Neil")):
        with pytest.raises(subprocess.CalledProcessError):
            made_env(folder, company)


@pytest.mark.parametrize(("status", "is_ready"), [(200, True), (503, False)])
def test_the_api_is_healthy_when_it_says_it_is_ready(status: int, is_ready: bool) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on the test's output."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request).start()
        assert is_api_ready(f"http://127.0.0.1:{server.server_port}/readyz") == is_ready


@pytest.mark.parametrize(("age_s", "turns"), [(1, True), (BEAT_SECONDS_MAX + 1, False)])
def test_a_worker_whose_loop_hangs_is_not_healthy(age_s: int, turns: bool) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"# HELP x\n%s %f\n" % (BEAT, time.time() - age_s))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on the test's output."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request).start()
        assert is_beating(f"http://127.0.0.1:{server.server_port}/metrics") == turns


def test_a_worker_that_does_not_answer_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not is_beating(f"http://127.0.0.1:{silent.getsockname()[1]}/metrics")


def test_the_check_asks_where_the_worker_answers() -> None:
    command = SERVICES["worker"]["command"]
    port = int(command[command.index("--metrics-port") + 1])
    assert tuple(f"http://127.0.0.1:{port + n}/metrics" for n in (0, 1)) == WORKER_URLS


def test_the_gauge_of_the_check_is_the_workers() -> None:
    assert next(iter(beat.BEAT.collect())).name == BEAT.decode()


def test_a_worker_is_healthy_while_both_its_connections_stand() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as kafka,
        socket.create_server(("127.0.0.1", 0)) as database,
    ):
        kafka_address = f"127.0.0.1:{kafka.getsockname()[1]}"
        url = f"postgresql://w@127.0.0.1:{database.getsockname()[1]}/paceboard"
        with socket.create_connection(kafka.getsockname()):
            assert not is_worker_connected(kafka_address, url)
            with socket.create_connection(database.getsockname()):
                assert is_worker_connected(kafka_address, url)
