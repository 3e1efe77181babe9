"""Bring in everything the product needs on this machine; quick when nothing changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from deploy.local import broker, database, debian, python, web
from deploy.local.credentials import product_secrets
from deploy.local.errors import LocalError
from deploy.local.places import Places
from deploy.local.process import run_checked
from deploy.local.say import Progress
from deploy.local.stamps import Stamp

Step = Callable[[Places, Progress], None]


def setup(places: Places, *, is_for_tests: bool) -> None:
    """Debian packages first, since the rest needs them; then the downloads beside each other."""
    with Progress() as progress:
        debian.packages(progress, is_for_tests=is_for_tests)
        steps: list[Step] = [python.environment, kafka, timescale_root, web.build]
        with ThreadPoolExecutor(len(steps)) as pool:
            errors = [
                error
                for done in as_completed([pool.submit(step, places, progress) for step in steps])
                if (error := done.exception()) is not None
            ]
    for error in errors:
        if not isinstance(error, LocalError):
            raise error
    if errors:
        raise LocalError("set-up is not complete\n" + "\n".join(str(error) for error in errors))
    product_secrets(places)


def kafka(places: Places, progress: Progress) -> None:
    pom = broker.LOGGING.with_name("pom.xml")
    stamp = Stamp.of(places, "kafka", pom)
    if not (stamp.is_fresh and any(places.kafka_jars.glob("kafka_*.jar"))):
        with progress.step("Kafka's jars"):
            fetch_jars(places, pom)
        stamp.press()
    archived = Stamp.of(places, "kafka-classes", pom, str(places.kafka_jars))
    if not archived.is_fresh and broker.why_not(places) is None:
        with progress.step("Kafka's classes, for quick starts"):
            broker.archive_classes(places)
        archived.press()


def fetch_jars(places: Places, pom: Path) -> None:
    """Beside their place first: a running broker keeps the jars it has open."""
    if shutil.which("mvn") is None:
        raise debian.missing("mvn", "Maven, which fetches Kafka")
    fresh = places.kafka_jars.with_name("libs.new")
    shutil.rmtree(fresh, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    command = ["mvn", "-B", "-q", "-f", str(pom), *goal, f"-DoutputDirectory={fresh}"]
    run_checked(command, log=places.logs / "setup-kafka.log")
    shutil.rmtree(places.kafka_jars, ignore_errors=True)
    fresh.rename(places.kafka_jars)


def timescale_root(places: Places, progress: Progress) -> None:
    """A Debian root with PostgreSQL and TimescaleDB, where this machine can have one."""
    if os.environ.get(database.CHOICE_VARIABLE) == "wheel" or database.why_no_timescale(places):
        return
    debian.timescale_root(places, progress)
