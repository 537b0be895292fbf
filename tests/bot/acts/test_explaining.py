"""“Why can't I?” and “Who will be asked?”, in a local Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.office import AUDIT, Office, button, shown, texts, until

POLICY = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
groups: {engineers: [ada, grace, linus], orders-owners: [ada, grace]}
admins: [margaret]
targets:
  orders-db:
    aliases: [orders]
    roles:
      read: {provider: memory, uses: {}, who: [engineers], approve: nobody, max: 4h, ticket: {required: no}}
      write:
        provider: memory
        uses: {}
        who: [engineers]
        max: 1h
        total: 2h
        review: yes
        approve: {stages: [{by: orders-owners}, {by: margaret, after: 10m}]}
        break_glass: {who: [linus], max: 20m}
      admin: {provider: memory, uses: {}, who: [ada], approvers: [grace], max: 15m}
  payroll:
    roles:
      read: {provider: memory, uses: {}, who: [ada], approvers: [grace], max: 1h}
freezes:
  - {name: sale, from: "2026-11-20T00:00:00Z", to: "2026-11-30T00:00:00Z", targets: [payroll], why: The sale runs.}
"""


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with Office(tmp_path, POLICY) as made:
        yield made


async def answered(office: Office, by: str, text: str, part: str) -> str:
    await office.who(by).command(AUDIT, f"/prodaccess {text}")
    return " ".join(shown(await office.whisper(by, part)).split())


async def test_why_shows_what_is_met_what_is_missing_and_what_is_still_to_be_given(office: Office) -> None:
    told = await answered(office, "linus", "why orders write 5h", "not like this")
    assert "*orders-db · write*: not like this. At most 1 hour for orders-db · write." in told
    assert "✓ to be among engineers" in told
    assert "✗ at most 1 hour" in told
    assert "○ a reason" in told
    assert "It can be extended up to 2 hours in all." in told
    assert "Break-glass gives it without approval, for at most 20 minutes." in told


async def test_why_says_that_nothing_stands_in_the_way(office: Office) -> None:
    told = await answered(office, "linus", "why orders-db write", "you can ask for it")
    assert "you can ask for it, with what is marked ○." in told


async def test_who_says_who_is_asked_now_and_later(office: Office) -> None:
    told = await answered(office, "linus", "who orders-db write", "Asked at once")
    assert "Asked at once: ada and grace." in told
    assert "|14:10 UTC>: margaret." in told
    assert "✓" not in told


async def test_who_without_a_role_says_it_for_each_that_is_mine(office: Office) -> None:
    told = await answered(office, "linus", "who can approve orders-db?", "Asked at once")
    assert "orders-db · read" in told
    assert "Nobody has to approve it: it opens at once." in told
    assert "orders-db · write" in told
    assert "admin" not in told


async def test_a_freeze_is_named(office: Office) -> None:
    told = await answered(office, "ada", "why payroll read", "not like this")
    assert "Frozen until 2026-11-30 00:00 UTC: The sale runs." in told


@pytest.mark.parametrize("verb", ["why", "who"])
async def test_what_one_may_not_ask_for_looks_like_what_does_not_exist(office: Office, verb: str) -> None:
    hidden = await answered(office, "linus", f"{verb} payroll read", "payroll")
    missing = await answered(office, "linus", f"{verb} nothing9 read", "nothing9")
    assert hidden.replace("payroll", "nothing9") == missing
    assert "ada" not in hidden
    assert "sale" not in hidden
    told = await answered(office, "linus", f"{verb} orders-db admin", "admin")
    assert told.replace("admin", "robot") == await answered(office, "linus", f"{verb} orders-db robot", "robot")


@pytest.mark.parametrize("verb", ["why ", "who ", ""])
async def test_a_name_alone_that_means_nothing_is_answered_with_what_there_is(office: Office, verb: str) -> None:
    told = await answered(office, "linus", f"{verb}nothing9", "There is no “nothing9” that you can ask for.")
    assert "You can ask for orders-db." in told


async def test_who_speaks_of_no_marks_that_it_does_not_show(office: Office) -> None:
    assert "marked" not in await answered(office, "linus", "who orders-db write", "Asked at once")
    assert "○ at most" in await answered(office, "linus", "why orders-db write", "with what is marked ○")


async def test_an_admin_learns_what_there_is(office: Office) -> None:
    told = await answered(office, "margaret", "why payroll read", "payroll")
    assert "✗ to be among ada" in told
    assert "Needs 1 of grace." in told


async def test_a_misspelt_target_offers_the_nearest_which_explains_it(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess who ordesr-db write")
    told = await office.whisper("linus", "There is no “ordesr-db”")
    await linus.click(AUDIT, told["ts"], "meant")
    await office.whisper("linus", "Asked at once: ada and grace.")


async def test_why_without_a_target_says_what_to_type(office: Office) -> None:
    told = await answered(office, "linus", "why", "Say what it is about")
    assert "`/prodaccess why orders-db`. You can ask for orders-db." in told


async def test_why_of_a_request_shows_the_request(office: Office) -> None:
    await office.asked(role="write")
    told = await answered(office, "linus", "who PA-1", "PA-1 · *orders-db · write*: pending")
    assert "ada" in told


async def test_a_refusal_of_the_last_moment_has_its_reasons_one_click_away(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess list")
    await office.whisper("linus", "Nothing of yours is open.")
    slow = {"where": "api", "do": "drip", "seconds": 0.3, "method": "users.info", "after_commit": True}
    office.slack.faults.add(slow)
    typing = office.tasks.start(linus.command(AUDIT, "/prodaccess orders-db write 1h OPS-1 because x"), name="typing")
    await until(lambda: office.slack.journal.of("fault", "api drip"))
    office.policies.policy = type(office.policies)(POLICY.replace("max: 1h\n", "max: 30m\n")).policy
    await typing
    told = await office.whisper("linus", "At most 30 minutes")
    await linus.click(AUDIT, told["ts"], "why_not")
    shows = " ".join(shown(await office.whisper("linus", "not like this")).split())
    assert "✗ at most 30 minutes" in shows
    assert await office.store.request(1) is None


async def test_the_form_explains_over_itself_what_it_takes(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db write 1h")
    form = await linus.wait_view()
    assert button(form, "who_will") is not None
    await linus.click_view("who_will")
    over = await linus.wait_view(predicate=lambda v: v["id"] != form["id"])
    told = " ".join(texts(over["blocks"]).split())
    assert "✓ to be among engineers" in told
    assert "Asked at once: ada and grace." in told
    assert len(linus.views) == 2
