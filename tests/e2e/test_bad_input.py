"""Every bad input by HTTP, in a file and on the topic: what its sender and the operator see.

One API, one worker, one small company. After each bad input a good deal is sent and credited.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
from kafka import KafkaProducer

from api import serve, sessions
from api.sessions import Scope, UserRole
from deploy.local.stack import Stack
from domain.contract import content_digest
from schemas.ids import tracking_id
from schemas.messages import DealChanged, RefusalCode
from schemas.refusals import REMEDIES
from schemas.settings import Settings
from schemas.topics import DEALS
from tests.api.support import bearer
from tests.database import ADA, company, connected, copied
from tests.services import unique_name
from tests.workers import (
    WorkerProcess,
    ends_of,
    published,
    settle,
    wait_until,
    with_topics,
    worker,
)

PATIENCE_S = 20


class Product(NamedTuple):
    """What runs: where deals are posted, and what the operator looks into."""

    settings: Settings
    client: httpx.Client
    worker: WorkerProcess
    admin: dict[str, str]  # the headers of one

    def post(self, body: Any) -> httpx.Response:
        """As a source would."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.client.post("/v1/deals", content=content)

    def accept(self, *bodies: dict[str, Any]) -> list[str]:
        """Posted one after the other, each taken, all worked off; their tracking ids."""
        found = []
        for body in bodies:
            answer = self.post(body)
            assert answer.status_code == 202, answer.text
            (fate,) = answer.json()["deals"]
            assert (fate["status"], fate["deal_id"]) == ("accepted", body["deal_id"])
            assert fate["tracking_id"] == tracking(body)
            found.append(fate["tracking_id"])
        settle(self.settings, self.worker)
        return found

    def put(self, value: bytes) -> None:
        """Right onto the topic, past every check; all worked off."""
        producer = KafkaProducer(bootstrap_servers=self.settings.kafka)
        producer.send(DEALS.full_name(self.settings.topic_prefix), value, partition=0).get(30)
        producer.close()
        settle(self.settings, self.worker)

    def get(self, path: str) -> httpx.Response:
        """As an admin."""
        return self.client.get(path, headers=self.admin).raise_for_status()

    def dead_letters(self) -> list[Any]:
        """As the admin's queue has them."""
        rows: list[Any] = self.get("/v1/dead-letters?limit=200").json()["rows"]
        return rows

    def load(self, *bodies: dict[str, Any]) -> Any:
        """As an admin loads a file: tried out, committed; the import at its end."""
        text = io.StringIO()
        writer = csv.DictWriter(text, FIELDS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(bodies)
        mapping = {"source": "crm", "columns": {name: name for name in FIELDS}}
        sent = self.client.post(
            "/v1/imports/deals",
            params={"file_name": "deals.csv", "mapping": msgspec.json.encode(mapping).decode()},
            content=text.getvalue().encode(),
            headers={**self.admin, "Content-Type": "text/csv"},
        ).raise_for_status()
        path = f"/v1/imports/{sent.json()['import_id']}"
        wait_until(lambda: self.get(path).json()["state"] == "checked", "the dry run")
        self.client.post(f"{path}/commit", headers=self.admin).raise_for_status()
        wait_until(lambda: self.get(path).json()["state"] == "done", "the load")
        return self.get(path).json()

    def rows(self, statement: str, *args: Any) -> list[tuple[Any, ...]]:
        """By the operator's eyes."""
        with connected(self.settings, "worker") as conn:
            return conn.execute(statement, args).fetchall()

    def counted(self, refused: Refused) -> float:
        """What the metrics say: deals by why they were refused; bodies that hold none by status."""
        line = (
            f'paceboard_deals_posted_total{{outcome="{refused.code}"}} '
            if isinstance(refused.body, dict)
            else "paceboard_http_request_seconds_count"
            f'{{method="POST",route="/v1/deals",status="{refused.status}"}} '
        )
        found = [x for x in self.client.get("/metrics").text.splitlines() if x.startswith(line)]
        return float(found[0].removeprefix(line)) if found else 0.0

    def owner_credit(self, deal_id: str) -> Decimal | None:
        """What Ada was credited for it."""
        ((amount,),) = self.rows(
            "SELECT sum(amount) FROM credits WHERE deal_id = %s AND role = 'owner'"
            " AND payee_id = %s",
            deal_id,
            ADA,
        )
        return None if amount is None else Decimal(amount)


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The real server, on a thread; its address."""
    server = serve.server(settings, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, name="api", daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the API")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


@pytest.fixture(scope="module")
def product(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    log = tmp_path_factory.mktemp("bad-input") / "worker.log"
    with copied(stack, migrated_template) as given:
        settings = with_topics(given, unique_name("bad"))
        company(settings)
        with worker(settings, log) as process, served(settings) as address:
            headers = {"Authorization": f"Bearer {token(settings)}"}
            with httpx.Client(base_url=address, headers=headers, timeout=PATIENCE_S) as client:
                yield Product(settings, client, process, bearer(settings, "ann"))


def token(settings: Settings) -> str:
    """Of a machine that may post deals and nothing else."""
    return sessions.mint(
        settings.session_key,
        user_id="crm",
        role=UserRole.REP,
        scopes=(Scope.DEALS_WRITE,),
        now=dt.datetime.now(dt.UTC),
        seconds=600,
    )


def deal(key: str, amount: Any = "1000.00", **fields: Any) -> dict[str, Any]:
    """A won deal of Ada's; fields by name, None leaves one out."""
    found = {
        "source": "crm",
        "key": key,
        "deal_id": f"crm:{key}",
        "revision": 1,
        "changed_on": "2024-02-01",
        "status": "won",
        "amount": amount,
        "currency": "USD",
        "closed_on": "2024-02-01",
        "owner_key": "ada",
        **fields,
    }
    return {name: value for name, value in found.items() if value is not None}


def decoded(body: dict[str, Any]) -> DealChanged:
    return msgspec.convert(body, DealChanged, strict=False)


def tracking(body: dict[str, Any]) -> str:
    """Of the content, so that a retry gets the same."""
    message = decoded(body)
    return tracking_id(message.source, message.key, message.revision, content_digest(message))


@pytest.fixture(autouse=True)
def goes_on(product: Product) -> Iterator[None]:
    """Whatever came before, a good deal is taken and credited."""
    yield
    good = deal(unique_name("good"), "12.34")
    product.accept(good)
    assert product.owner_credit(good["deal_id"]) == Decimal("12.34")
    assert product.worker.process.poll() is None


class Refused(NamedTuple):
    """An input that never reaches Kafka, and what its sender is told."""

    body: Any
    status: int
    type: str
    code: RefusalCode
    pointer: str
    detail: str  # words in it


SPLITS = [{"payee_key": "ada", "share": "0.5"}, {"payee_key": "ben", "share": "0.4999"}]
REFUSED = {
    "unreadable JSON": Refused(
        b'{"source": "crm", "key": ', 400, "malformed", RefusalCode.UNREADABLE, "", "not JSON"
    ),
    "an amount as a number": Refused(
        deal("number", 1000.1),
        422,
        "invalid",
        RefusalCode.BREAKS_CONTRACT,
        "/amount",
        "Expected `str",
    ),
    "a currency that is none": Refused(
        deal("dollars", currency="dollars"),
        422,
        "invalid",
        RefusalCode.BREAKS_CONTRACT,
        "/currency",
        "Expected `str`",
    ),
    "splits that do not sum": Refused(
        deal("splits", splits=SPLITS),
        422,
        "invalid",
        RefusalCode.SPLITS_DO_NOT_SUM,
        "/splits",
        "sum to 0.9999, not to 1",
    ),
    "a date no business has": Refused(
        deal("hastings", closed_on="1066-10-14"),
        422,
        "invalid",
        RefusalCode.DATE_OUT_OF_RANGE,
        "/closed_on",
        "1066-10-14 is not between",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_be_seen_at_once_is_refused_at_once(what: str, product: Product) -> None:
    """The sender has where, why and what to do; the operator a count, and nothing else anywhere."""
    refused = REFUSED[what]
    ends, before = ends_of(product.settings), product.counted(refused)
    answer = product.post(refused.body)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (refused.status, refused.status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/docs#problem-{refused.type}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    (error,) = problem["errors"]
    assert (error["code"], error["pointer"]) == (refused.code, refused.pointer)
    assert refused.detail in error["detail"]
    assert error["remedy"] == REMEDIES[refused.code]

    assert product.counted(refused) == before + 1
    assert ends_of(product.settings) == ends
    if isinstance(refused.body, dict):
        deal_id = refused.body["deal_id"]
        assert error["deal_id"] == deal_id
        for table in ("deals", "deal_revisions", "holds", "credits"):
            assert product.rows(f"SELECT 1 FROM {table} WHERE deal_id = %s", deal_id) == []


HELD: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown currency": ({"currency": "XQX"}, "unknown_currency", "XQX"),
    "a deal without owner": ({"owner_key": None}, "no_owner", "owner"),
    "an unknown payee": ({"owner_key": "nobody"}, "unknown_payee", "nobody"),
    "a date outside every quota window": (
        {"closed_on": "2031-01-01"},
        "no_quota_period",
        "2031-01-01",
    ),
}


@pytest.mark.parametrize("what", HELD)
def test_what_only_the_company_can_tell_is_taken_and_held(what: str, product: Product) -> None:
    """The sender has 202 and a tracking id; the operator a hold with its money and a sentence."""
    fields, reason, words = HELD[what]
    body = deal(unique_name("held"), "250.50", **fields)
    (tracked,) = product.accept(body)
    deal_id = body["deal_id"]
    ((found, amount, detail),) = product.rows(
        "SELECT reason, amount, detail FROM holds WHERE deal_id = %s", deal_id
    )
    assert (found, amount) == (reason, Decimal("250.50"))
    assert words in detail and " " in detail
    assert product.rows("SELECT outcome FROM deal_revisions WHERE tracking_id = %s", tracked) == [
        ("new",)
    ]
    assert product.rows("SELECT outcome FROM deals WHERE deal_id = %s", deal_id) == [("held",)]
    assert product.rows("SELECT 1 FROM credits WHERE deal_id = %s", deal_id) == []


# ---- the same on the topic -----------------------------------------------------------------------


@pytest.mark.parametrize("what", REFUSED)
def test_on_the_topic_it_is_kept_with_its_reason(what: str, product: Product) -> None:
    """A dead letter says where, why and what to do, with the message whole; nothing is booked."""
    refused = REFUSED[what]
    value = refused.body if isinstance(refused.body, bytes) else msgspec.json.encode(refused.body)
    before = {letter["dead_letter_id"] for letter in product.dead_letters()}
    product.put(value)
    (letter,) = [one for one in product.dead_letters() if one["dead_letter_id"] not in before]
    assert letter["code"] == refused.code
    assert letter["next_step"] == REMEDIES[refused.code]
    whole = product.get(f"/v1/dead-letters/{letter['dead_letter_id']}").json()
    assert whole["value"] == value.decode()
    if isinstance(refused.body, dict):
        assert product.rows("SELECT 1 FROM deals WHERE deal_id = %s", refused.body["deal_id"]) == []


@pytest.mark.parametrize("what", HELD)
def test_on_the_topic_it_is_held_as_well(what: str, product: Product) -> None:
    """What comes by Kafka waits for the same reason, with its money, in the admin's queue."""
    fields, reason, words = HELD[what]
    body = deal(unique_name("wire"), "250.50", **fields)
    product.put(msgspec.json.encode(body))
    (row,) = product.get(f"/v1/held?q={body['key']}").json()["rows"]
    assert (row["reason"], row["amount"]) == (reason, "250.50")
    assert words in row["reason_words"]


# ---- the same in a file --------------------------------------------------------------------------

FIELDS = ("key", "revision", "changed_on", "status", "amount", "currency", "closed_on", "owner_key")
# A cell has no JSON in it, and splits have no columns.
CELLS = {
    "an amount that is none": ({"amount": "viel"}, "amount", RefusalCode.BREAKS_CONTRACT),
    "a currency that is none": ({"currency": "dollars"}, "currency", RefusalCode.BREAKS_CONTRACT),
    "a date no business has": (
        {"closed_on": "1066-10-14"},
        "closed_on",
        RefusalCode.DATE_OUT_OF_RANGE,
    ),
    "a date that is none": ({"closed_on": "soon"}, "closed_on", RefusalCode.UNREADABLE),
}


@pytest.mark.parametrize("what", CELLS)
def test_in_a_file_its_row_is_given_back_and_the_others_go_on(what: str, product: Product) -> None:
    """Row, column, code and message in the error file; the good row beside it is credited."""
    fields, column, code = CELLS[what]
    good, bad = deal(unique_name("row"), "12.50"), deal(unique_name("row"), **fields)
    found = product.load(good, bad)
    assert (found["counts"]["refused"], found["counts"]["sent"]) == (1, 1)
    (error,) = found["first_errors"]
    assert (error["row"], error["column"], error["code"]) == (3, column, code)
    assert error["message"]
    errors = product.get(f"/v1/imports/{found['import_id']}/errors").content.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(errors))
    assert (row["key"], row["error_code"]) == (bad["key"], code)
    assert product.owner_credit(good["deal_id"]) == Decimal("12.50")
    assert product.rows("SELECT 1 FROM deals WHERE deal_id = %s", bad["deal_id"]) == []


@pytest.mark.parametrize("what", HELD)
def test_in_a_file_it_is_held_and_said_before(what: str, product: Product) -> None:
    """The dry run counts it as waiting; the load holds it for the reason that HTTP has."""
    fields, reason, _ = HELD[what]
    body = deal(unique_name("sheet"), "250.50", **fields)
    found = product.load(body)
    assert (found["held"], found["counts"]["sent"]) == (1, 1)
    ((kept, amount),) = product.rows(
        "SELECT reason, amount FROM holds WHERE deal_id = %s", body["deal_id"]
    )
    assert (kept, amount) == (reason, Decimal("250.50"))


def test_in_a_file_an_old_revision_changes_nothing(product: Product) -> None:
    """It is counted as superseded."""
    key = unique_name("stale")
    product.accept(deal(key, "500.00", revision=7))
    found = product.load(deal(key, "900.00", revision=3))
    assert (found["counts"]["superseded"], found["counts"]["new"]) == (1, 0)
    assert product.owner_credit(f"crm:{key}") == Decimal("500.00")


# ---- revisions -----------------------------------------------------------------------------------


def test_an_old_revision_late(product: Product) -> None:
    """The sender has 202; under his tracking id it stands that a newer one is known."""
    key = unique_name("late")
    newer, older = deal(key, "500.00", revision=7), deal(key, "900.00", revision=3)
    (first,) = product.accept(newer)
    (late,) = product.accept(older)
    fates = "SELECT outcome FROM deal_revisions WHERE tracking_id = %s"
    assert product.rows(fates, late) == [("superseded",)]
    assert product.rows(fates, first) == [("new",)]
    assert product.owner_credit(f"crm:{key}") == Decimal("500.00")
    assert letters(product, f"crm:{key}") == []


@pytest.mark.parametrize("winner_comes", ["first", "last"])
def test_an_equal_revision_with_other_content(winner_comes: str, product: Product) -> None:
    """The sender has 202 and another tracking id; the operator a dead letter, in the table and on
    the topic. The greater digest counts."""
    key = unique_name("equal")
    lesser, greater = sorted(
        (deal(key, "100.00"), deal(key, "200.00")), key=lambda body: content_digest(decoded(body))
    )
    one, other = (greater, lesser) if winner_comes == "first" else (lesser, greater)
    (first,) = product.accept(one)
    (second,) = product.accept(other)
    assert first != second
    fates = "SELECT outcome FROM deal_revisions WHERE tracking_id = %s"
    assert product.rows(fates, first) == [("new",)]
    assert product.rows(fates, second) == [("conflict",)]
    assert product.owner_credit(f"crm:{key}") == Decimal(greater["amount"])
    ((code, place, problem, remedy, kept),) = product.rows(
        "SELECT code, place, problem, remedy, value FROM dead_letters WHERE source_key = %s",
        f"crm:{key}",
    )
    assert (code, place) == ("equal_revision_conflict", "revision")
    assert "revision 1 of source 'crm'" in problem
    assert remedy == REMEDIES[RefusalCode.EQUAL_REVISION_CONFLICT]
    assert msgspec.json.decode(bytes(kept))["amount"] == other["amount"]
    (letter,) = letters(product, f"crm:{key}")
    assert (letter["code"], letter["where"]) == (code, place)
    assert (letter["problem"], letter["remedy"]) == (problem, remedy)
    assert msgspec.json.decode(letter["value_start"])["amount"] == other["amount"]


def test_good_and_bad_in_one_request(product: Product) -> None:
    """Each has its own fate; the good ones do not wait for the bad."""
    key = unique_name("mixed")
    good, bad = deal(f"{key}-good", "77.00"), deal(f"{key}-bad", 77.0)
    answer = product.post([bad, good])
    assert answer.status_code == 202
    fates = answer.json()["deals"]
    assert [fate["status"] for fate in fates] == ["refused", "accepted"]
    assert fates[0]["error"]["pointer"] == "/0/amount"
    settle(product.settings, product.worker)
    assert product.owner_credit(good["deal_id"]) == Decimal("77.00")
    assert product.rows("SELECT 1 FROM deals WHERE deal_id = %s", bad["deal_id"]) == []


def letters(product: Product, source_key: str) -> list[Any]:
    """Of that deal on the dead-letters topic."""
    found = [msgspec.json.decode(r.value) for r in published(product.settings, "dead-letters")]
    return [letter for letter in found if letter["source_key"] == source_key]
