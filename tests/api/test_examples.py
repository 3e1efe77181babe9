"""The examples of the OpenAPI document, executed: what it shows is what the sample company answers.

All of it again into api/recorded.json: `PACEBOARD_RECORD=1 pytest tests/api/test_examples.py`, then
`python -m api.generate`.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator
from kafka import KafkaProducer

from api import recorded
from api.recorded import Recorded
from cli.commands.token import bearer_for
from deploy.local.stack import Stack
from schemas.topics import DEALS
from tests.e2e.company import MANAGER, SELLER, next_days, sample_site
from tests.e2e.support import Site
from tests.workers import PATIENCE_S, settle

ORDER: Final = "adventureworks:SO69393"
CSV: Final = "text/csv"
FILE: Final = (
    "Order;Version;Changed;State;Net;Won on;Seller\n"
    "A-1;1;14.04.2014;Gewonnen;1.234,50;14.04.2014;275\n"
    "A-2;1;14.04.2014;Gewonnen;tausend;14.04.2014;275\n"
)
# What no two runs have in common. Instants are compared as instants only.
OWN: Final = frozenset(
    """
    account_version alert_id batch dead_letter_id entries entry_id expires_at held_id import_id
    next_cursor offset partition reference_version request_id topic version
    """.split()  # noqa: SIM905 (a table of words)
)


class Ask(NamedTuple):
    """A step: `{name}` in the address is taken from what an answer before said."""

    method: str
    path: str
    asked: str
    user: str = "admin"
    body: Any = None
    media_type: str | None = None
    keeps: str | None = None  # of the answer, or of its first row
    until: str | None = None  # asked again until that is the state of the answer


STEPS: Final = (
    Ask("GET", "/livez", "/livez"),
    Ask("GET", "/readyz", "/readyz"),
    Ask("GET", "/v1/demo/users", "/v1/demo/users"),
    Ask("GET", "/v1/session", "/v1/session", "seller"),
    Ask("GET", "/v1/me", "/v1/me", "seller"),
    Ask("GET", "/v1/periods", "/v1/periods"),
    Ask("GET", "/v1/people", "/v1/people", "seller"),
    Ask("GET", "/v1/quotas", "/v1/quotas", "seller"),
    Ask("GET", "/v1/plans", "/v1/plans", "seller"),
    Ask("GET", "/v1/boards", "/v1/boards", "seller"),
    Ask("GET", "/v1/boards/{board_id}/standings", "/v1/boards/reps/standings", "seller"),
    Ask("GET", "/v1/payees/{payee_id}/progress", f"/v1/payees/{SELLER}/progress", "seller"),
    Ask("GET", "/v1/payees/{payee_id}/statements", f"/v1/payees/{SELLER}/statements", "seller"),
    Ask(
        "GET",
        "/v1/payees/{payee_id}/statements/{period}",
        f"/v1/payees/{SELLER}/statements/2014-03-01",
        "seller",
    ),
    Ask(
        "GET",
        "/v1/payees/{payee_id}/statements/{period}/lines",
        f"/v1/payees/{SELLER}/statements/2014-03-01/lines?limit=2&q=SO69393",
        "seller",
    ),
    Ask("GET", "/v1/payees/{payee_id}/feed", f"/v1/payees/{SELLER}/feed?limit=1", "seller"),
    Ask("GET", "/v1/payees/{payee_id}/team", f"/v1/payees/{MANAGER}/team", "manager"),
    Ask("GET", "/v1/deals", "/v1/deals?q=SO69393&limit=2", "seller"),
    Ask("GET", "/v1/deals/{deal_id}", f"/v1/deals/{ORDER}", "seller"),
    Ask("GET", "/v1/credits", f"/v1/credits?deal_id={ORDER}", "seller"),
    Ask("GET", "/v1/tracking", f"/v1/tracking?deal_id={ORDER}", keeps="tracking_id"),
    Ask("GET", "/v1/tracking/{tracking_id}", "/v1/tracking/{tracking_id}"),
    Ask("GET", "/v1/held", "/v1/held?q=SO69394"),
    Ask("GET", "/v1/held/summary", "/v1/held/summary"),
    Ask("GET", "/v1/not-eligible", "/v1/not-eligible?q=SO43697"),
    Ask("GET", "/v1/not-eligible/summary", "/v1/not-eligible/summary"),
    Ask("GET", "/v1/dead-letters", "/v1/dead-letters?limit=1", keeps="dead_letter_id"),
    Ask("GET", "/v1/dead-letters/summary", "/v1/dead-letters/summary"),
    Ask("GET", "/v1/dead-letters/{dead_letter_id}", "/v1/dead-letters/{dead_letter_id}"),
    Ask("GET", "/v1/sources", "/v1/sources"),
    Ask("GET", "/v1/admin", "/v1/admin"),
    Ask("GET", "/v1/alerts", f"/v1/alerts?payee_id={SELLER}", "manager", keeps="alert_id"),
    Ask("GET", "/v1/alerts/{alert_id}", "/v1/alerts/{alert_id}", "manager"),
    Ask(
        "POST",
        "/v1/alerts/{alert_id}/acknowledge",
        "/v1/alerts/{alert_id}/acknowledge",
        "manager",
    ),
    Ask("POST", "/v1/alerts/{alert_id}/notes", "/v1/alerts/{alert_id}/notes", "manager"),
    Ask("GET", "/v1/periods/{period_id}/lock", "/v1/periods/2011-05-31/lock"),
    Ask("PUT", "/v1/mappings/{mapping_id}", "/v1/mappings/erp-orders"),
    Ask("GET", "/v1/mappings", "/v1/mappings"),
    Ask("GET", "/v1/mappings/{mapping_id}", "/v1/mappings/erp-orders"),
    Ask("GET", "/v1/imports/template", "/v1/imports/template"),
    Ask(
        "POST",
        "/v1/imports/columns",
        "/v1/imports/columns?file_name=orders.csv",
        body=FILE,
        media_type=CSV,
    ),
    Ask(
        "POST",
        "/v1/imports/deals",
        "/v1/imports/deals?file_name=orders.csv&mapping_id=erp-orders",
        body=FILE,
        media_type=CSV,
        keeps="import_id",
    ),
    Ask(
        "GET",
        "/v1/imports/{import_id}",
        "/v1/imports/{import_id}",
        until="checked",
    ),
    Ask("GET", "/v1/imports/{import_id}/errors", "/v1/imports/{import_id}/errors"),
    Ask("POST", "/v1/imports/{import_id}/commit", "/v1/imports/{import_id}/commit"),
    Ask("GET", "/v1/imports/{import_id}", "/v1/imports/{import_id}", until="done"),
    Ask("GET", "/v1/imports", "/v1/imports?limit=1"),
    Ask("POST", "/v1/deals", "/v1/deals"),
    Ask("GET", "/v1/dead-letters", "/v1/dead-letters"),
    Ask("POST", "/v1/session", "/v1/session", "nobody"),
    Ask("POST", "/v1/periods/{period_id}/lock", "/v1/periods/2011-05-31/lock"),
    Ask("DELETE", "/v1/mappings/{mapping_id}", "/v1/mappings/erp-orders"),
    Ask("DELETE", "/v1/session", "/v1/session", "seller"),
)
# Text for another program; tests/api/test_operation.py reads it.
ELSEWHERE: Final = {("GET", "/metrics")}


@pytest.fixture(scope="module")
def site(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with sample_site(stack, migrated_template, tmp_path_factory.mktemp("examples")) as found:
        producer = KafkaProducer(bootstrap_servers=found.settings.kafka)
        topic = DEALS.full_name(found.settings.topic_prefix)
        producer.send(topic, b'{"source": "crm"', partition=0).get(30)
        producer.close()
        settle(found.settings, found.worker)
        next_days(found, 16)  # off pace on two working days: the alert is raised
        yield found


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def answers(site: Site) -> list[Recorded]:
    """Every step, executed."""
    users = {"seller": "Michael Blythe", "manager": "Stephen Jiang"}
    given = {
        name: _bearer(bearer_for(site.settings, user, scopes=(), hours=1))
        for name, user in users.items()
    }
    given |= {"admin": _bearer(site.token), "nobody": {}}
    with httpx.Client(base_url=site.address, timeout=30) as client:
        document = client.get("/v1/openapi.json").json()
        kept: dict[str, str] = {}
        found = []
        for step in STEPS:
            for body, media_type in _bodies(document, step):
                asked = step.asked.format(**kept)
                found.append(_ask(client, step, asked, body, media_type, given[step.user]))
            _require_declared(document, found[-1])
            if step.method == "POST":
                settle(site.settings, site.worker)
            if step.keeps:
                last = found[-1].answered
                last = last["rows"][0] if "rows" in last else last
                kept[step.keeps] = last[step.keeps]
    return found


def _bodies(document: Any, step: Ask) -> list[tuple[Any, str | None]]:
    """The step's own body, or every example that the document has of one."""
    if step.body is not None:
        return [(step.body, step.media_type)]
    operation = document["paths"][step.path][step.method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    examples = content.get("application/json", {}).get("examples", {}).values()
    return [(one["value"], "application/json") for one in examples] or [(None, None)]


def _ask(
    client: httpx.Client,
    step: Ask,
    asked: str,
    body: Any,
    media_type: str | None,
    given: dict[str, str],
) -> Recorded:
    headers = {**given, **({"Content-Type": media_type} if media_type else {})}
    if step.method == "PUT":
        headers["If-None-Match"] = "*"
    if step.method == "DELETE" and "mappings" in asked:
        headers["If-Match"] = client.get(asked, headers=given).headers["etag"]
    if (step.method == "DELETE" and "session" in asked) or step.user == "nobody":
        headers["Origin"] = str(client.base_url).rstrip("/")
    content = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = client.request(
            step.method, asked, headers=headers, content=None if body is None else content
        )
        assert answer.is_success, f"{step.method} {asked}: {answer.status_code} {answer.text}"
        kind = answer.headers.get("content-type", "").partition(";")[0]
        answered = answer.json() if kind == "application/json" else answer.text
        if step.until is None or answered["state"] == step.until:
            break
        assert time.monotonic() < deadline, answered
        time.sleep(0.1)
    return Recorded(
        method=step.method,
        path=step.path,
        asked=asked,
        status=answer.status_code,
        sent=body,
        sent_type=media_type,
        answered=answered or None,
        answered_type=kind or None,
    )


def _require_declared(document: Any, one: Recorded) -> None:
    """The answer is of the declared status, kind and schema."""
    declared = document["paths"][one.path][one.method.lower()]["responses"][str(one.status)]
    if one.answered is None:
        assert "content" not in declared
        return
    schema = declared["content"][one.answered_type]["schema"]
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(one.answered)


def test_every_address_has_an_example() -> None:
    """Also one that is new."""
    from api.generate import openapi_text

    document = msgspec.json.decode(openapi_text())
    known = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert known - ELSEWHERE == {(step.method, step.path) for step in STEPS}


def test_the_examples_are_what_the_sample_company_answers(answers: list[Recorded]) -> None:
    """Requests and answers, but for instants and ids that are each run's own."""
    if os.environ.get("PACEBOARD_RECORD"):
        text = msgspec.json.format(msgspec.json.encode(answers), indent=1)
        recorded.PATH.write_bytes(text + b"\n")
    shown = msgspec.json.decode(recorded.PATH.read_bytes(), type=list[Recorded])
    assert [(one.method, one.path) for one in shown] == [(one.method, one.path) for one in answers]
    wrong = [
        f"{now.method} {now.asked}: {difference}"
        for now, then in zip(answers, shown, strict=True)
        for difference in _differences(now, then)
    ]
    assert not wrong, "\n".join(wrong)


def _differences(now: Recorded, then: Recorded) -> Iterator[str]:
    # How far it is when the answer is given is another matter each time.
    under_way = now.status == 202 and now.path.startswith("/v1/imports")
    if under_way:
        if set(now.answered) != set(then.answered):
            yield "other fields"
    else:
        yield from _unlike(now.answered, then.answered, "")
    for name in ("status", "sent", "answered_type"):
        if getattr(now, name) != getattr(then, name):
            yield f"{name} {getattr(now, name)!r}, not {getattr(then, name)!r}"


def _unlike(now: Any, then: Any, place: str) -> Iterator[str]:
    if isinstance(now, dict) and isinstance(then, dict) and set(now) == set(then):
        for name in now:
            yield from _unlike(now[name], then[name], f"{place}/{name}")
    elif isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        for number, (one, other) in enumerate(zip(now, then, strict=True)):
            yield from _unlike(one, other, f"{place}/{number}")
    elif place.rpartition("/")[2] in OWN and type(now) is type(then):
        return
    elif now != then and not (_is_instant(now) and _is_instant(then)):
        yield f"{place} is {now!r}, was {then!r}"


def _is_instant(given: Any) -> bool:
    if not isinstance(given, str) or "T" not in given:
        return False
    try:
        dt.datetime.fromisoformat(given)
    except ValueError:
        return False
    return True
