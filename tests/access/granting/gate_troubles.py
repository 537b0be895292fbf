"""A world in which each step of a hand-over can go wrong as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from access.errors import AccessError, ProviderError, ProviderRefused, ProviderSilent, Stale, Unavailable
from access.gate import Covered, Intent
from access.granting.grants import Grants
from access.granting.reaper import Reaper
from access.model import Cause, Grant, Handle, Receipt
from access.ports import Change, Collected, Issued
from providers.memory import MemoryProvider
from tests.world import World

_Result = TypeVar("_Result")
PATIENCE = 0.3  # seconds: a stalled step takes longer, and a commit on a busy machine does not
TROUBLES = (
    "ok", "refuses", "fails", "fails after", "stalls", "stalls after", "late", "crash", "crash after", "leaves", "ends",
)  # fmt: skip
_AT_A_PROVIDER = {"stalls": "fails", "stalls after": "ok", "late": "ok"}  # it has a deadline of its own
_AT_THE_LOG = {"refuses": "fails"}


class Crash(BaseException):
    """The process is gone: nothing that comes after this line of ours happens."""


@dataclass
class Troubles:
    """What happens at each step; a step that is not listed goes well. Steps come in the order they are taken."""

    world: World
    plan: Iterator[str]
    late: set[asyncio.Task[Any]] = field(default_factory=set)
    covered: list[Covered] = field(default_factory=list)
    crashed: bool = False
    died: set[int] = field(default_factory=set)  # issued, but the process that knew whether anybody got it is gone
    caller: asyncio.Task[Any] | None = None  # who leaves at `leaves`

    async def meet(self, work: Callable[[], Awaitable[_Result]], silence: Exception) -> _Result:
        """Take the step, with whatever happens at it. `silence` is what a failure looks like from here."""
        met = next(self.plan, "ok")
        trouble = (_AT_A_PROVIDER if isinstance(silence, ProviderError) else _AT_THE_LOG).get(met, met)
        self.crashed |= trouble in ("crash", "crash after")
        match trouble:
            case "refuses":
                raise ProviderRefused("the target says no")
            case "fails":
                raise silence
            case "stalls":
                await asyncio.sleep(PATIENCE * 10)
                raise silence
            case "crash":
                raise Crash
            case "late":
                self.late.add(asyncio.ensure_future(self._later(work)))
                await asyncio.sleep(PATIENCE * 10)
            case "leaves":
                assert self.caller is not None
                self.caller.cancel()
            case "ends":
                self.world.tasks.start(self.world.endings.finish(1, Cause.REQUESTER), name="end")
                await asyncio.sleep(0.01)
        done = await work()
        match trouble:
            case "fails after":
                raise silence
            case "stalls after":
                await asyncio.sleep(PATIENCE * 10)
            case "crash after":
                raise Crash
        return done

    async def _later(self, work: Callable[[], Awaitable[object]]) -> None:
        await asyncio.sleep(PATIENCE * 1.5)
        with suppress(Stale):
            await work()

    async def collect(self) -> Collected | BaseException:
        """One collection, from a caller that may leave; the credential, or why there is none."""
        device = await self.world.device()
        self.caller = asyncio.ensure_future(self.world.grants.collect(1, device))
        (outcome,) = await asyncio.gather(self.caller, return_exceptions=True)
        await self._come_to_rest()
        return outcome

    async def reap(self) -> None:
        """Half a minute later."""
        self.world.clock.pass_by(seconds=31)
        with suppress(AccessError, Crash):
            await self.world.reaper.reap()
        await self._come_to_rest()

    async def _come_to_rest(self) -> None:
        await self.world.tasks.drain(timeout=0 if self.crashed else 30)
        for task in self.late if self.crashed else ():
            task.cancel()
        await asyncio.gather(*self.late, return_exceptions=True)
        if self.crashed:  # a new process: the old one's memory, and whatever it still had to do, are gone
            self.crashed = False
            self.world.restart()
            leases = (await self.world.grant(1)).leases
            self.died |= {lease.n for lease in leases if lease.public_id and lease.aborted_at is None}
            trouble(self.world, self)


@dataclass
class TroubledStore:
    """The store, but for its commits."""

    store: Any
    troubles: Troubles

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, change: Change) -> Receipt:
        silence = Unavailable("The database does not answer.")
        return await self.troubles.meet(lambda: self.store.commit(change), silence)


@dataclass
class TroubledWitness:
    """Keeps what it has covered, and when."""

    witness: Any
    troubles: Troubles

    async def cover(self, seq: int) -> Covered:
        covered: Covered = await self.troubles.meet(
            lambda: self.witness.cover(seq), Unavailable("The log cannot be signed.")
        )
        self.troubles.covered.append(covered)
        return covered


class TroubledProvider(MemoryProvider):
    """Keeps what it was asked for."""

    troubles: Troubles

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        made = super().issue
        return await self.troubles.meet(lambda: made(grant, handle, intent), ProviderSilent("no answer"))

    async def discard(self, grant: Grant, issued: Issued) -> None:
        done = super().discard
        return await self.troubles.meet(lambda: done(grant, issued), ProviderSilent("no answer"))


def trouble(world: World, troubles: Troubles) -> None:
    """Hand the troubles to the hand-over and to the reaper; the endings stay in peace."""
    custody = world.grants.custody
    provider = TroubledProvider(world.clock, server=world.far_side)
    provider.troubles = troubles
    provider._handles = world.provider._handles
    custody.providers["memory"] = provider  # type: ignore[index]
    troubled = replace(
        custody,
        store=TroubledStore(world.store, troubles),
        witness=TroubledWitness(world.witness, troubles),
        patience=PATIENCE,
    )
    world.grants, world.reaper = Grants(troubled), Reaper(troubled)


def troubled(world: World, plan: Sequence[str]) -> Troubles:
    """The first step is the intent's commit; a grant is open."""
    made = Troubles(world, iter(plan))
    trouble(world, made)
    return made
