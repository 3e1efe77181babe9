"""Apache Kafka as one KRaft node on 127.0.0.1, from the jars that set-up fetched."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import struct
import uuid
from pathlib import Path

from deploy.local.errors import Missing
from deploy.local.places import Places
from deploy.local.process import (
    Service,
    await_ready,
    free_port,
    recall,
    remember,
    run_checked,
    spawn,
    stop,
)

NAME = "kafka"
START_SECONDS_MAX = 120
HEAP = ("-Xms256m", "-Xmx512m")
LOGGING = Path(__file__).parent / "kafka" / "log4j2.properties"


def why_not(places: Places) -> Missing | None:
    """What keeps Kafka from starting here, or None."""
    if shutil.which("java") is None:
        return Missing(
            "Java 17 or newer, which Kafka needs", "apt-get install default-jre-headless"
        )
    if not any(places.kafka_jars.glob("kafka_*.jar")):
        return Missing("Kafka's jars", "make setup")
    return None


def start(places: Places, *flags: str) -> Service:
    """Start the broker on the port it had before, or another free one; return when it answers."""
    before = recall(NAME, places.run)
    port = free_port(before.port if before else None)
    data = places.data / NAME
    config = places.run / "kafka.properties"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(properties(data, port=port, controller_port=free_port()))
    if not (data / "meta.properties").exists():
        format_storage(places, config)
    log = places.logs / "kafka.log"
    command = java(places, *(flags or shared_classes(places)), *HEAP, "kafka.Kafka", str(config))
    service = spawn(NAME, command, port=port, log=log, environ=java_env())
    remember(service, places.run)
    await_ready(service, lambda: speaks(port), log=log, seconds_max=START_SECONDS_MAX)
    return service


def archive_classes(places: Places) -> None:
    """Keep the classes of a trial run as Java loaded them: later starts take half the CPU."""
    trial = Places(
        repository=places.repository, made=places.made, state=places.made / "kafka" / "trial"
    )
    archive = class_archive(places)
    archive.unlink(missing_ok=True)
    shutil.rmtree(trial.state, ignore_errors=True)
    stop(start(trial, f"-XX:ArchiveClassesAtExit={archive}"), seconds_max=START_SECONDS_MAX)
    shutil.rmtree(trial.state)


def shared_classes(places: Places) -> list[str]:
    """Java checks that the archive fits its version and the jars, and does without if not."""
    archive = class_archive(places)
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off"] if archive.exists() else []


def class_archive(places: Places) -> Path:
    return places.made / "kafka" / "classes.jsa"


def format_storage(places: Places, config: Path) -> None:
    """Give the data folder a cluster id; Kafka refuses one that begins with a dash."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
    tool = java(places, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config))
    run_checked(tool, log=places.logs / "kafka-format.log", environ=java_env())


def java(places: Places, *arguments: str) -> list[str]:
    flags = ["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError"]
    logging = f"-Dlog4j2.configurationFile={LOGGING}"
    return ["java", "-cp", f"{places.kafka_jars}/*", logging, *flags, *arguments]


def java_env() -> dict[str, str]:
    """Our environment without the flags that other Java programs of this machine may want."""
    drop = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"}
    return {name: value for name, value in os.environ.items() if name not in drop}


def properties(data: Path, *, port: int, controller_port: int) -> str:
    """The broker's settings: one node, small, and no topic that nobody declared."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def speaks(port: int) -> bool:
    """Whether a broker answers an ApiVersions request: a bound port alone is not a ready broker."""
    request = struct.pack(">hhih", 18, 0, 1, -1)  # key, version, correlation, no client id
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(4)) > 0
    except OSError:
        return False
