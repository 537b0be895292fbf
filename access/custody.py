"""What both halves of a grant's life work with, and the lock that keeps them apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from access.errors import NotFound, Stale
from access.model import Grant
from access.ports import Change, Clock, People, PolicySource, Provider, Store


@dataclass(frozen=True)
class Custody:
    """The parts, and one lock per grant: an `issue` beside a `revoke` of the same grant can leak a credential."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    providers: Mapping[str, Provider]
    _locks: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def alone(self, number: int) -> asyncio.Lock:
        """Held around every provider call for this grant."""
        return self._locks.setdefault(number, asyncio.Lock())

    async def load(self, number: int) -> Grant:
        """The grant as it stands. Raises NotFound."""
        grant = await self.store.grant(number)
        if grant is None:
            raise NotFound("There is no such grant.")
        return grant

    async def try_commit(self, change: Change) -> bool:
        """False when somebody else moved the grant first: then there is nothing left for us to do."""
        try:
            await self.store.commit(change)
        except Stale:
            return False
        return True
