"""The first hours of a seller, a manager, an administrator and a developer on the sample company.

In a real browser against the running product. Every page is also looked at on a phone and on a
laptop, light and dark: no sideways scrolling, nothing serious for axe, no error on the console;
the pictures are kept in .paceboard/screens.
"""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploy.local.places import Places
from deploy.local.stack import Stack
from ingest import adventureworks
from schemas.topics import DEALS
from tests.database import connected
from tests.e2e.company import COLLEAGUE, MANAGER, SELLER, next_days, sample_site
from tests.e2e.support import ARGUMENTS, PATIENCE_MS, Site, deal, post
from tests.workers import settle, wait_until

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
SIZES = {"phone": (360, 780), "laptop": (1280, 800)}
THEMES = ("light", "dark")
ONLINE = "SO43697"


@pytest.fixture(scope="module")
def site(
    stack: Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with sample_site(stack, migrated_template, tmp_path_factory.mktemp("hours")) as found:
        yield found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS.split())
        yield opened
        opened.close()


@contextmanager
def signed_in(browser: Browser, site: Site, name: str) -> Iterator[Page]:
    """A page of somebody's own browser; what it says on its console is an error at the end."""
    width, height = SIZES["laptop"]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site.address)
    page.get_by_text(name).first.click()
    page.locator('button[aria-label="Sign out"]').wait_for(state="attached")
    try:
        yield page
        assert errors == []
    finally:
        context.close()


def look_at(browser: Browser, site: Site, name: str, shot: str, path: str, ready: str) -> None:
    """A page at both sizes and in both themes: kept as pictures, and held to what all pages are."""
    folder = Places.here().state / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    with signed_in(browser, site, name) as page:
        for size, theme in itertools.product(SIZES, THEMES):
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.goto(f"{site.address}{path}")
            page.locator(ready).first.wait_for()
            page.wait_for_timeout(700)  # numbers have counted up
            page.screenshot(path=str(folder / f"{shot}-{size}-{theme}.png"), full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{shot} scrolls sideways by {wide} px on a {size}"
            assert _axe(page) == [], f"{shot}, {size}, {theme}"


def _axe(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


# ---- the seller ----------------------------------------------------------------------------------


def test_a_seller_sees_where_he_stands_and_why_an_order_paid_what_it_paid(
    browser: Browser, site: Site
) -> None:
    """From the first page to the receipt in two clicks, then why another order does not count."""
    with signed_in(browser, site, "Michael Blythe") as page:
        expect(page.locator("[data-headline]")).to_contain_text("%")
        for stamp in ("period", "state", "complete-through", "currency"):
            expect(page.locator(f'[data-stamp="{stamp}"]').first).to_be_visible()
        expect(page.locator("#around")).to_contain_text("Around you")
        feed = page.locator("[data-feed] li").first
        expect(feed).to_contain_text("SO69393: 32,184.03 credited, +386.21 at 1.2 %")
        page.locator('[data-action="find"]').fill("so69393")
        row = page.locator('tr[data-deal="adventureworks:SO69393"]')
        expect(row).to_contain_text("Credited to Michael Blythe.")
        row.get_by_role("link").click()
        expect(page.locator("[data-sentence]").first).to_contain_text(
            "32,184.03 is paid at 1.2 %: 386.20836, which is 386.21"
        )
        expect(page.locator("[data-earned]").first).to_have_text("386.21")
        page.go_back()
        page.locator('[data-action="find"]').fill(ONLINE)
        missing = page.locator('[data-missing="found"]')
        expect(missing).to_contain_text("Not eligible: online order without a seller.")
        page.locator('[data-action="find"]').fill("SO00000")
        expect(page.locator('[data-missing="none"]')).to_contain_text("is not among these deals")
        expect(page.locator('[data-missing="none"]')).to_contain_text("complete")


def test_a_sellers_numbers_tick_without_moving_the_page(browser: Browser, site: Site) -> None:
    """A posted deal arrives in headline, deals and feed; nothing jumps under the reader's eyes."""
    with signed_in(browser, site, "Michael Blythe") as page:
        page.locator("[data-feed] li").first.wait_for()
        page.wait_for_timeout(1_500)
        page.evaluate(
            """() => { window.shift = 0; new PerformanceObserver((list) => {
                 for (const one of list.getEntries()) window.shift += one.value;
               }).observe({ type: 'layout-shift', buffered: false }); }"""
        )
        before = page.locator('[data-col="amount"]').first.inner_text()
        post(site.address, site.token, deal("TICK", "2000.00", closed_on="2014-04-14"))
        expect(page.locator('[data-col="amount"]').first).not_to_have_text(before)
        expect(page.locator("[data-feed] li").first).to_contain_text("TICK")
        shift = page.evaluate("window.shift")
        print(f"layout shift of a tick: {shift:.4f}")  # noqa: T201
        assert shift < 0.1


def test_a_seller_walks_his_page_by_keyboard(browser: Browser, site: Site) -> None:
    """The skip link first; the search by Tab; a deal opened by Enter."""
    with signed_in(browser, site, "Michael Blythe") as page:
        page.locator("[data-feed] li").first.wait_for()
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.dataset.action") == "find":
                break
        else:
            raise AssertionError("the search cannot be reached by Tab")
        page.keyboard.type("SO69393")
        page.locator('tr[data-deal="adventureworks:SO69393"]').wait_for()
        for _ in range(5):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "SO69393":
                break
        page.keyboard.press("Enter")
        expect(page.locator("[data-sentence]").first).to_be_visible()


def test_a_seller_opens_his_statement_to_its_lines(browser: Browser, site: Site) -> None:
    """The sum, its parts, the line of an order; the list of all periods."""
    with signed_in(browser, site, "Michael Blythe") as page:
        page.goto(f"{site.address}/people/{SELLER}/statements")
        page.locator("tr[data-period]").first.get_by_role("link").click()
        expect(page.locator('tr[data-line="SO69393"]')).to_contain_text("1.2 %")
        expect(page.locator('tr[data-line="SO69393"]')).to_contain_text("386.21")
        earned = page.locator("[data-earned]").inner_text().split()[0]
        page.goto(site.address)
        expect(page.locator(".earned")).to_contain_text(earned)


@pytest.mark.parametrize(
    ("shot", "path", "ready"),
    [
        ("seller", f"/people/{SELLER}", "[data-feed] li"),
        ("seller-deal", "/deals/adventureworks:SO69393", "[data-sentence]"),
        ("seller-not-eligible", f"/deals/adventureworks:{ONLINE}", "[data-fate-words]"),
        ("seller-statements", f"/people/{SELLER}/statements", "tr[data-period]"),
        ("seller-statement", f"/people/{SELLER}/statements/2014-03-01", "tr[data-line]"),
        ("board", "/boards/reps", "main [data-col='percent']:visible"),
    ],
)
def test_a_sellers_pages_hold_everywhere(
    browser: Browser, site: Site, shot: str, path: str, ready: str
) -> None:
    """Phone and laptop, light and dark."""
    look_at(browser, site, "Michael Blythe", shot, path, ready)


# ---- the manager ---------------------------------------------------------------------------------


def test_a_manager_is_warned_acts_and_sees_it_clear(browser: Browser, site: Site) -> None:
    """Alerts raised live after two working days, evidence, acknowledged with a note, cleared."""
    with signed_in(browser, site, "Stephen Jiang") as page:
        expect(page.locator("[data-reconciliation]")).to_contain_text("own ledger")
        next_days(site, 16)
        row = page.locator("a[data-alert]").filter(has_text="Michael Blythe")
        expect(row.first).to_be_visible()
        row.first.click()
        evidence = page.locator("[data-evidence]")
        expect(evidence).to_contain_text("Michael Blythe is off pace")
        for fact in ("credited", "quota", "expected", "short", "required"):
            expect(evidence.locator(f'[data-fact="{fact}"]')).to_contain_text(".")
        expect(evidence).to_contain_text("SO69393")
        evidence.locator('[data-action="acknowledge"]').click()
        page.locator('[data-form="note"] textarea').fill("We talk on Friday about two open offers.")
        page.get_by_role("button", name="Acknowledge", exact=True).last.click()
        expect(evidence.locator("[data-alert-state]")).to_have_attribute(
            "data-alert-state", "acknowledged"
        )
        expect(evidence).to_contain_text("We talk on Friday")
        page.locator('[data-tab="acknowledged"]').click()
        expect(page.locator("a[data-alert]").filter(has_text="Michael Blythe")).to_have_count(1)
        sums = page.locator("[data-sums]")
        total = sums.locator('[data-sum="credited"]').inner_text()
        assert total == sums.locator('[data-sum="ledger"]').inner_text()
        post(site.address, site.token, deal("BIG", "900000.00", closed_on="2014-04-16"))
        expect(sums.locator('[data-sum="credited"]')).not_to_have_text(total)
        next_days(site, 21)
        page.locator('[data-tab="cleared"]').click()
        expect(page.locator("a[data-alert]").filter(has_text="Michael Blythe")).to_have_count(1)


def test_a_manager_opens_his_sellers_page_and_it_is_written_down(
    browser: Browser, site: Site
) -> None:
    """The same page, with a banner; another manager's seller is not there."""
    with signed_in(browser, site, "Stephen Jiang") as page:
        page.locator(f'tr[data-payee="{COLLEAGUE}"] a').first.click()
        expect(page.locator("[data-viewing]")).to_contain_text("You are viewing Linda Mitchell")
        expect(page.locator("[data-headline]")).to_contain_text("%")
        page.goto(f"{site.address}/people/{adventureworks.payee_id('286')}")
        expect(page.locator('[data-state="refused"]')).to_be_visible()
    with connected(site.settings, "api") as conn:
        row = conn.execute(
            "SELECT count(*) FROM audit WHERE action = 'view_as' AND entity = %s", (COLLEAGUE,)
        ).fetchone()
    assert row is not None and row[0] >= 1


@pytest.mark.parametrize(
    ("shot", "path", "ready"),
    [
        ("manager", f"/team/{MANAGER}", "tr[data-payee]"),
        ("manager-seller", f"/people/{SELLER}", "[data-viewing]"),
    ],
)
def test_a_managers_pages_hold_everywhere(
    browser: Browser, site: Site, shot: str, path: str, ready: str
) -> None:
    """Phone and laptop, light and dark."""
    look_at(browser, site, "Stephen Jiang", shot, path, ready)


def test_an_alerts_page_holds_everywhere(browser: Browser, site: Site) -> None:
    """At its own address, which can be sent on."""
    found = _get(site, "/v1/alerts")["rows"][0]["alert_id"]
    look_at(browser, site, "Stephen Jiang", "alert", f"/alerts/{found}", "[data-evidence]")


# ---- the administrator ---------------------------------------------------------------------------


def test_an_admin_finds_what_waits_and_why(browser: Browser, site: Site) -> None:
    """Held by reason, a refused message with its reason, what is not eligible counted apart."""
    producer = KafkaProducer(bootstrap_servers=site.settings.kafka)
    topic = DEALS.full_name(site.settings.topic_prefix)
    producer.send(topic, key=b"adventureworks:SO1", value=b'{"source": "adventureworks"}').get(30)
    producer.close()
    settle(site.settings, site.worker)
    with signed_in(browser, site, "Dana Whitfield") as page:
        expect(page.locator('[data-figure="held"]')).to_have_text("1")
        expect(page.locator('[data-figure="dead-letters"]')).to_have_text("1")
        expect(page.locator("body")).to_contain_text("Online order without a seller")
        page.get_by_role("link", name="Held shares").first.click()
        expect(page.locator('tr[data-deal="adventureworks:SO69394"]')).to_contain_text("9999")
        page.goto(f"{site.address}/admin/dead-letters")
        page.locator("a[data-letter]").first.click()
        expect(page.locator("[data-problem]").first).to_contain_text("key")
        expect(page.locator("[data-value]")).to_contain_text('"source": "adventureworks"')
        expect(page.locator("[data-next-step]")).to_contain_text("Mend the named field")
        page.goto(f"{site.address}/admin/not-eligible")
        expect(page.locator("main table")).to_contain_text("online order without a seller")


def test_an_admin_locks_a_period_after_its_checks(browser: Browser, site: Site) -> None:
    """Each warning is looked at first; the statements are frozen; the next one is offered."""
    with signed_in(browser, site, "Dana Whitfield") as page:
        page.goto(f"{site.address}/admin/periods/2011-05-31")
        button = page.locator('[data-action="lock"]')
        expect(button).to_be_visible()
        for box in page.get_by_label("I have looked at it").all():
            box.check()
        button.click()
        page.locator('[data-action="confirm-lock"]').click()
        expect(page.locator('[data-phase="locked"]')).to_contain_text("statements frozen")
        page.goto(f"{site.address}/admin")
        expect(page.locator('[data-figure="period"]')).not_to_contain_text("31 May")


def test_an_admin_loads_a_file_and_sees_what_it_does_first(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    """Columns guessed, a mapping saved, counts and money before, a refused row to mend."""
    text = (
        "Auftrag;Version;Geändert am;Status;Betrag;Währung;Abgeschlossen am;Verkäufer\r\n"
        "DE-1;1;14.04.2014;gewonnen;1.000,50;USD;14.04.2014;275\r\n"
        "DE-2;1;14.04.2014;gewonnen;viel;USD;14.04.2014;276\r\n"
    )
    file = tmp_path / "adventureworks.csv"
    file.write_bytes(text.encode("utf-8-sig"))
    with signed_in(browser, site, "Dana Whitfield") as page:
        page.goto(f"{site.address}/imports")
        page.locator('[data-action="file"]').set_input_files(str(file))
        page.locator('[data-map="key"]').wait_for()
        for field, column in (
            ("key", "Auftrag"),
            ("revision", "Version"),
            ("changed_on", "Geändert am"),
            ("status", "Status"),
            ("amount", "Betrag"),
            ("currency", "Währung"),
            ("closed_on", "Abgeschlossen am"),
            ("owner_key", "Verkäufer"),
        ):
            page.locator(f'[data-map="{field}"] select').select_option(label=column)
        page.locator('[data-field="numbers"]').select_option(label="32.184,03")
        page.locator('[data-field="dates"]').select_option(label="31.03.2014")
        page.locator('[data-field="save-as"]').fill("Deutsche Datei")
        page.get_by_role("button", name="Save mapping").click()
        expect(page.locator("body")).to_contain_text("Saved as Deutsche Datei")
        page.locator('[data-action="try"]').click()
        expect(page.locator('[data-count="new"]')).to_have_text("1")
        expect(page.locator('[data-count="refused"]')).to_have_text("1")
        expect(page.locator(f'[data-effect="{SELLER}"]')).to_contain_text("+12.0")
        with page.expect_download() as download:
            page.locator('[data-action="errors"]').click()
        errors = download.value.path().read_text(encoding="utf-8-sig")
        assert "DE-2" in errors and "viel" in errors
        page.locator('[data-action="load"]').click()
        expect(page.locator('[data-import-state="done"]')).to_contain_text("Loaded and booked")
    found = _get(site, "/v1/deals/adventureworks:DE-1")
    assert found["deal"]["fate"] == "credited"


@pytest.mark.parametrize(
    ("shot", "path", "ready"),
    [
        ("admin", "/admin", '[data-figure="held"]'),
        ("admin-held", "/admin/held", "tr[data-deal]"),
        ("admin-dead-letters", "/admin/dead-letters", "a[data-letter]"),
        ("admin-not-eligible", "/admin/not-eligible", "table"),
        ("admin-lock", "/admin/periods/2011-08-31", "[data-phase]"),
        ("admin-files", "/imports", '[data-action="file"]'),
    ],
)
def test_an_admins_pages_hold_everywhere(
    browser: Browser, site: Site, shot: str, path: str, ready: str
) -> None:
    """Phone and laptop, light and dark."""
    look_at(browser, site, "Dana Whitfield", shot, path, ready)


# ---- the developer -------------------------------------------------------------------------------


def test_a_developer_sends_a_deal_and_asks_what_became_of_it(site: Site) -> None:
    """Posted, tracked, opened; broken on purpose, the answer says where and what to do."""
    posted = post(site.address, site.token, deal("DEV-1", "10.00", closed_on="2014-04-14"))
    tracking = posted["deals"][0]["tracking_id"]  # type: ignore[index]
    wait_until(lambda: _get(site, f"/v1/tracking/{tracking}")["fate"] == "credited", "its fate")
    found = _get(site, "/v1/deals/adventureworks:DEV-1")
    assert Decimal(found["receipt"][0]["exact"]) == Decimal("0.12")
    request = urllib.request.Request(
        f"{site.address}/v1/deals",
        data=json.dumps({**deal("DEV-2", "10.00"), "amount": 10}).encode(),
        headers={"Authorization": f"Bearer {site.token}", "Content-Type": "application/json"},
        method="POST",
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    problem = json.load(refused.value)
    assert problem["errors"][0]["pointer"] == "/amount" and problem["errors"][0]["remedy"]


def _get(site: Site, path: str) -> Any:
    request = urllib.request.Request(
        f"{site.address}{path}", headers={"Authorization": f"Bearer {site.token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
