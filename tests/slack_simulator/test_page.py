"""The page in a real browser: what people see and press, by keyboard and by mouse."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from slack_simulator import Simulator, Workspace
from tests.slack_simulator.test_shortcuts import with_shortcut
from tests.slack_simulator.town import SEED, Gatekeeper, card, connected, modal, plain, section

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
complaints: list[str] = []
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture
async def browser() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        complaints.clear()
        yield await running.new_context(viewport={"width": 1280, "height": 800})
        await running.close()
    assert complaints == []


async def page_of(browser: BrowserContext, sim: Simulator, name: str, channel: str = "C0AUDIT") -> Page:
    """A tab as this person; whatever its console complains about fails the test."""
    page = await browser.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    await page.goto(f"{sim.url}/ui/?as={name}&channel={channel}")
    await page.wait_for_selector(".composer textarea:enabled")
    return page


async def test_asking_and_approving_in_two_tabs(sim: Simulator, bot: Gatekeeper, browser: BrowserContext) -> None:
    async def opens(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    async def judges(ack: Any, body: dict[str, Any], client: Any) -> None:
        ticket = body["view"]["state"]["values"]["ticket"]["v"]["value"]
        if ticket == "OPS-0":
            return await ack(response_action="errors", errors={"ticket": "OPS-0 is closed."})
        await ack()
        return await client.chat_postMessage(channel="C0AUDIT", text=ticket, blocks=card())

    async def approves(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.chat_update(channel="C0AUDIT", ts=body["message"]["ts"], text="*approved*")

    bot.on = {"ask": opens, "submit": judges, "click": approves}
    linus, ada = await page_of(browser, sim, "linus"), await page_of(browser, sim, "ada")
    await linus.fill(".main textarea", "/a")
    await expect(linus.locator(".suggestion")).to_contain_text("Ask for access")
    await linus.press(".main textarea", "Enter")
    await linus.press(".main textarea", "Enter")
    field = linus.locator("[data-block-id=ticket][data-action-id=v]")
    await field.fill("OPS-0")
    await field.press("Enter")
    await expect(linus.locator(".error-text")).to_have_text("OPS-0 is closed.")
    await expect(field).to_be_focused()
    await field.fill("OPS-1")
    await linus.click("[data-view=submit]")
    await expect(linus.locator(".modal")).to_have_count(0)
    await ada.click("[data-action-id=approve]")
    for page in (ada, linus):
        await expect(page.locator(".message .text strong")).to_have_text("approved")
        await expect(page.locator("[data-action-id=approve]")).to_have_count(0)


async def test_more_tabs_than_a_browser_has_connections(
    sim: Simulator, bot: Gatekeeper, browser: BrowserContext
) -> None:
    pages = [await page_of(browser, sim, name) for name in ("ada", "grace", "linus") * 3]
    await bot.client.chat_postMessage(channel="C0AUDIT", text="to everybody")
    for page in pages:
        await expect(page.locator(".message")).to_contain_text("to everybody")
    await pages[0].close()  # it held the stream
    await bot.client.chat_postMessage(channel="C0AUDIT", text="and again")
    for page in pages[1:]:
        await expect(page.locator(".message").last).to_contain_text("and again")


async def test_a_shortcut_in_the_tools_of_a_message(browser: BrowserContext) -> None:
    async with Simulator(Workspace.from_seed(SEED, with_shortcut()), ack_seconds=1.0) as sim, connected(sim) as bot:

        @bot.app.message_shortcut("from_this")
        async def asks(ack: Any, body: dict[str, Any], client: Any) -> None:
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=modal(section(body["message"]["text"])))

        page = await page_of(browser, sim, "ada")
        sim.person("linus").say("#prod-access", "orders-db is down")
        await page.hover("text=orders-db is down")
        await page.click("[data-callback-id=from_this]")
        await expect(page.locator(".modal")).to_contain_text("orders-db is down")
        await page.close()


async def test_text_is_never_html(sim: Simulator, bot: Gatekeeper, browser: BrowserContext) -> None:
    evil = "<img src=x onerror=alert(1)> *bold* &lt;b&gt; <javascript:alert(1)|link> <https://acme.example|site>"
    await bot.client.chat_postMessage(channel="C0AUDIT", text=evil)
    await bot.client.chat_postMessage(
        channel="C0AUDIT", text="x", blocks=[{"type": "section", "text": plain("*as typed* <b>")}]
    )
    page = await page_of(browser, sim, "ada")
    first, second = page.locator(".message .content").nth(0), page.locator(".message .content").nth(1)
    await expect(first.locator("strong >> text=bold")).to_have_count(1)
    await expect(first).to_contain_text("<b>")
    await expect(first.locator("img, b")).to_have_count(0)
    assert await first.locator("a").evaluate_all("links => links.map(a => a.href)") == ["https://acme.example/"]
    await expect(second).to_contain_text("*as typed* <b>")


async def test_dates_mentions_and_private_messages(sim: Simulator, bot: Gatekeeper, browser: BrowserContext) -> None:
    text = "<@U0ADA> <!subteam^S0OWNERS> <#C0AUDIT> until <!date^1700000000^{date_num} {time}|then>"
    await bot.client.chat_postMessage(channel="C0AUDIT", text=text)
    await bot.client.chat_postEphemeral(channel="C0AUDIT", user="U0ADA", text="psst")
    ada, grace = await page_of(browser, sim, "ada"), await page_of(browser, sim, "grace")
    shown = ada.locator(".message .content").first
    await expect(shown).to_contain_text("@Ada Lovelace @owners #prod-access until")
    assert await shown.locator("time[datetime]").get_attribute("datetime") == "2023-11-14T22:13:20.000Z"
    await expect(ada.locator(".ephemeral")).to_contain_text("Only visible to you")
    await expect(grace.locator(".ephemeral")).to_have_count(0)
    await ada.click("text=Dismiss")
    await expect(ada.locator(".ephemeral")).to_have_count(0)


async def test_threads_confirmations_and_failures(sim: Simulator, bot: Gatekeeper, browser: BrowserContext) -> None:
    sure = {"title": plain("Sure?"), "text": plain("It ends now."), "confirm": plain("End"), "deny": plain("Keep")}
    end = {"type": "button", "action_id": "end", "text": plain("End"), "confirm": sure}
    blocks = [section("card"), {"type": "actions", "elements": [end]}]
    ts = (await bot.client.chat_postMessage(channel="C0AUDIT", text="x", blocks=blocks))["ts"]
    await bot.client.chat_postMessage(channel="C0AUDIT", text="a fact", thread_ts=ts)
    page = await page_of(browser, sim, "ada")
    await page.click(".replies")
    await expect(page.locator(".thread .message")).to_have_count(2)
    await page.fill(".thread textarea", "/ask")
    await page.press(".thread textarea", "Enter")
    await expect(page.locator(".thread .notice")).to_contain_text("do not work in threads")
    await page.fill(".thread textarea", "a remark")
    await page.press(".thread textarea", "Enter")
    await expect(page.locator(".thread .message")).to_have_count(3)
    await page.click(".main [data-action-id=end]")
    await page.keyboard.press("Escape")
    assert bot.bodies("click") == []

    async def silent(*_: Any) -> None:
        return None

    bot.on["click"] = silent
    await page.click(".main [data-action-id=end]")
    await page.click("[data-confirm=yes]")
    await expect(page.locator(".main .failed")).to_contain_text("did not answer in time")
    await page.keyboard.press("Escape")


async def test_typing_survives_an_update_and_escape_closes(
    sim: Simulator, bot: Gatekeeper, browser: BrowserContext
) -> None:
    async def opens(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    bot.on["ask"] = opens
    page = await page_of(browser, sim, "linus")
    await page.fill(".main textarea", "/ask now")
    await page.press(".main textarea", "Enter")
    field = page.locator("[data-block-id=ticket][data-action-id=v]")
    await field.fill("OPS-4")
    view = sim.person("linus").views[0]
    await bot.client.views_update(view_id=view["id"], view=modal(*view["blocks"], section("policy loaded")))
    await expect(page.locator(".modal")).to_contain_text("policy loaded")
    await expect(field).to_have_value("OPS-4")
    await expect(field).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(".modal")).to_have_count(0)
    assert sim.person("linus").views == []


async def test_home_switcher_banner_strip_and_journal(sim: Simulator, bot: Gatekeeper, browser: BrowserContext) -> None:
    async def publishes(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        view = {"type": "home", "blocks": [section("*Mine*: nothing")]}
        await client.views_publish(user_id=body["event"]["user"], view=view)

    bot.on["app_home_opened"] = publishes
    page = await page_of(browser, sim, "linus")
    await page.click("button.row:has-text('gatekeeper')")
    await page.click("[data-tab=home]")
    await expect(page.locator(".home")).to_contain_text("Mine: nothing")
    await page.click("[data-strip=journal]")
    await page.click(".entry:has-text('views.publish')")
    await expect(page.locator(".json")).to_contain_text('"user_id": "U0LINUS"')
    await page.context.request.post(f"{sim.url}/sim/strip", data={"label": "Vault", "value": "1 lease", "tone": "good"})
    await expect(page.locator(".item")).to_have_text("Vault1 lease")
    await page.click("[data-person=ada]")
    await expect(page).to_have_title("Ada Lovelace · Acme")
    assert "as=ada" in page.url
    sim.world.faults.add({"where": "socket", "do": "close"})
    sim.world.app.app_token = "changed, so that it stays away"
    await expect(page.locator(".banner")).to_contain_text("gatekeeper is not connected")


async def test_lines_of_a_thread_follow_each_other_and_times_are_the_workspaces(
    sim: Simulator, bot: Gatekeeper, browser: BrowserContext
) -> None:
    sim.world.clock.advance(3 * 3600)
    ts = (await bot.client.chat_postMessage(channel="C0AUDIT", text="x", blocks=card()))["ts"]
    for text in ("first fact", "second fact"):
        await bot.client.chat_postMessage(channel="C0AUDIT", text=text, thread_ts=ts, blocks=[section(text)])
    when = f"<!date^{int(float(ts)) - 3600}^{{ago}}|then>"
    await bot.client.chat_postMessage(channel="C0AUDIT", text=when)
    page = await page_of(browser, sim, "ada")
    await expect(page.locator(".intro")).to_have_text(
        "This is the beginning of #prod-access. Type /ask to ask for access."
    )
    await expect(page.locator(".main .message").last).to_contain_text("1 hour ago")
    await page.click(".replies")
    await expect(page.locator(".thread .message")).to_have_count(3)
    await expect(page.locator(".thread .intro")).to_have_count(0)
    await expect(page.locator(".thread .joined")).to_have_text(re.compile(r"^[0-9]{1,2}:[0-9]{2}second fact$"))


async def test_the_box_keeps_the_focus_after_sending(sim: Simulator, bot: Gatekeeper, browser: BrowserContext) -> None:
    page = await page_of(browser, sim, "ada")
    await page.fill(".main textarea", "hello")
    await page.click(".main .send")
    await expect(page.locator(".main .message")).to_contain_text("hello")
    await expect(page.locator(".main textarea")).to_be_focused()
    await expect(page.locator(".main textarea")).to_have_value("")


async def test_a_button_of_the_strip_says_what_went_wrong(
    sim: Simulator, bot: Gatekeeper, browser: BrowserContext
) -> None:
    page = await page_of(browser, sim, "ada")
    nowhere = {"label": "Jump", "action_url": "http://127.0.0.1:9/jump"}
    await page.context.request.post(f"{sim.url}/sim/strip", data=nowhere)
    await page.click("[data-strip=Jump]")
    await expect(page.locator(".strip .failed")).to_have_text("The demo does not answer.")
