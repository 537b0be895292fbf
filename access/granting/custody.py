"""What both halves of a grant's life work with, and the lock that keeps them apart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb
from typing import TypeVar
from weakref import WeakValueDictionary

from access.errors import NotFound, ProviderError, ProviderSilent, Stale, Unavailable
from access.evidence.knowing import Knowing
from access.evidence.ticketing import Ticketing
from access.model import Grant, Lease
from access.ports import (
    Change,
    Clock,
    Issued,
    Memberships,
    People,
    PolicySource,
    Provider,
    SessionStore,
    Store,
    Witness,
)
from access.tasks import Tasks

log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

PATIENCE = 3.0  # seconds; the witness has two of its own, and says better than we can what it waited for


@dataclass(frozen=True, slots=True)
class Lost:
    """A credential, intended or made, that nobody was given; kept until the audit log says so."""

    grant: Grant
    lease: Lease  # with whatever is known of it
    why: str
    issued: Issued | None = None  # where the provider made one, and has not yet taken it back


def _nobody() -> None:
    """Where there is one process."""


@dataclass(frozen=True)
class Custody:
    """The parts, and one lock per grant: an `issue` beside a `revoke` of the same grant can leak a credential."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    providers: Mapping[str, Provider]
    witness: Witness
    tasks: Tasks = field(default_factory=Tasks)  # the server's own, so that a stop waits for what is being handed over
    patience: float = PATIENCE
    memberships: Memberships | None = None
    tickets: Ticketing = field(default_factory=Ticketing)
    sessions: SessionStore | None = None  # where there are gateways
    told: set[str] = field(default_factory=set, repr=False)  # as `access.evidence.knowing.Knowing` has it
    claimant: Callable[[], int | None] = _nobody  # which process we are, as long as others can see us alive
    owed: dict[tuple[int, int], Lost] = field(default_factory=dict, repr=False)  # by grant and `n`: not yet written
    _locks: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @property
    def knowing(self) -> Knowing:
        return Knowing(self.clock, self.memberships, self.told)

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

    async def in_time(self, work: Awaitable[_Answer]) -> _Answer:
        """What the audit log answers, while somebody waits. Raises Unavailable; a write may still happen later."""
        try:
            async with asyncio.timeout(self.patience):
                return await work
        except TimeoutError:
            raise Unavailable(f"The audit log did not answer within {self.patience:.0f} seconds.") from None


async def answer_of(call: Awaitable[_Answer]) -> _Answer:
    """What a provider answers. Whatever it raises against its promises is a silence: nobody knows what happened.

    The foreign text is neither shown nor logged, for it may quote an answer that holds a secret.
    """
    try:
        return await call
    except ProviderError:
        raise
    except Exception as error:
        last = extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"
        log.error("a provider failed unexpectedly", extra={"action": "provider", "what": what})  # noqa: TRY400 (see above)
        raise ProviderSilent(f"the provider failed unexpectedly ({what})") from None
