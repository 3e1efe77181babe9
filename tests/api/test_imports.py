"""Files over HTTP: tried out, loaded once, errors given back; what was said is booked."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from ingest.xlsx_writing import write
from schemas import limits
from schemas.settings import Settings
from tests.api.support import Served, bearer, deal, served
from tests.database import ADA, BEN, connected
from tests.workers import WorkerProcess, worker

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAPPING = {
    "source": "crm",
    "columns": {
        "key": "Order",
        "revision": "Version",
        "changed_on": "Changed",
        "status": "State",
        "amount": "Net",
        "closed_on": "Won on",
        "owner_key": "Seller",
        "name": "Name",
    },
    "constants": {"currency": "USD"},
    "values": {"status": {"Gewonnen": "won", "Offen": "open"}},
    "date_formats": ["%d.%m.%Y"],
    "decimal": ",",
    "grouping": ".",
}
HEADER = "Order;Version;Changed;State;Net;Won on;Seller;Name"


@pytest.fixture(scope="module")
def running(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    """A worker that books what is sent."""
    with worker(settings, tmp_path_factory.mktemp("worker") / "log") as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(settings: Settings, running: WorkerProcess) -> AsyncIterator[Served]:
    async with served(settings) as found:
        yield found


def csv(*lines: str) -> bytes:
    """As Excel writes it in Germany: a byte order mark, semicolons, decimal commas."""
    return "\r\n".join((HEADER, *lines, "")).encode("utf-8-sig")


def line(key: str, net: str, *, version: int = 1, seller: str = "ada", name: str = "José") -> str:
    return f"{key};{version};10.02.2024;Gewonnen;{net};10.02.2024;{seller};{name}"


async def _send(api: Served, content: bytes, user: str = "ann", **query: str) -> Any:
    everything = {"mapping": json.dumps(MAPPING), "file_name": "Aufträge.csv", **query}
    given = {name: value for name, value in everything.items() if value}
    return await api.client.post(
        "/v1/imports/deals",
        content=content,
        params=given,
        headers={**bearer(api.settings, user), "Content-Type": "text/csv"},
    )


async def _until(api: Served, import_id: str, *states: str) -> Any:
    async with asyncio.timeout(120):
        while True:
            found = (await api.get(f"/v1/imports/{import_id}", "ann")).json()
            if found["state"] in states:
                return found
            await asyncio.sleep(0.05)


async def _checked(api: Served, content: bytes, **query: str) -> Any:
    sent = await _send(api, content, **query)
    assert sent.status_code == 202, sent.text
    found = await _until(api, sent.json()["import_id"], "checked", "failed")
    assert found["state"] == "checked", found["problem"]
    return found


async def _loaded(api: Served, import_id: str) -> Any:
    path = f"/v1/imports/{import_id}/commit"
    sent = await api.client.post(path, headers=bearer(api.settings, "ann"))
    assert sent.status_code == 202, sent.text
    return await _until(api, import_id, "done", "failed")


def _earned(settings: Settings) -> dict[str, Decimal]:
    with connected(settings, "api") as conn:
        return dict(conn.execute("SELECT payee_id, sum(earned) FROM ledger GROUP BY 1").fetchall())


async def test_what_a_dry_run_says_is_what_is_booked(api: Served, settings: Settings) -> None:
    """New and refused rows, the money by payee; nothing before the commit; the same to the cent."""
    found = await _checked(
        api,
        csv(
            line("A1", "32.184,03"),
            line("A2", "80.000,00"),
            line("B1", "1.000,50", seller="ben"),
            line("X1", "12.5"),
            "X2;1;10.02.2024;Gewonnen",
        ),
    )
    counts = found["counts"]
    assert {name: counts[name] for name in ("rows", "new", "changed", "refused")} == {
        "rows": 5,
        "new": 3,
        "changed": 0,
        "refused": 2,
    }
    assert [fault["row"] for fault in found["first_errors"]] == [5, 6]
    assert _earned(settings) == {}
    said = {one["payee"]["payee_id"]: Decimal(one["earned"]) for one in found["effects"]}
    done = await _loaded(api, found["import_id"])
    assert (done["state"], done["counts"]["sent"], done["moved"]) == ("done", 3, None)
    assert _earned(settings) == said
    assert said[ADA] > said[BEN] > 0
    again = await _loaded(api, found["import_id"])
    assert again["counts"] == done["counts"] and _earned(settings) == said


async def test_the_error_file_is_mended_and_loaded_again(api: Served) -> None:
    """The same rows and columns, with the reason; once mended it goes through, columns and all."""
    found = await _checked(api, csv(line("E1", "1,00"), line("E2", "zwei")))
    errors = await api.get(f"/v1/imports/{found['import_id']}/errors", "ann")
    assert errors.status_code == 200 and "Auf" in errors.headers["content-disposition"]
    text = errors.content.decode("utf-8-sig")
    header, row = text.strip().splitlines()
    assert header.startswith(HEADER) and "José" in row and "zwei" in row
    mended = text.replace("zwei", "2,00").encode("utf-8-sig")
    again = await _checked(api, mended)
    assert (again["counts"]["new"], again["counts"]["refused"]) == (1, 0)
    fine = await _checked(api, csv(line("E1", "1,00")))
    assert not fine["has_error_file"]
    assert (await api.get(f"/v1/imports/{fine['import_id']}/errors", "ann")).status_code == 404


async def test_the_same_file_twice_changes_nothing(api: Served, settings: Settings) -> None:
    """Known rows are unchanged, older ones superseded; the file is known again."""
    content = csv(line("S1", "10,00"), line("S2", "20,00"))
    first = await _checked(api, content)
    await _loaded(api, first["import_id"])
    before = _earned(settings)
    second = await _checked(api, content)
    assert second["was_loaded_before"]
    assert (second["counts"]["unchanged"], second["counts"]["new"], second["effects"]) == (2, 0, [])
    await _loaded(api, second["import_id"])
    assert _earned(settings) == before
    changed = await _checked(api, csv(line("S1", "15,00", version=2), line("S2", "1,00")))
    assert (changed["counts"]["changed"], changed["counts"]["refused"]) == (1, 1)
    assert changed["first_errors"][0]["code"] == "equal_revision_conflict"
    older = await _checked(api, csv(line("S1", "99,00", version=0)))
    assert older["counts"]["superseded"] == 1


async def test_a_workbook_is_read_as_what_it_is(api: Served) -> None:
    """Columns, first rows and a guess; then the same dry run as for CSV."""
    import io

    target = io.BytesIO()
    header = HEADER.split(";")
    write(target, header, [line("W1", "7,00").split(";")], sheet="Aufträge")
    xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    looked = await api.client.post(
        "/v1/imports/columns",
        content=target.getvalue(),
        params={"file_name": "Aufträge.xlsx"},
        headers={**bearer(api.settings, "ann"), "Content-Type": xlsx},
    )
    assert looked.status_code == 200, looked.text
    found = looked.json()
    assert (found["header"], found["sheet"]) == (header, "Aufträge")
    assert found["guess"]["columns"]["key"] == "Order"
    assert found["sample"] == [line("W1", "7,00").split(";")]
    checked = await _checked(api, target.getvalue())
    assert checked["counts"]["new"] == 1


@pytest.mark.parametrize(
    ("content", "query", "status"),
    [
        (b"", {}, 422),
        (b"\xd0\xcf\x11\xe0old", {}, 422),
        (csv(), {"mapping": "{"}, 422),
        (csv(), {"mapping": '{"source": "crm", "columns": {"nothing": "X"}}'}, 422),
        (csv(), {"mapping_id": "erp"}, 400),
        (csv(), {"history": "yes"}, 400),
        (csv(), {"sheet": "1"}, 400),
        (b"x" * (limits.IMPORT_BYTES_MAX + 1), {}, 413),
    ],
)
async def test_what_is_no_file_is_refused_at_once(
    api: Served, content: bytes, query: dict[str, str], status: int
) -> None:
    """In words, and nothing is kept."""
    before = (await api.get("/v1/imports", "ann")).json()["rows"]
    answer = await _send(api, content, **query)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert (await api.get("/v1/imports", "ann")).json()["rows"] == before


async def test_a_file_without_its_columns_fails_in_words(api: Served) -> None:
    """What is missing is named; it cannot be committed."""
    sent = await _send(api, b"Order,Net\r\n1,2\r\n")
    found = await _until(api, sent.json()["import_id"], "failed")
    assert "Version" in found["problem"]
    path = f"/v1/imports/{found['import_id']}/commit"
    answer = await api.client.post(path, headers=bearer(api.settings, "ann"))
    assert answer.status_code == 409


async def test_files_are_the_admins(api: Served) -> None:
    """For anybody else there are none."""
    for user in ("ada", "meg", "loader"):
        assert (await _send(api, csv(), user)).status_code == 404
        assert (await api.get("/v1/imports", user)).status_code == 404
        assert (await api.get("/v1/mappings", user)).status_code == 404


async def test_a_template_goes_through_as_it_is(api: Served) -> None:
    """Its one row is valid, in both forms, by the mapping that is guessed."""
    for form in ("csv", "xlsx"):
        got = await api.get("/v1/imports/template", "ann", params={"form": form})
        headers = {**bearer(api.settings, "ann"), "Content-Type": "text/csv"}
        looked = await api.client.post("/v1/imports/columns", content=got.content, headers=headers)
        guess = json.dumps(looked.json()["guess"])
        found = await _checked(api, got.content, mapping=guess)
        assert (found["counts"]["new"], found["counts"]["refused"]) == (1, 0), found


async def test_a_mapping_is_changed_only_by_who_has_seen_it(
    api: Served, settings: Settings
) -> None:
    """Created once, changed by its ETag, forgotten; each in the audit; a bad one is refused."""
    path = "/v1/mappings/erp-orders"
    body = {"name": "ERP", "source": "crm", "document": MAPPING}
    ann = bearer(settings, "ann")

    async def put(what: Any, **conditions: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in conditions.items()}
        return await api.client.put(path, json=what, headers={**ann, **given})

    assert (await put(body)).status_code == 428
    created = await put(body, If_None_Match="*")
    assert created.status_code == 201, created.text
    assert (await put(body, If_None_Match="*")).status_code == 412
    assert (await put({**body, "name": "E"}, If_Match='"1"')).status_code == 412
    changed = await put({**body, "name": "E"}, If_Match=created.headers["etag"])
    assert changed.status_code == 200
    assert (await put({**body, "name": "F"}, If_Match=created.headers["etag"])).status_code == 412
    bad = {**body, "document": {"source": "crm", "columns": {"key": "Order"}}}
    assert (await put(bad, If_Match=changed.headers["etag"])).status_code == 422
    seen = await api.get(path, "ann")
    assert seen.json()["name"] == "E" and seen.headers["etag"] == changed.headers["etag"]
    same = await api.get(path, "ann", headers={"If-None-Match": changed.headers["etag"]})
    assert same.status_code == 304
    used = await _checked(api, csv(line("M1", "1,00")), mapping="", mapping_id="erp-orders")
    assert used["mapping_id"] == "erp-orders"
    gone = await api.client.delete(path, headers={**ann, "If-Match": changed.headers["etag"]})
    assert gone.status_code == 204
    assert (await api.get(path, "ann")).status_code == 404
    with connected(settings, "api") as conn:
        audited = conn.execute(
            "SELECT action FROM audit WHERE entity = 'mapping/erp-orders' ORDER BY id"
        ).fetchall()
    assert [row[0] for row in audited] == ["save mapping", "save mapping", "forget mapping"]


async def test_history_is_listed_page_by_page(api: Served) -> None:
    """Newest first, each once; by state as a naive filter has it."""
    whole = (await api.get("/v1/imports", "ann", params={"limit": "500"})).json()["rows"]
    created = [row["created_at"] for row in whole]
    assert created == sorted(created, reverse=True)
    seen: list[str] = []
    cursor = None
    while cursor is not None or not seen:
        given = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await api.get("/v1/imports", "ann", params=given)).json()
        seen += [row["import_id"] for row in page["rows"]]
        cursor = page["next_cursor"]
    assert seen == [row["import_id"] for row in whole]
    done = (await api.get("/v1/imports", "ann", params={"state": "done"})).json()["rows"]
    assert done == [row for row in whole if row["state"] == "done"]
    assert all(dt.datetime.fromisoformat(row["created_at"]).tzinfo for row in whole)


async def test_a_row_refused_since_the_dry_run_is_given_back(api: Served) -> None:
    """Another sender was quicker with the same revision: it stands in the error file."""
    content = csv(line("race", "10,00"), line("calm", "10,00"))
    found = await _checked(api, content)
    assert found["has_error_file"] is False
    await api.post_deals(deal("race", amount="99.00"), "ann")
    async with asyncio.timeout(60):
        while (await api.get("/v1/deals/crm:race", "ann")).status_code != 200:
            await asyncio.sleep(0.05)
    done = await _loaded(api, found["import_id"])
    assert (done["counts"]["refused"], done["counts"]["sent"]) == (1, 1)
    assert done["moved"] is not None
    errors = await api.get(f"/v1/imports/{found['import_id']}/errors", "ann")
    assert "race" in errors.text and "calm" not in errors.text
