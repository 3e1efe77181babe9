"""People, quotas and plans over HTTP: each sees his own, and an ETag tells whether they changed."""

from __future__ import annotations

import pytest

from db.reference_change import reference_change
from schemas.settings import Settings
from tests.api.support import Served
from tests.database import ADA, BEN, FIRST, MEG, SECOND, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")
LISTS = ("/v1/people", "/v1/quotas", "/v1/plans", "/v1/boards", "/v1/periods")


@pytest.mark.parametrize(
    ("user", "payees"), [("ada", {ADA}), ("meg", {ADA, BEN, MEG}), ("ann", {ADA, BEN, MEG})]
)
async def test_each_sees_his_own_people_quotas_and_plans(
    api: Served, user: str, payees: set[str]
) -> None:
    """A payee himself, a manager all below him, an admin everyone: not a name more."""
    people = (await api.json("/v1/people", user))["people"]
    assert {one["payee_id"] for one in people} == payees
    quotas = (await api.json("/v1/quotas", user))["quotas"]
    assert {ADA} <= {one["payee"]["payee_id"] for one in quotas} <= payees
    plans = (await api.json("/v1/plans", user))["plans"]
    named = {one["payee"]["payee_id"] for plan in plans for one in plan["assignments"]}
    assert {ADA} <= named <= payees


async def test_a_person_stands_with_manager_and_keys(api: Served) -> None:
    """What a program needs in order to send deals that name him."""
    (ada,) = (await api.json("/v1/people", "ada"))["people"]
    assert (ada["name"], ada["role"], ada["manager"]["payee_id"]) == ("Ada", "rep", MEG)
    assert {"source": "crm", "key": "ada"} in ada["keys"]
    quotas = (await api.json("/v1/quotas", "ada"))["quotas"]
    assert [(one["period"], one["amount"], one["currency"]) for one in quotas] == [
        (FIRST, "100000", "USD"),
        (SECOND, "100000", "USD"),
    ]


@pytest.mark.parametrize("path", LISTS)
async def test_who_has_it_already_is_told_so(api: Served, path: str) -> None:
    """304 without a body; another's answer has another ETag, so it never stands for one's own."""
    first = await api.get(path, "ada")
    again = await api.get(path, "ada", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    if path in {"/v1/people", "/v1/quotas"}:
        other = await api.get(path, "meg", headers={"If-None-Match": first.headers["etag"]})
        assert other.status_code == 200


async def test_a_change_gives_another_etag(api: Served, settings: Settings) -> None:
    """The quota that was changed is in the next answer, and the old ETag is not current."""
    first = await api.get("/v1/quotas", "ada")
    with (
        connected(settings, "api") as conn,
        reference_change(conn, actor="test", action="quota", entity=ADA) as change,
    ):
        change.put("quotas", [{"payee_id": ADA, "period_id": SECOND, "amount": "120000"}])
    held = {"If-None-Match": first.headers["etag"]}
    second = await api.get("/v1/quotas", "ada", headers=held)
    assert second.status_code == 200
    amounts = [one["amount"] for one in second.json()["quotas"]]
    assert amounts == ["100000", "120000"]
