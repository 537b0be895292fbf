"""The message of a running session in a real browser: looking into it, and cutting it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.bot.acts.test_holding import waits
from tests.bot.office import Office
from tests.browser.test_two_people import CHROMIUM, PICTURES, browser, picture
from tests.recorded import closes, opens, ran, runs

__all__ = ["browser", "waits"]
pytestmark = pytest.mark.skipif(not (CHROMIUM and PICTURES), reason="for pictures: PRODACCESS_SCREENSHOTS=DIRECTORY")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with Office(tmp_path) as made:
        yield made


async def in_thread(browser: Browser, office: Office, who: str) -> Page:
    context = await browser.new_context(viewport={"width": 1360, "height": 900}, device_scale_factor=1.5)
    page = await context.new_page()
    await page.goto(f"{office.slack.url}/ui/?as={who}")
    await page.get_by_role("button", name=re.compile("prod-access")).click()
    await page.get_by_role("button", name=re.compile(r"repl(y|ies)")).last.click()
    return page


async def test_from_the_first_statement_to_the_cut(office: Office, browser: Browser) -> None:
    await office.opened()
    session = await opens(office)
    await runs(
        office,
        ran(office, "select id, state from refunds where state = 'stuck'", "read table:public.refunds",
            rows=12, lasted=3_200),
        ran(office, "update refunds set state = 'paid' -- <!channel> *all* of them", "write table:public.refunds",
            kind="write", rows=4120, lasted=1_480_000, flags=("write-without-where",)),
        ran(office, "alter table refunds drop column note", "write table:public.refunds", kind="schema",
            flags=("ddl",), outcome="42501", lasted=900),
    )  # fmt: skip
    await office.settled()
    ada = await in_thread(browser, office, "ada")
    thread = ada.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_text(re.compile("1 read, 1 write and 1 schema change, 1 failed"))).to_be_visible()
    await expect(thread.get_by_text("update refunds set state = 'paid' -- <!channel> *all* of them")).to_be_visible()
    await picture(ada, "session")

    await thread.locator("[data-action-id=see]").click()
    form = ada.get_by_role("dialog")
    await expect(form.get_by_text("4120 rows")).to_be_visible()
    await picture(ada, "session-look")
    await runs(office, ran(office, "select count(*) from refunds", "read table:public.refunds", rows=1, lasted=800))
    await form.locator("[data-action-id=see_again]").click()
    await expect(form.get_by_text("select count(*) from refunds")).to_be_visible()
    await form.get_by_role("button", name="Close").last.click()

    await thread.locator("[data-action-id=cut]").click()
    await picture(ada, "session-cut")
    await ada.get_by_role("dialog").get_by_role("button", name="Cut now").click()
    await expect(thread.get_by_text(re.compile("is being ended by ada"))).to_be_visible()
    await closes(office, session, "ada has ended this session.")
    await expect(thread.get_by_text(re.compile("closed after"))).to_be_visible()
    await expect(thread.locator("[data-action-id=cut]")).to_have_count(0)
    await picture(ada, "session-closed")


async def test_a_statement_that_waits_is_read_and_let_run(waits: Office, browser: Browser) -> None:
    ada = await in_thread(browser, waits, "ada")
    thread = ada.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_text("delete from refunds <!channel>")).to_be_visible()
    await thread.locator("[data-action-id=let_run]").scroll_into_view_if_needed()
    await picture(ada, "held")
    await thread.locator("[data-action-id=let_run]").click()
    dialog = ada.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Not yet")).to_be_visible()
    await picture(ada, "held-ask")
    await dialog.get_by_role("button", name="Let it run").click()
    await expect(thread.get_by_text(re.compile("was let run by ada"))).to_be_visible()
    await picture(ada, "held-run")
