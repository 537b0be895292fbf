"""The strip at the bottom of the demo's page: what Vault, the database and AWS hold, and the jump to the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession

from access.duration import in_words
from prodaccess.demo.holdings import Holdings, NoAnswer
from prodaccess.demo.jump import Jump, jump_action
from prodaccess.demo.stack import Stack

EVERY = 1.0  # seconds

Item = Mapping[str, Any]


async def keep_strip(stack: Stack) -> None:
    """Until cancelled."""
    jump = Jump(stack)
    with Holdings(stack.issuers) as holdings:
        async with jump_action(jump) as url, ClientSession() as session:
            looks = Looks(holdings, jump, url)
            while True:
                shown = await asyncio.to_thread(looks.all)
                async with session.post(f"{stack.slack.url}/sim/strip", json=[{"clear": True}, *shown]) as answer:
                    answer.raise_for_status()
                await asyncio.sleep(EVERY)


@dataclass(frozen=True)
class Looks:
    """Everything on the strip, item by item."""

    holdings: Holdings
    jump: Jump
    action_url: str

    def all(self) -> list[Item]:
        """Blocking: each part is asked."""
        items = [answered("Vault", self.vault), answered("Database", self.database), answered("AWS", self.aws)]
        return [*items, *self.clock(), *self.action()]

    def vault(self) -> Item:
        leases = self.holdings.leases()
        if leases is None:
            return {"value": "sealed", "tone": "bad"}
        return {"value": f"unsealed, {counted(leases, 'lease')}", "tone": "busy" if leases else "good"}

    def database(self) -> Item:
        users = self.holdings.temporary_users()
        if not users:
            return {"value": "no temporary user", "tone": "good"}
        who = users[0].name if len(users) == 1 else counted(len(users), "temporary user")
        return {"value": f"{who}, {counted(sum(u.sessions for u in users), 'session')}", "tone": "busy"}

    def aws(self) -> Item:
        sessions = self.holdings.aws_sessions(datetime.now(UTC) + self.jump.ahead)
        if not sessions:
            return {"value": "no session", "tone": "good"}
        return {"value": sessions[0] if len(sessions) == 1 else counted(len(sessions), "session"), "tone": "busy"}

    def clock(self) -> list[Item]:
        """Only once it has jumped."""
        ahead = self.jump.ahead
        return [{"label": "Clock", "value": f"{in_words(ahead)} ahead", "tone": "warn"}] if ahead > timedelta(0) else []

    def action(self) -> list[Item]:
        """Only while something will end."""
        ending = self.jump.next_end()
        return [{"label": f"Jump to the end of {ending.ref}", "action_url": self.action_url}] if ending else []


def answered(label: str, look: Callable[[], Item]) -> Item:
    """The item, or that the part is silent."""
    try:
        return {"label": label, **look()}
    except NoAnswer:
        return {"label": label, "value": "does not answer", "tone": "bad"}


def counted(number: int, noun: str) -> str:
    """`no session`, `1 session`, `2 sessions`."""
    return f"{number or 'no'} {noun}{'s' if number > 1 else ''}"
