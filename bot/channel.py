"""The audit channel: found by its name or id, and used only while it is ours alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.people import Directory
from bot.settings import NotReady

_PAGE = 200


@dataclass(frozen=True)
class AuditChannel:
    """`wanted` is an id, or `#name`."""

    client: AsyncWebClient
    directory: Directory
    wanted: str

    async def id(self) -> str:
        """Once we know that we are in it and that nobody from outside is. Raises NotReady, and what Slack raises."""
        found = await self._named(self.wanted.removeprefix("#")) if self.wanted.startswith("#") else self.wanted
        facts = await self.directory.channel(found)
        if not facts.get("is_member"):
            raise NotReady(f"The app is not in the audit channel {self.wanted}. Invite it there: /invite @prodaccess")
        if is_shared(facts):
            raise NotReady(
                f"The audit channel {self.wanted} is shared with another organisation. Choose one of your own."
            )
        return found

    async def _named(self, name: str) -> str:
        cursor: str | None = None
        while True:
            answer = await self.client.conversations_list(
                types="public_channel,private_channel", exclude_archived=True, limit=_PAGE, cursor=cursor
            )
            for channel in answer["channels"]:
                if channel["name"] == name:
                    return str(channel["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                raise NotReady(f"There is no channel #{name} that the app can see. Create it, and invite the app.")


def is_shared(facts: Mapping[str, Any]) -> bool:
    """With another organisation, or about to be."""
    return bool(facts.get("is_ext_shared") or facts.get("is_pending_ext_shared"))
