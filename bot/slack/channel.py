"""The audit channel: found by its name or id, and used only while it is ours alone."""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import NotReady
from bot.slack.people import Directory
from bot.slack.trouble import is_shared, of_channel

_PAGE = 200


@dataclass(frozen=True)
class AuditChannel:
    """`wanted` is an id, or `#name`."""

    client: AsyncWebClient
    directory: Directory
    wanted: str

    async def id(self) -> str:
        """Once we know that we are in it and that nobody from outside is. Raises NotReady, and what Slack raises.

        It stays the same when the channel is renamed. One that is archived is still ours.
        """
        found = await self._named(self.wanted.removeprefix("#")) if self.wanted.startswith("#") else self.wanted
        facts = await self.directory.channel(found)
        if not facts.get("is_member") and not facts.get("is_archived"):
            raise NotReady(f"The app is not in the audit channel {self.wanted}. Invite it there: /invite @prodaccess")
        if is_shared(facts):
            raise NotReady(
                f"The audit channel {self.wanted} is shared with another organisation. Choose one of your own."
            )
        return found

    async def trouble(self, channel: str) -> str:
        """Why nothing can be posted there; empty when it can."""
        return of_channel(await self.directory.channel(channel))

    async def _named(self, name: str) -> str:
        """An archived channel may have given its name away: it counts only where no other has it."""
        cursor: str | None = None
        archived = ""
        while True:
            answer = await self.client.conversations_list(
                types="public_channel,private_channel", exclude_archived=False, limit=_PAGE, cursor=cursor
            )
            for channel in answer["channels"]:
                if channel["name"] == name and not channel.get("is_archived"):
                    return str(channel["id"])
                archived = str(channel["id"]) if channel["name"] == name else archived
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor and archived:
                return archived
            if not cursor:
                raise NotReady(
                    f"There is no channel #{name} that the app can see. Create it, and invite the app; "
                    "if it was renamed, give its new name, or its id, which stays."
                )
