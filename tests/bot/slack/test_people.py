"""Slack's last word on somebody counts until there is another one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_sdk.errors import SlackClientError

from access.errors import Refused, Unavailable
from access.evidence.recognising import DEVICE, who_now
from bot.slack.people import Directory, SlackPeople
from tests.breaking import POLICY_WITH_GLASS
from tests.people import LINUS, TEAM, ManualClock
from tests.world import Policies


class Slack:
    """Of the client, what is asked of it here."""

    def __init__(self) -> None:
        self.deleted = False
        self.silent = ""

    async def users_info(self, *, user: str) -> dict[str, Any]:
        if self.silent == "hangs":
            await asyncio.sleep(30)
        if self.silent:
            raise SlackClientError("away")
        return {"user": {"id": user, "team_id": TEAM, "name": user.lower(), "deleted": self.deleted}}


@pytest.mark.parametrize("silence", ["fails", "hangs"])
async def test_a_definite_no_of_slack_outlasts_its_silence(silence: str) -> None:
    slack, policies = Slack(), Policies(POLICY_WITH_GLASS)
    people = SlackPeople(Directory(slack, policies, frozenset({TEAM}), ManualClock()))  # type: ignore[arg-type]
    slack.deleted = True
    with pytest.raises(Refused, match="deactivated"):
        await people.check(LINUS)
    slack.silent = silence
    with pytest.raises(Refused, match="deactivated"):
        await who_now(people, policies, LINUS)
    slack.silent, slack.deleted = "", False
    assert await people.check(LINUS) == LINUS
    slack.silent = "fails"
    assert (await who_now(people, policies, LINUS)).identity == DEVICE
    with pytest.raises(Unavailable):
        await people.check(LINUS)
