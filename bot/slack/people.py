"""Who somebody is, asked of Slack. Fails closed: what Slack does not say is not assumed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from access.errors import AccessError, NotFound, Refused, Unavailable
from access.model import Person
from access.ports import Clock, PolicySource

FRESH_FOR = timedelta(seconds=60)  # for looking; whatever gives access asks again
SILENT = (SlackClientError, ClientError, TimeoutError, OSError)
_UNKNOWN_PERSON = ("user_not_found", "user_not_visible", "users_not_found")
_UNKNOWN_CHANNEL = ("channel_not_found", "missing_scope", "method_not_supported_for_channel_type")

#: flag of a Slack user -> why such a one may not act
_NOT_OURS = {
    "deleted": "This Slack account is deactivated.",
    "is_bot": "Apps and bots cannot use prodaccess.",
    "is_app_user": "Apps and bots cannot use prodaccess.",
    "is_workflow_bot": "Apps and bots cannot use prodaccess.",
    "is_stranger": "People from other organisations cannot use prodaccess.",
    "is_restricted": "Guests cannot use prodaccess. Ask a full member of your workspace.",
    "is_ultra_restricted": "Guests cannot use prodaccess. Ask a full member of your workspace.",
}


@dataclass(frozen=True)
class Directory:
    """Slack's own word on accounts and channels; `look` may be a minute old, `check` never is."""

    client: AsyncWebClient
    policies: PolicySource
    team_ids: frozenset[str]
    clock: Clock
    _seen: dict[str, tuple[datetime, Mapping[str, Any]]] = field(default_factory=dict)
    _noes: dict[str, str] = field(default_factory=dict)  # accounts of which Slack's last word was no, and why

    async def look(self, account: str, *, patience: float = 2.0) -> Person:
        """Good enough for showing things. Raises Refused, Unavailable."""
        user = self._recent(account)
        if user is None:
            user = await self._ask(account, patience)
        return self._person(account, user)

    async def check(self, account: str) -> Person:
        """Asked of Slack now. Raises Refused, Unavailable."""
        return self._person(account, await self._ask(account, 10.0))

    async def zone(self, account: str) -> tzinfo:
        """Where this person's clock hangs, as Slack has it; UTC where that is not known. Never raises."""
        user = self._recent(account)
        try:
            user = user if user is not None else await self._ask(account, 1.0)
            return ZoneInfo(str(user.get("tz") or "Etc/UTC"))
        except (AccessError, ValueError, KeyError, OSError):
            return UTC

    def named(self, account: str, team: str) -> Person:
        """The person that the policy names for an account, without asking Slack whether it may act."""
        return self.policies.current().person(team, account, account)

    async def channel(self, channel: str) -> Mapping[str, Any]:
        """Slack's word on a channel, at most a minute old. Raises NotFound where we cannot see it, Unavailable."""
        known = self._recent(channel)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(2.0):
                answer = await self.client.conversations_info(channel=channel)
        except SILENT as error:
            if code(error) in _UNKNOWN_CHANNEL:
                raise NotFound("This channel is not visible to prodaccess.") from error
            raise Unavailable("Slack does not say what kind of channel this is. Try again in a moment.") from error
        return self._remember(channel, _facts(answer.get("channel")))

    async def _ask(self, account: str, patience: float) -> Mapping[str, Any]:
        self._seen.pop(account, None)  # what is no longer confirmed is no longer believed
        known_no = self._noes.get(account)  # which a silence does not undo: break-glass goes on where nobody knows
        try:
            async with asyncio.timeout(patience if known_no is None else min(patience, 2.0)):
                answer = await self.client.users_info(user=account)
        except SILENT as error:
            if code(error) in _UNKNOWN_PERSON:
                raise self._no(account, "Slack does not know this account.") from error
            if known_no is not None:
                raise Refused(known_no) from error
            raise Unavailable("Slack does not say who you are at the moment. Try again.") from error
        return self._remember(account, _facts(answer.get("user")))

    def _recent(self, key: str) -> Mapping[str, Any] | None:
        seen_at, value = self._seen.get(key, (None, {}))
        return value if seen_at is not None and self.clock.now() - seen_at < FRESH_FOR else None

    def _remember(self, key: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        now = self.clock.now()
        for old in [k for k, (seen_at, _) in self._seen.items() if now - seen_at >= FRESH_FOR]:
            del self._seen[old]
        self._seen[key] = (now, value)
        return value

    def _no(self, account: str, why: str) -> Refused:
        self._noes[account] = why
        return Refused(why)

    def _person(self, account: str, user: Mapping[str, Any]) -> Person:
        for flag, why in _NOT_OURS.items():
            if user.get(flag):
                raise self._no(account, why)
        teams = {(user.get("enterprise_user") or {}).get("enterprise_id"), user.get("enterprise_id")}
        team = next((t for t in (*sorted(filter(None, teams)), user.get("team_id")) if t in self.team_ids), None)
        if user.get("id") != account or team is None:
            raise self._no(account, _NOT_OURS["is_stranger"])
        self._noes.pop(account, None)
        return self.policies.current().person(team, account, str(user.get("name") or account))


@dataclass(frozen=True)
class SlackPeople:
    """`access.ports.People`: asked now, or with `recent` within the last minute, which is enough for looking."""

    directory: Directory
    recent: bool = False

    async def check(self, person: Person) -> Person:
        ask = partial(self.directory.look, patience=10.0) if self.recent else self.directory.check
        today = await ask(person.slack_id)
        if today.id != person.id:
            raise Refused("The policy now gives this Slack account to somebody else. Sign in or ask again.")
        return today


def _facts(answer: object) -> Mapping[str, Any]:
    """Raises Unavailable: an answer without content says nothing, so nothing is assumed."""
    if not isinstance(answer, Mapping):
        raise Unavailable("Slack's answer makes no sense at the moment. Try again.")
    return answer


def code(error: BaseException) -> str:
    """Slack's own word for what went wrong; empty when Slack said nothing that we could read."""
    if not isinstance(error, SlackApiError):
        return ""
    data = getattr(error.response, "data", error.response)
    return str(data.get("error", "")) if isinstance(data, Mapping) else ""
