"""Private answers: to the person who acted, and to nobody else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from access.errors import AccessError, Unavailable
from bot.look.blocks import Message, section
from bot.look.words import escaped
from bot.slack.people import SILENT

log = logging.getLogger(__name__)
_SLACK_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})


@dataclass(frozen=True, slots=True)
class Where:
    """How to reach somebody: the address Slack gave with their act (empty in a form), and their account."""

    account: str
    response_url: str = ""


@dataclass(frozen=True)
class Answers:
    """Ephemeral where the act happened; a direct message where that is not possible."""

    client: AsyncWebClient

    async def tell(self, where: Where, message: Message, *, instead: bool = False) -> None:
        """`instead` replaces the message whose button was pressed, which only makes sense for an ephemeral one."""
        if not await self.whisper(where, message, instead=instead):
            await self._write(where.account, message)

    async def show(self, where: Where, message: Message) -> None:
        """Ephemeral or refused: what quotes the log is kept nowhere that an erasure would not reach.

        Raises Unavailable.
        """
        if not await self.whisper(where, message):
            raise Unavailable("Slack could not show the answer in private. Type the command again.")

    async def whisper(self, where: Where, message: Message, *, instead: bool = False) -> bool:
        """Ephemeral or not at all, for what must not be kept. False when it could not be shown."""
        if not self.is_slacks(where.response_url):
            return False
        webhook = AsyncWebhookClient(where.response_url, timeout=5, proxy=self.client.proxy, retry_handlers=[])
        webhook.proxy = self.client.proxy
        try:
            answer = await webhook.send(
                text=message.text,
                blocks=list(message.blocks),
                response_type="ephemeral",
                replace_original=instead,
                unfurl_links=False,
                unfurl_media=False,
            )
        except SILENT:
            return False
        return answer.status_code == 200

    async def _write(self, account: str, message: Message) -> None:
        try:
            await self.client.chat_postMessage(
                channel=account,
                text=message.text,
                blocks=list(message.blocks),
                unfurl_links=False,
                unfurl_media=False,
            )
        except SILENT as error:
            log.warning("a private answer was lost", extra={"action": "answer", "account": account}, exc_info=error)

    def is_slacks(self, url: str) -> bool:
        """We post only to Slack itself, whatever a payload says."""
        parts, ours = urlsplit(url), urlsplit(self.client.base_url)
        local = (ours.hostname, ours.port) == (parts.hostname, parts.port) and ours.hostname != "slack.com"
        return local or (parts.scheme == "https" and parts.netloc in _SLACK_HOSTS)


def sentence(text: str) -> Message:
    """A message of one sentence of ours."""
    return Message(text, (section(text),))


def refusal(error: AccessError) -> Message:
    """An error as its reader sees it; it may quote what somebody typed."""
    return sentence(escaped(str(error)))
