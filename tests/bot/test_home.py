"""App Home, in a local Slack."""

from __future__ import annotations

from access.model import GrantState, RequestState
from tests.bot.slack import Office, texts


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
    home = await linus.wait_home(lambda view: "PA-1 · *orders-db · read*: revoked" in texts(view["blocks"]))
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


async def test_a_guest_is_told_why_it_is_empty(office: Office) -> None:
    await office.asked()
    await office.who("gus").open_home()
    home = await office.who("gus").wait_home()
    assert "Guests cannot use prodaccess." in texts(home["blocks"])
    assert "PA-1" not in texts(home["blocks"])
