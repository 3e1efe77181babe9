"""Health, metrics, pages, the documents: what operators, browsers and integrators rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from api import problems
from api.catalogue import catalogue
from api.generate import ERRORS, TARGET, openapi_text
from api.outbound import KafkaDeals
from schemas.settings import Settings
from tests.api.support import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_alive_and_ready(api: Served) -> None:
    assert (await api.get("/livez")).json() == {"alive": True}
    answer = await api.get("/readyz")
    found = answer.json()
    assert answer.status_code == 200, found
    assert found["ready"] is True and found["reasons"] == []
    assert "PostgreSQL" in found["database"]
    assert found["deals_partitions"] == 12


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PACEBOARD_KAFKA": "127.0.0.1:1"}, "kafka: it does not answer"),
        ({"PACEBOARD_TOPIC_PREFIX": "nothing-here"}, "kafka: there is no deals topic"),
        (
            {"PACEBOARD_API_DATABASE_URL": "postgresql://paceboard_api:x@127.0.0.1:1/x"},
            "database: it does not answer",
        ),
    ],
)
async def test_not_ready_says_why(
    settings: Settings, change: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaDeals.__init__, "__kwdefaults__", {"seconds": 1})
    async with served(settings.but(**change)) as api:
        answer = await api.get("/readyz")
        assert answer.status_code == 503
        assert [r for r in answer.json()["reasons"] if r.startswith(reason)], answer.json()
        assert (await api.get("/livez")).status_code == 200


async def test_metrics_for_this_machine(api: Served) -> None:
    await api.get("/livez")
    text = (await api.get("/metrics")).text
    assert 'paceboard_http_request_seconds_count{method="GET",route="/livez",status="200"}' in text
    assert "paceboard_live_connections 0.0" in text
    assert "paceboard_live_sent_total" in text
    assert "paceboard_database_pool_size" in text


async def test_metrics_with_a_token(settings: Settings) -> None:
    async with served(settings.but(PACEBOARD_METRICS_TOKEN="secret")) as api:
        assert (await api.get("/metrics")).status_code == 404
        for given, status in (("secret", 200), ("other", 404)):
            headers = {"Authorization": f"Bearer {given}"}
            assert (await api.get("/metrics", headers=headers)).status_code == status


async def test_without_the_demo_nobody_signs_in(settings: Settings) -> None:
    async with served(settings.but(PACEBOARD_DEMO="0")) as api:
        answer = await api.client.post("/v1/session", json={"user_id": "ada"})
        assert answer.status_code == 404
        assert (await api.get("/v1/demo/users")).status_code == 404


async def test_pages_that_are_not_built_say_what_to_do(settings: Settings, tmp_path: Path) -> None:
    async with served(settings.but(PACEBOARD_WEB=str(tmp_path))) as api:
        answer = await api.get("/")
        assert answer.status_code == 503
        assert "make setup" in answer.text
        assert (await api.get("/assets/x.js")).status_code == 404


async def test_the_pages(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>Board</title>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-abc12345.js").write_text("1")
    (tmp_path / "secret.txt").write_text("no")
    async with served(settings.but(PACEBOARD_WEB=str(tmp_path))) as api:
        for path in ("/", "/boards/sellers", "/people/p-ada"):
            answer = await api.get(path)
            assert (answer.status_code, answer.text) == (200, "<!doctype html><title>Board</title>")
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cache-control"] == "no-cache"
        asset = await api.get("/assets/index-abc12345.js")
        assert "immutable" in asset.headers["cache-control"]
        assert asset.headers["x-content-type-options"] == "nosniff"
        for path in ("/secret.txt", "/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/x"):
            missing = await api.get(path)
            assert missing.status_code == 404
            assert missing.headers["content-type"] == "application/problem+json"


async def test_the_documentation_needs_no_script_and_nothing_from_elsewhere(api: Served) -> None:
    text = (await api.get("/docs")).text
    assert "<script" not in text and "http://" not in text and "https://" not in text
    assert 'id="postDeals"' in text and 'id="problem-not-found"' in text
    assert (await api.get("/docs/style.css")).headers["content-type"].startswith("text/css")


async def test_the_kept_document_is_current(api: Served) -> None:
    assert TARGET.read_text() == openapi_text(), "run: python -m api.generate"
    assert (await api.get("/v1/openapi.json")).json() == json.loads(TARGET.read_text())


def operations(document: Any) -> list[Any]:
    return [op for item in document["paths"].values() for op in item.values()]


async def test_every_example_fits_its_schema_and_is_accepted(api: Served) -> None:
    document = json.loads(TARGET.read_text())
    tried = 0
    for operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = {**content["schema"], "components": document["components"]}
            for example in content.get("examples", {}).values():
                jsonschema.Draft202012Validator(schema).validate(example["value"])
                tried += 1
    assert tried >= 3
    deals = document["paths"]["/v1/deals"]["post"]["requestBody"]["content"]["application/json"]
    for example in deals["examples"].values():
        assert (await api.post_deals(example["value"])).status_code == 202


async def test_answers_fit_their_schemas(api: Served) -> None:
    document = json.loads(TARGET.read_text())
    for path, user_id in (
        ("/v1/boards", "ada"),
        ("/v1/boards/sellers/standings", "ada"),
        ("/v1/payees/p-ada/progress", "ada"),
        ("/v1/periods", "ada"),
        ("/v1/me", "meg"),
        ("/v1/session", "ann"),
        ("/v1/demo/users", None),
        ("/readyz", None),
    ):
        template = path.replace("sellers", "{board_id}").replace("p-ada", "{payee_id}")
        answers = document["paths"][template]["get"]["responses"]
        content = answers["200"]["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        answer = await api.get(path, user_id)
        assert answer.status_code == 200
        jsonschema.Draft202012Validator(schema).validate(answer.json())


async def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for operation in operations(json.loads(TARGET.read_text()))]
    assert len(ids) == len(set(ids))


async def test_the_error_catalogue_is_the_codes_and_each_type_leads_to_its_place(
    api: Served,
) -> None:
    """docs/errors.md as generated; the address in a problem's type is served, with what to do."""
    assert ERRORS.read_text() == catalogue()
    page = (await api.client.get("/docs")).text
    for kind in problems.KINDS:
        address = problems.TYPE_PREFIX + kind.slug
        assert address.startswith("/docs#")
        section = page.partition(f'id="{address.removeprefix("/docs#")}"')[2].partition(
            "</section>"
        )
        assert "What to do." in section[0], kind
        assert f"### problem-{kind.slug}\n" in ERRORS.read_text()
