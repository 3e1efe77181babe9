"""The whole way, in a real browser: a deal by HTTP moves the seller's row on the open page."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from cli import business
from cli.commands.token import bearer_for
from cli.sample import load_company
from deploy.local.stack import Stack
from ingest import adventureworks
from schemas.settings import Settings
from tests.database import connected, copied
from tests.e2e.support import ARGUMENTS, PATIENCE_MS, Site, api, deal, free_port, post
from tests.services import unique_name
from tests.workers import settle, wait_until, with_topics, worker

ON_A_MONDAY = dt.datetime(2014, 3, 3, 10, tzinfo=ZoneInfo(adventureworks.TIME_ZONE))
SELLER = adventureworks.payee_id("275")


@pytest.fixture(scope="module")
def settings(stack: Stack, migrated_template: str) -> Iterator[Settings]:
    with copied(stack, migrated_template) as given:
        ready = with_topics(given, unique_name("page"))
        with connected(ready, "api") as conn:
            load_company(conn)
            business.set_clock(conn, business=ON_A_MONDAY, rate=Decimal(0), by="test")
        yield ready


@pytest.fixture(scope="module")
def site(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    token = bearer_for(settings, adventureworks.ADMINISTRATORS[0], scopes=("deals:write",), hours=1)
    with (
        worker(settings, folder / "worker.log") as process,
        api(settings, free_port(), folder / "api.log") as address,
    ):
        post(address, token, deal("first", "20000.00"))
        settle(settings, process)
        yield Site(settings, address, token, process)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS.split())
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(PATIENCE_MS)
        yield opened
        browser.close()


def sign_in(page: Page, address: str, name: str, path: str) -> None:
    page.goto(f"{address}{path}")
    page.get_by_text(name).first.click()


def amount(page: Page, payee: str) -> Decimal:
    text = page.locator(f'[data-payee="{payee}"] [data-col="amount"]').first.inner_text()
    return Decimal(text.split()[0].replace(",", ""))


def test_a_posted_deal_moves_the_row(site: Site, page: Page) -> None:
    """The amount and the percentage follow within a moment; the delay is printed."""
    sign_in(page, site.address, "José Saraiva", "/boards/reps")
    row = page.locator(f'[data-payee="{SELLER}"]').first
    expect(row.locator('[data-col="amount"]')).to_contain_text("20,000.00", timeout=PATIENCE_MS)
    before = row.locator('[data-col="percent"]').inner_text()
    started = time.monotonic()
    post(site.address, site.token, deal("second", "12345.67"))
    expect(row.locator('[data-col="amount"]')).to_contain_text("32,345.67", timeout=PATIENCE_MS)
    print(f"POST to the row's new amount: {(time.monotonic() - started) * 1000:.0f} ms")  # noqa: T201
    assert row.locator('[data-col="percent"]').inner_text() != before
    expect(page.locator("[data-live]").first).to_have_attribute("data-live", "live")


def test_no_pay_stands_on_the_board(site: Site, page: Page) -> None:
    """What the seller earned is nowhere on the page that all may see."""
    sign_in(page, site.address, "José Saraiva", "/boards/reps")
    page.locator(f'[data-payee="{SELLER}"]').first.wait_for()
    text = page.inner_text("body").lower()
    assert "earned" not in text
    assert "commission" not in text


def test_the_seller_sees_his_own_pay_and_nobody_elses(site: Site, page: Page) -> None:
    """His page has the money; a colleague's answers as if it did not exist."""
    sign_in(page, site.address, "Michael Blythe", f"/people/{SELLER}")
    expect(page.locator("body")).to_contain_text("388.15", timeout=PATIENCE_MS)  # 32,345.67 x 1.2 %
    other = adventureworks.payee_id("276")
    status = page.evaluate("async id => (await fetch(`/v1/payees/${id}/progress`)).status", other)
    assert status == 404


def test_a_break_greys_the_numbers_and_heals_by_itself(
    settings: Settings, site: Site, page: Page, tmp_path: Path
) -> None:
    """Within 5 s of a break the page says as of when its numbers are; on return it is live."""
    port = free_port()
    with api(settings, port, tmp_path / "api.log") as address:
        sign_in(page, address, "José Saraiva", "/boards/reps")
        live = page.locator("[data-live]").first
        expect(live).to_have_attribute("data-live", "live", timeout=PATIENCE_MS)
        shown = amount(page, SELLER)
    started = time.monotonic()
    expect(live).to_have_attribute("data-live", "stale", timeout=PATIENCE_MS)
    print(f"stale {time.monotonic() - started:.1f} s after the API was gone")  # noqa: T201
    expect(page.locator("body")).to_contain_text("numbers as of")
    post(site.address, site.token, deal("meanwhile", "1000.00"))
    with api(settings, port, tmp_path / "api.log"):
        expect(live).to_have_attribute("data-live", "live", timeout=PATIENCE_MS)
        wait_until(lambda: amount(page, SELLER) == shown + 1000, "the amount missed meanwhile")


def test_without_a_worker_the_numbers_are_grey_and_say_why(site: Site, page: Page) -> None:
    """The socket lives and nothing moves: that must not look live."""
    sign_in(page, site.address, "José Saraiva", "/boards/reps")
    expect(page.locator("[data-live]").first).to_have_attribute(
        "data-live", "live", timeout=PATIENCE_MS
    )
    site.worker.process.kill()
    expect(page.locator("[data-live]").first).to_have_attribute(
        "data-live", "stale", timeout=PATIENCE_MS
    )
    expect(page.locator('[data-banner="stale"]')).to_contain_text("Nothing is booked right now")
    expect(page.locator("[data-status]").first).to_contain_text("Not booking")
