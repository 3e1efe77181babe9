"""Publishing from a thread, on real Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from deploy.local.stack import Stack
from schemas.cloudevents import Attributes, read_headers
from schemas.messages import Drain, RecreditDeal
from schemas.settings import Settings
from schemas.topics import DEALS
from streams.outbound import KafkaOutbound, PublishFailed
from tests.services import unique_name
from tests.workers import ends_of, published, with_topics


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    given = Settings(values={"PACEBOARD_KAFKA": stack.kafka})
    return with_topics(given, unique_name("outbound"))


@pytest.fixture
def outbound(settings: Settings) -> Iterator[KafkaOutbound]:
    with closing(KafkaOutbound(settings)) as outbound:
        yield outbound


def recredit(deal: str) -> RecreditDeal:
    return RecreditDeal(deal_id=deal, cause="test", reference_version=7)


def test_messages_stand_where_publish_says(settings: Settings, outbound: KafkaOutbound) -> None:
    before = ends_of(settings)
    ends = outbound.publish([recredit(f"crm:{n}") for n in range(50)], is_replay=True)
    after = ends_of(settings)
    assert {n: end for (_, n), end in ends.items()} == {
        n: end for n, end in after.items() if end > before[n]
    }
    records = published(settings, "deals")
    assert len(records) == 50
    found = {msgspec.json.decode(record.value, type=RecreditDeal).deal_id for record in records}
    assert found == {f"crm:{n}" for n in range(50)}
    attributes = read_headers(records[0].headers)
    assert attributes._replace(time=None) == Attributes(
        type="paceboard.command.recredit-deal.v1",
        id=f"{records[0].key.decode()}/7",
        source="paceboard/jobs",
        is_replay=True,
    )


def test_a_broadcast_stands_in_every_partition(settings: Settings, outbound: KafkaOutbound) -> None:
    before = ends_of(settings)
    ends = outbound.broadcast(Drain(drain_id="d", round=1))
    assert ends == {("deals", n): end + 1 for n, end in before.items()}
    assert len(ends) == DEALS.partitions


def test_what_is_not_acknowledged_raises_and_the_next_use_works(
    settings: Settings, outbound: KafkaOutbound
) -> None:
    too_large = recredit("crm:" + "x" * 2_000_000)
    with pytest.raises(PublishFailed):
        outbound.publish([too_large])
    assert outbound.publish([recredit("crm:after")]) != {}
