"""Topics on the broker, against what schemas/topics.py declares."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from cli.failures import Failure
from schemas import limits
from schemas.settings import Settings
from schemas.topics import TOPICS, Topic

CLEANUP: Final = "cleanup.policy"
RETENTION: Final = "retention.ms"
_TIMEOUT_MS: Final = 15_000


class Mismatch(NamedTuple):
    """What of a topic is not as it should be."""

    topic: str
    what: str
    expected: str
    found: str


@contextmanager
def admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An administrator's client."""
    try:
        client = KafkaAdminClient(
            bootstrap_servers=settings.kafka.split(","),
            bootstrap_timeout_ms=limits.CONNECT_SECONDS_MAX * 1_000,
        )
    except (KafkaError, OSError) as error:
        raise Failure(
            f"no Kafka at {settings.kafka}", "start it here with: make up; or mend PACEBOARD_KAFKA"
        ) from error
    try:
        yield client
    finally:
        client.close()


def create(settings: Settings, *, replication: int) -> tuple[str, ...]:
    """Make the topics that are missing; their names. Those that are there stay as they are."""
    with admin(settings) as client:
        there = set(client.list_topics())
        missing = {
            topic.full_name(settings.topic_prefix): {
                "num_partitions": topic.partitions,
                "replication_factor": replication,
                "configs": {CLEANUP: topic.cleanup, RETENTION: str(topic.retention_ms)},
            }
            for topic in TOPICS
            if topic.full_name(settings.topic_prefix) not in there
        }
        if missing:
            client.create_topics(missing, timeout_ms=_TIMEOUT_MS)
            client.wait_for_topics(list(missing), timeout_ms=_TIMEOUT_MS)
    return tuple(missing)


def delete(settings: Settings) -> tuple[str, ...]:
    """Remove the topics of this prefix; their names."""
    ours = {topic.full_name(settings.topic_prefix) for topic in TOPICS}
    with admin(settings) as client:
        there = sorted(ours.intersection(client.list_topics()))
        if there:
            client.delete_topics(there, timeout_ms=_TIMEOUT_MS)
    return tuple(there)


def check(settings: Settings, *, installed_partitions: int | None) -> list[Mismatch]:
    """Everything that differs. `installed_partitions`: what the database says of `deals`."""
    expected = {topic.full_name(settings.topic_prefix): topic for topic in TOPICS}
    with admin(settings) as client:
        there = sorted(set(client.list_topics()).intersection(expected))
        described = client.describe_topics(there)
        # One that is being deleted is still listed for a moment, without partitions.
        counts = {
            found["name"]: len(found["partitions"]) for found in described if found["partitions"]
        }
        configured = _configs(client, there)
    return [
        mismatch
        for name, topic in expected.items()
        for mismatch in _compare(
            name, topic, counts.get(name), configured.get(name, {}), installed_partitions
        )
    ]


def _configs(client: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    wanted = {CLEANUP: None, RETENTION: None}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in names]
    answer = client.describe_configs(resources, config_filter="all")
    return {
        name: {key: str(_value(found)) for key, found in configs.items() if key in wanted}
        for name, configs in answer["topic"].items()
    }


def _value(found: object) -> object:
    return found["value"] if isinstance(found, dict) else found


def _compare(
    name: str,
    topic: Topic,
    partitions: int | None,
    configs: dict[str, str],
    installed_partitions: int | None,
) -> Iterator[Mismatch]:
    if partitions is None:
        yield Mismatch(name, "topic", "there", "missing")
        return
    if partitions != topic.partitions:
        yield Mismatch(name, "partitions", str(topic.partitions), str(partitions))
    for key, wanted in ((CLEANUP, topic.cleanup), (RETENTION, str(topic.retention_ms))):
        if configs.get(key) != wanted:
            yield Mismatch(name, key, wanted, configs.get(key, "unknown"))
    if topic.name == "deals" and installed_partitions not in (None, partitions):
        yield Mismatch(
            name, "partitions in the database", str(installed_partitions), str(partitions)
        )
