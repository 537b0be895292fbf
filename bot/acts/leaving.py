"""Somebody's account changed in Slack: whoever may no longer act loses what is open in their name, at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from access.broker import Broker
from access.errors import AccessError, Refused
from access.model import Cause, Person, Request, RequestState
from access.ports import PolicySource, Store
from access.signin import SignIns
from bot.slack.people import Directory

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leaving:
    """Hears `user_change`. Slack loses events, so this is the quick way and not the only one."""

    directory: Directory
    broker: Broker
    sign_ins: SignIns
    policies: PolicySource
    store: Store

    async def changed(self, event: Mapping[str, Any]) -> None:
        """The event only says where to look; whether the account may act is asked anew."""
        user = event.get("user") or {}
        account = str(user.get("id") or "")
        teams = sorted({str(user.get("team_id") or "")} | self.directory.team_ids)
        persons = {self.policies.current().person(team, account, account).id for team in teams if team and account}
        if not persons or not await self._is_out(account):
            return
        for person_id in sorted(persons):
            await self._take_away(person_id, account)

    async def _is_out(self, account: str) -> bool:
        try:
            await self.directory.check(account)
        except Refused:
            return True
        except AccessError:  # Slack cannot say; the broker asks again before anything is given
            return False
        return False

    async def _take_away(self, person_id: str, account: str) -> None:
        for device in await self.store.devices_of(person_id):
            if device.person.slack_id == account and device.ended_at is None:
                await self.sign_ins.sign_out(device.id, device.person)
        requests = [r for r in await self.store.open_requests(person_id) if r.requester.slack_id == account]
        results = await asyncio.gather(*map(self._take, requests), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):  # one that fails must not keep the others
                log.error("not taken away; the next check does it", extra={"action": "leaving"}, exc_info=error)

    async def _take(self, request: Request) -> None:
        if request.state is RequestState.PENDING:
            await self._take_back(request.number, request.requester)
        else:
            await self.broker.endings.finish(request.number, Cause.LOST_RIGHT)

    async def _take_back(self, number: int, requester: Person) -> None:
        try:
            await self.broker.cancel(number, requester)
        except AccessError:  # decided meanwhile; an opened grant is found by the next check of its rights
            return
