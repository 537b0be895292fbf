"""A whole server without faces: the real store on an SQLite file, the in-memory provider, a clock that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from access.broker import Broker
from access.ending.endings import Endings
from access.ending.rights import Rights
from access.events import Event
from access.evidence.ticketing import Ticketing
from access.granting.custody import Custody
from access.granting.grants import Grants
from access.granting.reaper import Reaper
from access.model import Device, Grant, Person, Request
from access.policy import Policy
from access.ports import Tickets
from access.sessions.place import GatewayParts
from access.signin import SignIns, Terminal
from access.sweeper import Sweeper
from access.tasks import Tasks
from prodaccess.policies.file import parse_policy
from providers.memory import MemoryProvider, MemoryServer
from tests.groups import Groups
from tests.people import ADA, LEDGER, LINUS, POLICY, Directory, ManualClock, ask
from tests.prepared import PATIENT, open_prepared
from tests.witness import MemoryWitness

_parsed = cache(parse_policy)


class Policies:
    """A policy source whose policy can be replaced."""

    def __init__(self, text: str) -> None:
        self.policy: Policy = _parsed(text)

    def current(self) -> Policy:
        return self.policy


class World:
    """Everything by name; `restart()` is what a `kill -9` and a new process leave."""

    groups: Groups | None = None
    tickets: Mapping[str, Tickets] = {}
    gateways: GatewayParts | None = None
    patience = PATIENT  # with the database

    def __init__(self, directory: Path, policy: str = POLICY) -> None:
        self.url = f"sqlite:///{directory}/prodaccess.db"
        self.clock = ManualClock()
        self.people = Directory()
        self.policies = Policies(policy)
        self.far_side = MemoryServer()
        if self.groups is not None:
            self.groups.clock = self.clock
        self._build()

    def _build(self) -> None:
        self.store = open_prepared(self.url, self.clock, LEDGER, patience=self.patience)
        self.provider = MemoryProvider(self.clock, server=self.far_side)
        self.witness = MemoryWitness(self.store.log)
        self.tasks = Tasks()
        custody = Custody(
            self.store, self.people, self.policies, self.clock, {"memory": self.provider}, self.witness, self.tasks,
            memberships=self.groups, tickets=Ticketing(self.tickets), sessions=self.store.sessions,
        )  # fmt: skip
        self.grants, self.endings, self.reaper = Grants(custody), Endings(custody), Reaper(custody)
        self.broker = Broker(self.store, self.people, self.policies, self.clock, self.grants, self.endings)
        self.rights = Rights(custody, self.endings)
        self.sign_ins = SignIns(self.store, self.people, self.clock)
        self.sweeper = Sweeper(self.store, self.broker, self.clock, self.tasks)

    def restart(self) -> None:
        self.store.close()
        self._build()

    def close(self) -> None:
        self.store.close()

    # Short ways

    async def device(self, person: Person = LINUS, host: str = "thinkpad") -> Device:
        code = await self.sign_ins.start(person)
        _, device = await self.sign_ins.redeem(code, Terminal(host, "127.0.0.1", "key"))
        return device

    async def asked(self, by: Person = LINUS, **changes: object) -> Request:
        return await self.broker.ask(ask(by, **changes))

    async def opened(self, by: Person = LINUS, approver: Person = ADA, **changes: object) -> Grant:
        request = await self.asked(by, **changes)
        await self.broker.approve(request.id, approver, request.digest)
        return await self.grant(request.number)

    async def grant(self, number: int) -> Grant:
        grant = await self.store.grant(number)
        assert grant is not None
        return grant

    async def request(self, number: int) -> Request:
        request = await self.store.request(number)
        assert request is not None
        return request

    async def sweep(self) -> None:
        """Everything that is due now, until it is done."""
        await self.sweeper.sweep()
        await self.tasks.drain(timeout=30)

    async def tags(self, ref: str) -> list[str]:
        return [entry.event.TAG for entry in await self.store.log.entries_of(ref)]

    async def last(self, kind: Callable[..., Event]) -> Event:
        found = [entry.event for entry in await self.store.log.entries(-1, 10_000) if isinstance(entry.event, kind)]  # type: ignore[arg-type]
        return found[-1]


async def all_at_once(*work: object) -> list[object]:
    """Results and exceptions, in order."""
    return list(await asyncio.gather(*work, return_exceptions=True))  # type: ignore[call-overload]
