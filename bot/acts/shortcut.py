"""“Request access from this alert”: a message becomes a request form with its text, its link and a likely target."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.errors import Refused
from access.policy import Rule
from access.ports import PolicySource
from bot.acts.asking import offers_of, ticket_patterns
from bot.acts.command import tickets_in
from bot.acts.gate import Act
from bot.look.forms import Draft, unescaped
from bot.look.modal import ask_form
from bot.look.words import LONGEST, storable, visible
from bot.slack.people import SILENT

_PATIENCE = 1.0  # seconds for the link: the form must open within three
_LONGEST_TEXT = 8000  # characters of a message that are looked at
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Shortcut:
    """The app's entry in the menu of every message."""

    client: AsyncWebClient
    broker: Broker
    policies: PolicySource

    async def chosen(self, act: Act) -> None:
        """Opens the form; nothing is asked for before its person sends it."""
        policy = self.policies.current()
        facts, link = await asyncio.gather(self.broker.facts(policy), self._link(act.body))
        offers = offers_of(policy, act.by, facts)
        if not offers.rules:
            raise Refused("There is nothing here that you may ask for. The owners of the policy decide who may.")
        draft = drafted(_mapping(act.body.get("message")), link, offers.rules, ticket_patterns(policy))
        view = ask_form(offers, draft, act.where.response_url)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def _link(self, body: Mapping[str, Any]) -> str:
        """Empty where we cannot see the channel; the text is there all the same."""
        channel, ts = str(_mapping(body.get("channel")).get("id") or ""), str(body.get("message_ts") or "")
        try:
            async with asyncio.timeout(_PATIENCE):
                return str((await self.client.chat_getPermalink(channel=channel, message_ts=ts))["permalink"])
        except SILENT:
            return ""


def drafted(message: Mapping[str, Any], link: str, offered: Sequence[Rule], tickets: tuple[str, ...]) -> Draft:
    """A request as far as the message says it."""
    text = text_of(message)
    ticket = next(tickets_in(text.split(), tickets), "")
    return Draft(target=likely(text, offered), ticket=ticket, reason=reason_of(text, link))


def text_of(message: Mapping[str, Any]) -> str:
    """Everything a message shows as text, each piece once: alerts often stand in blocks or attachments alone."""
    pieces = [unescaped(storable(piece)).strip() for piece in _pieces(message)]
    kept: list[str] = []
    for piece in filter(None, pieces):
        if not any(piece in earlier for earlier in kept):
            kept.append(piece)
    return "\n".join(kept)[:_LONGEST_TEXT]


def reason_of(text: str, link: str) -> str:
    """What the message says, cut, and the link to it; as long as a reason may be."""
    link = link if len(link) <= LONGEST // 2 else ""
    said = visible(text, LONGEST - len(link) - 1)
    return f"{said} {link}".strip()


def likely(text: str, offered: Sequence[Rule]) -> str:
    """The target that the text names, by name, alias, or as the first part of a host; the longest name of several."""
    named = {name.lower(): rule.target for rule in reversed(offered) for name in (rule.target, *rule.aliases)}
    words = (match.group().strip("._-") for match in _WORD.finditer(text.lower()))
    found = [name for word in words for name in (word, word.partition(".")[0]) if name in named]
    return named[max(found, key=len)] if found else ""


def _pieces(message: Mapping[str, Any]) -> Iterator[str]:
    yield str(message.get("text") or "")
    yield from _texts(message.get("blocks"))
    for attachment in _list(message.get("attachments")):
        about = _mapping(attachment)
        yield from (str(about.get(key) or "") for key in ("pretext", "title", "text"))
        yield from (
            str(_mapping(row).get(key) or "") for row in _list(about.get("fields")) for key in ("title", "value")
        )
        yield from _texts(about.get("blocks"))


def _texts(value: object, depth: int = 8) -> Iterator[str]:
    """The texts within blocks; a rich text's section is one piece."""
    if isinstance(value, list) and depth:
        for one in value:
            yield from _texts(one, depth - 1)
    elif isinstance(value, Mapping) and depth:
        text = value.get("text")
        if isinstance(text, str):
            yield text
        elif value.get("type") == "rich_text_section":
            yield "".join(str(_mapping(one).get("text") or "") for one in _list(value.get("elements")))
        else:
            yield from _texts([text, value.get("fields"), value.get("elements")], depth - 1)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
