"""Who we are in Slack, asked of it once."""

from __future__ import annotations

from dataclasses import dataclass, field

from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient


@dataclass
class Identity:
    """Bolt wants it to recognise our own events; whoever reads history, to tell our messages from another app's."""

    client: AsyncWebClient
    _known: AuthorizeResult | None = field(default=None, repr=False)

    async def __call__(self) -> AuthorizeResult:
        if self._known is None:
            who = await self.client.auth_test()
            self._known = AuthorizeResult(
                enterprise_id=who.get("enterprise_id"), team_id=who.get("team_id"), bot_id=who.get("bot_id"),
                bot_user_id=who.get("user_id"), bot_token=self.client.token,
            )  # fmt: skip
        return self._known
