"""Two people in two tabs of a real browser, from the request to its proven end.

With PRODACCESS_SCREENSHOTS=DIRECTORY the pictures of the documentation are taken on the way.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from prodaccess.demo.stack import Stack
from prodaccess.demo.terminal import Terminal

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = os.environ.get("PRODACCESS_SCREENSHOTS", "")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed; tests/install-parts says how")


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    async with Stack() as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        await chromium.close()


async def a_tab(browser: Browser, stack: Stack, who: str) -> Page:
    context = await browser.new_context(viewport={"width": 1360, "height": 860}, device_scale_factor=1.5)
    page = await context.new_page()
    await page.goto(f"{stack.slack.url}/ui/?as={who}")
    for _ in range(5):  # what is loaded a moment later may bring the first channel back
        await page.get_by_role("button", name=re.compile("prod-access")).click()
        await page.wait_for_timeout(300)
        if await page.get_by_role("heading", name="prod-access").is_visible():
            break
    return page


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.wait_for_timeout(400)  # let what moves come to rest
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def type_line(page: Page, line: str) -> None:
    box = page.get_by_role("textbox", name="Message", exact=True)
    await box.fill(line)
    await box.press("Escape")  # closes the suggestions
    await box.press("Enter")


async def test_two_people_from_request_to_revocation(stack: Stack, browser: Browser) -> None:
    linus, ada = await a_tab(browser, stack, "linus"), await a_tab(browser, stack, "ada")

    # linus opens the form, sees what he may ask for, and fills it in
    await type_line(linus, "/prodaccess")
    form = linus.get_by_role("dialog")
    await expect(form).to_be_visible()
    await form.locator("[data-action-id=target]").select_option("orders-db")
    await form.get_by_label(re.compile("Reason|Why")).fill("refunds stuck since the deploy of 13:40")
    await form.get_by_label(re.compile("Ticket")).fill("not a ticket")
    await picture(linus, "request")
    await form.locator("[data-view=submit]").click()
    await expect(form.get_by_text(re.compile("does not look like a ticket"))).to_be_visible()
    await form.get_by_label(re.compile("Ticket")).fill("OPS-412")
    await form.locator("[data-view=submit]").click()
    await expect(form).to_be_hidden()

    # ada sees the card and approves; linus' own button does nothing but tell him so
    card = ada.get_by_role("log", name="Messages").get_by_text(re.compile("PA-1")).first
    await expect(card).to_be_visible()
    await picture(ada, "card")
    await linus.locator("[data-action-id=approve]").first.click()
    await expect(linus.get_by_text("own request").first).to_be_visible()
    await ada.locator("[data-action-id=approve]").first.click()
    await expect(ada.get_by_text(re.compile("Active until|active until")).first).to_be_visible()

    # linus signs his terminal in and uses it
    await type_line(linus, "/prodaccess login")
    code = linus.get_by_text(re.compile(r"[A-Z2-7]{4}-[A-Z2-7]{4}")).last
    await expect(code).to_be_visible()
    found = re.search(r"[A-Z2-7]{4}-[A-Z2-7]{4}", await code.inner_text())
    assert found
    with Terminal(stack.server.url, stack.issuers.postgres.psql.parent) as terminal:
        await terminal.must("login", found.group())
        said = await terminal.must("run", "PA-1", "--", "psql", "-tAc", "SELECT current_user")
        assert said.out.startswith("pa_linus-pa-1_")

    # ada reads the thread, then ends it; the thread says so, with proof
    await ada.get_by_role("button", name=re.compile(r"repl(y|ies)")).last.click()
    thread = ada.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_text(re.compile("Credential 1 issued"))).to_be_visible()
    await type_line(ada, "/prodaccess end PA-1")
    await expect(thread.get_by_text(re.compile("Ended .* Open for"))).to_be_visible(timeout=10_000)
    await expect(thread.get_by_text(re.compile("refused the old login"))).to_be_visible()
    await picture(ada, "thread")
    await expect(ada.locator("[data-action-id=approve]")).to_have_count(0)
