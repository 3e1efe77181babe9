"""The deals processor on real Kafka and a real database: a worked account, and every bad input."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiokafka
import msgspec
import pytest

from deploy.local.stack import Stack
from domain import contract
from schemas.ids import ComponentId, PlanId, tracking_id
from schemas.messages import DealChanged, DealStatus, RefusalCode, Role
from schemas.plan import Component, MarginalTable, Measure, PlanDocument, Rounding, Tier, TierInput
from schemas.refusals import REMEDIES
from schemas.settings import Settings
from tests.database import ADA, PLAN, connected, copied
from tests.database import company as install_company
from tests.services import unique_name
from tests.workers import (
    Sent,
    WorkerProcess,
    ends_of,
    is_settled,
    published,
    send,
    settle,
    wait_until,
    with_topics,
    worker,
)

DEAL_TYPE = (("ce_type", b"paceboard.deal.changed.v1"),)


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        ready = with_topics(given, unique_name("deals"))
        install_company(ready)
        yield ready


@pytest.fixture(scope="module")
def running(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with worker(settings, tmp_path_factory.mktemp("worker") / "worker.log") as process:
        yield process


def deal(key: str, amount: str | None = "1000.00", **fields: Any) -> DealChanged:
    """A deal of Ada's, won in the first quarter, but for what `fields` say."""
    return DealChanged(
        **{
            "source": "crm",
            "key": key,
            "deal_id": f"crm:{key}",
            "revision": 1,
            "changed_on": dt.date(2024, 2, 1),
            "status": DealStatus.WON,
            "amount": amount,
            "currency": "USD",
            "closed_on": dt.date(2024, 2, 1),
            "owner_key": "ada",
            **fields,
        }
    )


def sent(message: DealChanged | dict[str, Any], key: str = "k") -> Sent:
    return Sent(msgspec.json.encode(message), key.encode(), DEAL_TYPE)


def rows(settings: Settings, statement: str, *args: Any) -> list[tuple[Any, ...]]:
    with connected(settings, "worker") as conn:
        return conn.execute(statement, args).fetchall()


def test_two_components_and_three_tiers_by_hand(settings: Settings, running: WorkerProcess) -> None:
    """Quota 100,000; own sales 3 % to quota, 5 % to 120 %, 8 % beyond; new business 1 % flat.

    Ada sells 70,000.10 + 40,000.00 + 25,000.05 = 135,000.15 in the quarter:
      100,000 x 3 %                      3,000.00
       20,000 x 5 %                      1,000.00
       15,000.15 x 8 %   = 1,200.012  -> total 5,200.012 -> 5,200.01
    and every dollar of it counts once more in the second component:
      135,000.15 x 1 %   = 1,350.0015 ->               1,350.00
    """
    give_plan_and_quota(settings)
    for key, amount in (("t1", "70000.10"), ("t2", "40000.00"), ("t3", "25000.05")):
        send(settings, [sent(deal(key, amount))])
    settle(settings, running)
    assert positions(settings, ADA) == {
        "own": (Decimal("135000.15"), Decimal("5200.01")),
        "volume": (Decimal("135000.15"), Decimal("1350.00")),
    }
    entries = rows(
        settings,
        "SELECT component, sum(earned), sum(credited) FROM ledger WHERE payee_id = %s GROUP BY 1"
        " ORDER BY 1",
        ADA,
    )
    assert entries == [
        ("own", Decimal("5200.01"), Decimal("135000.15")),
        ("volume", Decimal("1350.00"), Decimal("135000.15")),
    ]
    # Cancelling all of them brings every balance back to zero, by reversals.
    for key in ("t1", "t2", "t3"):
        cancelled = deal(key, "1.00", revision=2, status=DealStatus.CANCELLED)
        send(settings, [sent(cancelled)])
    settle(settings, running)
    assert positions(settings, ADA) == {
        "own": (Decimal(0), Decimal(0)),
        "volume": (Decimal(0), Decimal(0)),
    }


def give_plan_and_quota(settings: Settings) -> None:
    from db.reference import reference_change

    own = Component(
        component=ComponentId("own"),
        measure=Measure(roles=(Role.OWNER, Role.SPLIT)),
        table=MarginalTable(
            input=TierInput.ATTAINMENT,
            tiers=(
                Tier(start="0", rate="0.03"),
                Tier(start="1", rate="0.05"),
                Tier(start="1.2", rate="0.08"),
            ),
        ),
        rounding=Rounding(places=2),
        counts_for_attainment=True,
    )
    volume = Component(
        component=ComponentId("volume"),
        measure=Measure(roles=(Role.OWNER, Role.SPLIT)),
        table=MarginalTable(tiers=(Tier(start="0", rate="0.01"),)),
    )
    document = PlanDocument(
        plan_id=PlanId(PLAN), version=2, name="Two components", components=(own, volume)
    )
    with (
        connected(settings, "api") as conn,
        reference_change(conn, actor="test", action="plan", entity="plan") as change,
    ):
        change.put(
            "plans",
            [
                {
                    "plan_id": PLAN,
                    "plan_version": 2,
                    "starts_on": dt.date(2024, 1, 1),
                    "ends_on": None,
                    "document": document,
                }
            ],
        )
        change.put(
            "quotas",
            [{"payee_id": ADA, "period_id": "2024-Q1", "amount": Decimal(100_000)}],
        )


def positions(settings: Settings, payee: str) -> dict[str, tuple[Decimal, Decimal]]:
    found = rows(
        settings,
        "SELECT component, sum(credited), sum(earned) FROM positions JOIN accounts"
        " USING (account_id) WHERE payee_id = %s GROUP BY 1",
        payee,
    )
    return {component: (credited, earned) for component, credited, earned in found}


REFUSED = {
    "unreadable JSON": (b"{not json", "unreadable", "$"),
    "an amount as a number": (
        msgspec.json.encode({**msgspec.to_builtins(deal("n1")), "amount": 1000.1}),
        "breaks_contract",
        "$.amount",
    ),
    "a currency that is none": (
        msgspec.json.encode({**msgspec.to_builtins(deal("n2")), "currency": "dollars"}),
        "breaks_contract",
        "$.currency",
    ),
    "splits that do not sum": (
        msgspec.json.encode(
            {
                **msgspec.to_builtins(deal("n3")),
                "splits": [
                    {"payee_key": "ada", "share": "0.5"},
                    {"payee_key": "ben", "share": "0.4999"},
                ],
            }
        ),
        "splits_do_not_sum",
        "splits",
    ),
    "a misspelt field": (
        msgspec.json.encode({**msgspec.to_builtins(deal("n4")), "ammount": "1.00"}),
        "breaks_contract",
        "$",
    ),
    "nothing at all": (None, "unreadable", "$"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_record_is_kept_answered_and_stops_nothing(
    what: str, settings: Settings, running: WorkerProcess
) -> None:
    """The operator finds it whole in dead_letters, the sender its reason on the topic."""
    value, code, where = REFUSED[what]
    good = unique_name("good")
    place = send(settings, [Sent(value, b"bad", DEAL_TYPE, partition=3)])
    send(settings, [Sent(msgspec.json.encode(deal(good)), b"x", DEAL_TYPE, partition=3)])
    settle(settings, running)
    ((found_code, found_where, problem, remedy, kept),) = rows(
        settings,
        "SELECT code, place, problem, remedy, value FROM dead_letters"
        " WHERE partition = 3 AND record_offset = %s",
        place[3] - 1,
    )
    assert (found_code, found_where) == (code, where)
    assert problem
    assert remedy
    assert bytes(kept) == (value or b"")
    letters = [msgspec.json.decode(r.value) for r in published(settings, "dead-letters")]
    (letter,) = [x for x in letters if (x["partition"], x["offset"]) == (3, place[3] - 1)]
    assert (letter["code"], letter["where"], letter["remedy"]) == (code, where, remedy)
    assert letter["value_start"] == (value or b"").decode()
    assert rows(settings, "SELECT outcome FROM deals WHERE deal_id = %s", f"crm:{good}") == [
        ("credited",)
    ]


HELD: dict[str, tuple[dict[str, Any], str]] = {
    "no owner": ({"owner_key": None}, "no_owner"),
    "an unknown payee": ({"owner_key": "nobody"}, "unknown_payee"),
    "a date outside every quota window": ({"closed_on": dt.date(2031, 1, 1)}, "no_quota_period"),
    "an unknown currency": ({"currency": "XQX"}, "unknown_currency"),
    "a currency without rate": ({"currency": "EUR"}, "no_exchange_rate"),
}


@pytest.mark.parametrize("what", HELD)
def test_a_held_deal_waits_with_its_reason(
    what: str, settings: Settings, running: WorkerProcess
) -> None:
    """It is kept with its money and a sentence, credited to nobody, and nothing else waits."""
    fields, reason = HELD[what]
    key = unique_name("held")
    send(settings, [sent(deal(key, "250.50", **fields))])
    settle(settings, running)
    ((found, amount, detail),) = rows(
        settings, "SELECT reason, amount, detail FROM holds WHERE deal_id = %s", f"crm:{key}"
    )
    assert (found, amount) == (reason, Decimal("250.50"))
    assert detail
    assert rows(settings, "SELECT 1 FROM credits WHERE deal_id = %s", f"crm:{key}") == []
    # Once the source mends it, the deal is credited and the hold is gone.
    send(settings, [sent(deal(key, "250.50", revision=2))])
    settle(settings, running)
    assert rows(settings, "SELECT 1 FROM holds WHERE deal_id = %s", f"crm:{key}") == []
    assert rows(
        settings,
        "SELECT sum(amount) FROM credits WHERE deal_id = %s AND role = 'owner'",
        f"crm:{key}",
    ) == [(Decimal("250.50"),)]


def test_an_old_revision_that_comes_late_changes_nothing(
    settings: Settings, running: WorkerProcess
) -> None:
    """It is kept in the set, marked superseded under the tracking id that its sender was given."""
    key = unique_name("late")
    newer, older = deal(key, "500.00", revision=7), deal(key, "900.00", revision=3)
    send(settings, [sent(newer)])
    settle(settings, running)
    send(settings, [sent(older)])
    settle(settings, running)
    assert rows(
        settings,
        "SELECT tracking_id, revision, outcome FROM deal_revisions WHERE deal_id = %s"
        " ORDER BY revision",
        f"crm:{key}",
    ) == [(tracking(older), 3, "superseded"), (tracking(newer), 7, "new")]
    assert _owner_credit(settings, key) == Decimal("500.00")
    assert rows(settings, "SELECT 1 FROM dead_letters WHERE source_key = %s", f"crm:{key}") == []


@pytest.mark.parametrize("comes", ["first", "last"])
def test_an_equal_revision_with_other_content_is_reported(
    comes: str, settings: Settings, running: WorkerProcess
) -> None:
    """The greater digest counts whenever it came; the conflict is a dead letter, whole, and on the
    topic."""
    key = unique_name("equal")
    lesser, greater = sorted(
        (deal(key, "100.00"), deal(key, "200.00")), key=contract.content_digest
    )
    one, other = (greater, lesser) if comes == "first" else (lesser, greater)
    send(settings, [sent(one, key)])
    settle(settings, running)
    ((partition, end),) = send(settings, [sent(other, key)]).items()
    settle(settings, running)

    assert _owner_credit(settings, key) == Decimal(greater.amount or 0)
    assert rows(
        settings,
        "SELECT tracking_id, outcome FROM deal_revisions WHERE deal_id = %s ORDER BY booked_at",
        f"crm:{key}",
    ) == [(tracking(one), "new"), (tracking(other), "conflict")]
    place = (partition, end - 1)
    ((found, code, where, problem, remedy, kept),) = rows(
        settings,
        "SELECT (partition, record_offset)::text, code, place, problem, remedy, value"
        " FROM dead_letters WHERE source_key = %s",
        f"crm:{key}",
    )
    assert found == "({},{})".format(*place)
    assert (code, where) == ("equal_revision_conflict", "revision")
    assert "revision 1 of source 'crm'" in problem
    assert remedy == REMEDIES[RefusalCode.EQUAL_REVISION_CONFLICT]
    assert bytes(kept) == msgspec.json.encode(other)
    letters = [msgspec.json.decode(r.value) for r in published(settings, "dead-letters")]
    (letter,) = [x for x in letters if (x["partition"], x["offset"]) == place]
    assert (letter["source_key"], letter["code"]) == (f"crm:{key}", code)
    assert (letter["problem"], letter["remedy"]) == (problem, remedy)
    assert letter["value_start"] == msgspec.json.encode(other).decode()


def tracking(message: DealChanged) -> str:
    """What the API would have answered its sender."""
    digest = contract.content_digest(message)
    return tracking_id(message.source, message.key, message.revision, digest)


def _owner_credit(settings: Settings, key: str) -> Decimal:
    ((amount,),) = rows(
        settings,
        "SELECT sum(amount) FROM credits WHERE deal_id = %s AND role = 'owner'",
        f"crm:{key}",
    )
    return Decimal(amount)


def test_a_trace_goes_through(settings: Settings, running: WorkerProcess) -> None:
    """traceparent of the record stands on the credit, in the table and on the topic."""
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    key = unique_name("trace")
    record = Sent(msgspec.json.encode(deal(key)), b"t", (*DEAL_TYPE, ("traceparent", trace)))
    send(settings, [record])
    settle(settings, running)
    found = rows(settings, "SELECT traceparent FROM credits WHERE deal_id = %s", f"crm:{key}")
    assert {row[0] for row in found} == {trace.decode()}
    carried = [
        dict(r.headers)["traceparent"]
        for r in published(settings, "credits")
        if msgspec.json.decode(r.value)["deal_id"] == f"crm:{key}"
    ]
    assert set(carried) == {trace}


def test_a_worker_told_to_stop_finishes_and_the_next_goes_on(
    stack: Stack, migrated_template: str, tmp_path: Path
) -> None:
    """SIGTERM: exit 0, everything applied is published; the next one starts where it ended."""
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("stop"))
        install_company(settings)
        with worker(settings, tmp_path / "first.log") as first:
            send(settings, [sent(deal("s1"))])
            settle(settings, first)
            assert first.stop() == 0
        send(settings, [sent(deal("s2"))])
        with worker(settings, tmp_path / "second.log") as second:
            settle(settings, second)
            assert second.stop() == 0
        with connected(settings, "worker") as conn:
            assert is_settled(conn, ends_of(settings))
        assert rows(settings, "SELECT count(*) FROM deals") == [(2,)]


def test_a_database_behind_kafka_is_not_worked_on(
    stack: Stack, migrated_template: str, tmp_path: Path
) -> None:
    """Restored behind what the group has acknowledged: the worker says so and stops."""
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("behind"))
        install_company(settings)
        with worker(settings, tmp_path / "first.log") as first:
            send(settings, [sent(deal("b1"))])
            settle(settings, first)
            assert first.stop() == 0
        with connected(settings, "worker") as conn:
            conn.execute("UPDATE partitions SET next_offset = 0, published_to = 0")
        with worker(settings, tmp_path / "second.log") as second:
            wait_until(lambda: second.process.poll() is not None, "the worker's refusal")
            assert second.process.returncode == 1
        assert "restored behind Kafka" in (tmp_path / "second.log").read_text()


def test_a_topic_with_another_partition_count_is_not_worked_on(
    stack: Stack, migrated_template: str, tmp_path: Path
) -> None:
    """Nothing is applied; the worker names both counts and what to do, and stops."""
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("count"), partitions={"deals": 5})
        install_company(settings)
        send(settings, [sent(deal("p1"))])
        with worker(settings, tmp_path / "worker.log") as process:
            wait_until(lambda: process.process.poll() is not None, "the worker's refusal")
            assert process.process.returncode == 1
        assert (
            "the deals topic has 5 partitions, the database expects 12"
            in (tmp_path / "worker.log").read_text()
        )
        assert rows(settings, "SELECT count(*) FROM deals") == [(0,)]


def test_a_worker_that_lost_its_token_joins_anew_by_itself(
    stack: Stack, migrated_template: str, tmp_path: Path
) -> None:
    """Somebody else took the tokens of the current assignment: it leaves, pauses, claims again."""
    log = tmp_path / "worker.log"
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("token"))
        install_company(settings)
        with worker(settings, log) as process:
            send(settings, [sent(deal("k1"))])
            settle(settings, process)
            with connected(settings, "worker") as conn:
                conn.execute("UPDATE partitions SET token = nextval('tokens'), owner = 'thief'")
            send(settings, [sent(deal("k2"))])
            settle(settings, process)
            assert rows(settings, "SELECT count(*), max(version) FROM deals") == [(2, 1)]
            assert "rejoining" in log.read_text()
            assert process.stop() == 0


def test_control_records_are_passed_and_aborted_records_never_read(
    stack: Stack, migrated_template: str, tmp_path: Path
) -> None:
    """A transactional producer's markers take offsets; what it aborted is no deal."""
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("control"))
        install_company(settings)
        asyncio.run(_transactions(settings))
        ends = ends_of(settings)
        with worker(settings, tmp_path / "worker.log") as process:
            settle(settings, process)
            with connected(settings, "worker") as conn:
                assert is_settled(conn, ends, "next_offset")
            assert rows(settings, "SELECT deal_id FROM deals ORDER BY 1") == [("crm:kept",)]
            send(settings, [sent(deal("after"))])
            settle(settings, process)
            assert rows(settings, "SELECT count(*) FROM deals") == [(2,)]
            assert process.stop() == 0


async def _transactions(settings: Settings) -> None:
    """One committed and one aborted, both ending in control records."""
    topic = f"{settings.topic_prefix}.deals"
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=settings.kafka, transactional_id=settings.topic_prefix
    )
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, msgspec.json.encode(deal("kept")), partition=0)
        await producer.commit_transaction()
        await producer.begin_transaction()
        await producer.send_and_wait(topic, msgspec.json.encode(deal("dropped")), partition=0)
        await producer.abort_transaction()
