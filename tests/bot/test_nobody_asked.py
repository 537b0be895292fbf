"""What needs no approval reads so everywhere, and what a user group decides is looked up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.office import AUDIT, Office, button, shown
from tests.groups import Groups
from tests.people import POLICY

BY_RULE = POLICY.replace("approvers: [orders-owners], max: 4h", "approve: nobody, max: 4h")
BY_GROUP = POLICY.replace("orders-owners: [ada, grace]", "orders-owners: {slack: S0OWNERS}")
RULE = "Approved by the rule orders-db/read; nobody was asked."


@pytest.fixture
async def free(tmp_path: Path) -> AsyncIterator[Office]:
    assert BY_RULE != POLICY
    async with Office(tmp_path, BY_RULE) as made:
        yield made


async def test_the_asker_the_card_and_the_thread_say_that_the_rule_approved(free: Office) -> None:
    card = await free.asked_in_slack()
    whispered = await free.whisper("linus", RULE)
    assert "can approve" not in shown(whispered)
    assert button(whispered, "cancel") is None
    await free.line(card, "Active until")
    await free.settled()
    (card,) = free.cards()
    assert "🟢 *Active* until" in shown(card)
    assert RULE in shown(card)
    assert "nobody has to approve" in shown(card)
    assert free.thread(card)[1] == RULE
    await free.who("linus").command(AUDIT, "/prodaccess show PA-1")
    assert RULE in shown(await free.whisper("linus", "PA-1 · "))


async def test_the_form_says_that_it_is_approved_at_once(free: Office) -> None:
    await free.who("linus").command(AUDIT, "/prodaccess orders-db")
    assert "approved at once, up to 4 hours" in shown(await free.who("linus").wait_view())


class GroupOffice(Office):
    """Its user group has one member."""

    def __init__(self, directory: Path) -> None:
        self.groups = Groups("U0ADA")
        super().__init__(directory, BY_GROUP)


@pytest.fixture
async def by_group(tmp_path: Path) -> AsyncIterator[GroupOffice]:
    assert BY_GROUP != POLICY
    async with GroupOffice(tmp_path) as made:
        yield made


async def test_members_find_it_on_their_page_and_others_do_not(by_group: GroupOffice) -> None:
    await by_group.asked_in_slack()
    for name, found in (("ada", True), ("grace", False)):
        who = by_group.who(name)
        await who.open_home()
        assert ("refunds stuck" in shown(await who.wait_home())) is found


async def test_a_silent_directory_is_said_where_it_matters(by_group: GroupOffice) -> None:
    card = await by_group.asked_in_slack()
    by_group.groups.silent = True
    await by_group.who("grace").click(AUDIT, card["ts"], "who")
    told = shown(await by_group.whisper("grace", "PA-1: "))
    assert "Nobody can tell right now who is in orders-owners: Slack does not say." in told
    await by_group.who("ada").click(AUDIT, card["ts"], "deny")
    await by_group.whisper("ada", "Nobody can tell right now who is in orders-owners")
