"""Slack user groups: `usergroups.users.list`, which needs the scope `usergroups:read` and a paid plan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from access.errors import AccessError, NotFound, Unavailable
from directory.memberships import Directories, Found

KIND = "slack"
EVENTS = ("subteam_members_changed", "subteam_updated")  # what tells of a change, and needs no more than the scope

#: Slack's word -> what to do about it
_REASONS = {
    "missing_scope": "Slack does not show user groups to prodaccess. Ask an admin to add the scope usergroups:read.",
    "plan_upgrade_required": "This Slack plan has no user groups. Ask an admin to name people in the policy instead.",
    "ratelimited": "Slack takes no more questions about user groups for now. Try again in a minute.",
}


@dataclass(frozen=True, slots=True)
class SlackGroups:
    """`team_id` is needed by a token of a whole Enterprise Grid organisation, and by no other."""

    client: AsyncWebClient
    team_id: str = ""
    timeout: float = 3.0  # seconds, pauses that Slack asks for included

    async def find(self, group_id: str) -> Found:
        """Raises NotFound, Unavailable."""
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self.client.usergroups_users_list(usergroup=group_id, team_id=self.team_id or None)
        except (SlackClientError, ClientError, TimeoutError, OSError) as error:
            raise _explained(group_id, error) from None
        users = answer.get("users")
        if not isinstance(users, list) or not all(isinstance(user, str) for user in users):
            raise Unavailable(f"Slack's answer about the user group {group_id} makes no sense. Try again.")
        return Found(frozenset(users))

    async def close(self) -> None:
        """The client is somebody else's."""


def forget_changed(directories: Directories, event: Mapping[str, Any]) -> str:
    """Take the news of one of `EVENTS`. Returns the id of the group that is meant, empty where none is."""
    subteam = event.get("subteam")
    group_id = subteam.get("id") if isinstance(subteam, Mapping) else event.get("subteam_id")
    if not isinstance(group_id, str):
        return ""
    directories.forget(f"{KIND}:{group_id}")
    return f"{KIND}:{group_id}"


def _explained(group_id: str, error: BaseException) -> AccessError:
    code = ""
    if isinstance(error, SlackApiError):
        data = getattr(error.response, "data", error.response)
        code = str(data.get("error", "")) if isinstance(data, Mapping) else ""
    if code == "no_such_subteam":
        return NotFound(f"Slack has no user group {group_id}, or it is disabled. Ask an admin to correct the policy.")
    return Unavailable(_REASONS.get(code, f"Slack does not say who is in the user group {group_id}. Try again."))
