"""App Home, in a local Slack."""

from __future__ import annotations

import asyncio
from pathlib import Path

from access.model import GrantState, RequestState
from bot.thread.pages import Pages
from tests.bot.acts.test_asking import filled
from tests.bot.office import Office, button, texts, until
from tests.people import ADA, GRACE, LINUS, POLICY


async def test_an_empty_home_says_what_to_type(office: Office) -> None:
    await office.who("linus").open_home()
    home = await office.who("linus").wait_home()
    assert "Ask: `/prodaccess orders-db 1h" in texts(home["blocks"])
    assert "Nothing waits for you." in texts(home["blocks"])


async def test_it_shows_what_is_mine_and_ends_it_from_there(office: Office) -> None:
    await office.opened()
    linus = office.who("linus")
    await linus.open_home()
    home = await linus.wait_home(lambda view: "1 hour left, until" in texts(view["blocks"]))
    assert "`prodaccess run PA-1 -- psql`" in texts(home["blocks"])
    await linus.click_view("end")
    home = await linus.wait_home(lambda view: "orders-db · read: revoked" in texts(view["blocks"]))
    assert "Lately" in texts(home["blocks"])
    assert (await office.grant(1)).state is GrantState.REVOKED
    await office.letter("linus", "PA-1 has ended.")


async def test_what_waits_for_me_can_be_approved_from_there(office: Office) -> None:
    await office.asked(reason="refunds <!channel> stuck")
    ada = office.who("ada")
    await ada.open_home()
    home = await ada.wait_home(lambda view: "linus asks for PA-1" in texts(view["blocks"]))
    assert "refunds <!channel> stuck" in texts([b for b in home["blocks"] if b["type"] == "rich_text"])
    await ada.click_view("approve")
    await ada.wait_home(lambda view: "Nothing waits for you." in texts(view["blocks"]))
    assert (await office.request(1)).state is RequestState.APPROVED


async def test_it_shows_nothing_to_those_who_may_not_decide(office: Office) -> None:
    await office.asked()
    for name in ("linus", "margaret"):
        await office.who(name).open_home()
        home = await office.who(name).wait_home()
        assert "Nothing waits for you." in texts(home["blocks"])
    assert "there is nothing that you may ask for" in texts(home["blocks"])
    assert button(home, "fill_in") is None


async def test_a_guest_is_told_why_it_is_empty(office: Office) -> None:
    await office.asked()
    await office.who("gus").open_home()
    home = await office.who("gus").wait_home()
    assert "Guests cannot use prodaccess." in texts(home["blocks"])
    assert "PA-1" not in texts(home["blocks"])


async def test_a_grant_has_its_time_left_its_command_extend_and_end(office: Office) -> None:
    await office.opened()
    office.clock.pass_by(minutes=18)
    await office.who("linus").open_home()
    home = await office.who("linus").wait_home(lambda view: "42 minutes left" in texts(view["blocks"]))
    assert "▰▰▰▰▰▰▰▱▱▱ 42 minutes left, until" in texts(home["blocks"])
    assert "`prodaccess run PA-1 -- psql`" in texts(home["blocks"])
    extend, end = button(home, "extend"), button(home, "end")
    assert extend is not None
    assert end is not None
    assert extend["value"] == "PA-1"


async def test_an_empty_home_teaches_and_its_button_opens_the_form(office: Office) -> None:
    linus = office.who("linus")
    await linus.open_home()
    home = await linus.wait_home()
    assert "`/prodaccess orders-db 1h OPS-123 because …`" in texts(home["blocks"])
    assert "What you may approve stands here" in texts(home["blocks"])
    await linus.click_view("fill_in")
    assert (await linus.wait_view())["callback_id"] == "ask"


async def test_what_i_asked_for_can_be_taken_back_from_there(office: Office) -> None:
    await office.asked()
    linus = office.who("linus")
    await linus.open_home()
    await linus.wait_home(lambda view: "PA-1 · *orders-db · read*: waiting" in texts(view["blocks"]))
    await linus.click_view("cancel")
    await linus.wait_home(lambda view: "orders-db · read: cancelled" in texts(view["blocks"]))
    assert (await office.request(1)).state is RequestState.CANCELLED


async def test_an_admin_sees_all_by_a_filter_and_nobody_else_does(office: Office) -> None:
    await office.opened()
    await office.asked(by=ADA)
    margaret = office.who("margaret")
    await margaret.open_home()
    home = await margaret.wait_home(lambda view: "Everybody's" in texts(view["blocks"]))
    assert "linus: PA-1" not in texts(home["blocks"])
    await margaret.click_view("home_filter", "active")
    home = await margaret.wait_home(lambda view: "linus: PA-1 · *orders-db · read*: active" in texts(view["blocks"]))
    assert "ada: PA-2" not in texts(home["blocks"])
    await margaret.click_view("home_filter", "waiting")
    home = await margaret.wait_home(lambda view: "ada: PA-2 · *orders-db · read*: waiting" in texts(view["blocks"]))
    assert "linus: PA-1" not in texts(home["blocks"])
    await margaret.click_view("home_filter", "open")
    await margaret.wait_home(
        lambda view: "linus: PA-1" in texts(view["blocks"]) and "ada: PA-2" in texts(view["blocks"])
    )
    await margaret.click_view("end")
    await margaret.wait_home(lambda view: "linus: PA-1" not in texts(view["blocks"]))
    assert (await office.grant(1)).state is GrantState.REVOKED
    await office.who("linus").open_home()
    home = await office.who("linus").wait_home()
    assert "Everybody's" not in texts(home["blocks"])
    assert "PA-2" not in texts(home["blocks"])


async def test_what_i_may_review_and_what_others_review_of_me(tmp_path: Path) -> None:
    policy = POLICY.replace("max: 4h, default: 1h", "max: 4h, default: 1h, review: yes")
    async with Office(tmp_path, policy) as office:
        await office.opened()
        await office.broker.end(1, LINUS)
        for name, part in (("ada", "of linus, by its rule, open since"), ("linus", "waits for somebody else's review")):
            await office.who(name).open_home()
            home = await office.who(name).wait_home(lambda view, part=part: part in texts(view["blocks"]))  # type: ignore[misc]
            assert (button(home, "reviewed") is not None) == (name == "ada")
        await office.who("margaret").open_home()
        await office.who("margaret").wait_home()
        await office.who("margaret").click_view("home_filter", "reviews")
        home = await office.who("margaret").wait_home(
            lambda view: texts(view["blocks"]).count("of linus, by its rule") > 1
        )
        assert "PA-1" in texts(home["blocks"])


async def test_what_is_done_in_a_form_over_it_shows_on_it(office: Office) -> None:
    await office.asked(by=ADA)
    grace = office.who("grace")
    await grace.open_home()
    await grace.wait_home(lambda view: "ada asks for PA-1" in texts(view["blocks"]))
    await grace.click_view("deny")
    await grace.wait_view()
    assert (await grace.submit({"reason": {"reason": "not today"}})).closed
    await grace.wait_home(lambda view: "Nothing waits for you." in texts(view["blocks"]))
    await grace.click_view("fill_in")
    await grace.wait_view()
    await grace.click_view("target", "orders-db")
    view = await grace.wait_view(predicate=lambda v: len(v["blocks"]) > 1)
    assert (await grace.submit(filled(view, ticket="OPS-1", reason="refunds"))).closed
    await grace.wait_home(lambda view: "PA-2 · *orders-db · read*: waiting" in texts(view["blocks"]))


async def test_a_page_that_slack_does_not_take_undoes_nothing(office: Office) -> None:
    await office.opened()
    linus = office.who("linus")
    await linus.open_home()
    await linus.wait_home(lambda view: "left, until" in texts(view["blocks"]))
    office.slack.faults.add({"where": "api", "do": "error", "error": "internal_error", "method": "views.publish"})
    await linus.click_view("end")
    await office.letter("linus", "PA-1 has ended.")
    await office.settled()
    assert not [m for m in linus.messages("BOT") if "Something went wrong" in texts(m.get("blocks", []))]


async def test_extend_on_it_opens_the_form_for_that_grant(tmp_path: Path) -> None:
    async with Office(tmp_path, POLICY.replace("max: 4h, default: 1h", "max: 4h, default: 1h, total: 8h")) as office:
        await office.opened()
        linus = office.who("linus")
        await linus.open_home()
        await linus.wait_home(lambda view: "left, until" in texts(view["blocks"]))
        await linus.click_view("extend")
        assert "PA-1" in texts((await linus.wait_view())["blocks"])


async def test_it_follows_what_others_do_without_being_opened_again(office: Office) -> None:
    ada, linus = office.who("ada"), office.who("linus")
    for who in (ada, linus):
        await who.open_home()
        await who.wait_home()
    await office.asked_in_slack("orders-db 1h OPS-412 refunds stuck")
    await ada.wait_home(lambda view: "linus asks for PA-1" in texts(view["blocks"]))
    await linus.wait_home(lambda view: "PA-1 · *orders-db · read*: waiting" in texts(view["blocks"]))
    await office.broker.approve((await office.request(1)).id, GRACE, (await office.request(1)).digest)
    await linus.wait_home(lambda view: "1 hour left, until" in texts(view["blocks"]))
    await ada.wait_home(lambda view: "Nothing waits for you." in texts(view["blocks"]))


async def test_a_process_that_takes_over_knows_who_has_one_and_draws_no_others(office: Office) -> None:
    await office.who("ada").open_home()
    await office.who("ada").wait_home()
    await office.reopen()
    await office.asked()
    await office.who("ada").wait_home(lambda view: "linus asks for PA-1" in texts(view["blocks"]))
    await office.settled()
    assert office.who("grace").home is None


async def test_news_in_a_burst_draw_a_page_once_and_never_more_than_slack_takes() -> None:
    drawn: list[str] = []

    async def draw(account: str) -> None:
        drawn.append(account)
        if account == "U1":
            raise TimeoutError

    pages = Pages(draw, gap=0.01)
    for _ in range(100):
        pages.heard(["U1", "U2"])
    running = asyncio.create_task(pages.run())
    await until(lambda: not pages.stale)
    pages.heard(["U1"])
    await until(lambda: len(drawn) == 3)
    running.cancel()
    assert drawn == ["U1", "U2", "U1"]
