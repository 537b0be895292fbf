"""Whatever goes wrong at whichever step of a hand-over, the gate holds.

G1 what was handed over was intended, issued and signed before, in that order, and is never called aborted.
G2 every intent gets an end: issued or aborted, each at most once, and aborted is the last word.
G3 what was issued and not handed over is aborted, unless the process died at it; and it never outlives its grant.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from access.events import CredentialAborted, CredentialIntended, CredentialIssued
from access.lifecycle import GRANT_TERMINAL
from access.ports import Collected
from audit.log import Entry
from tests.access.granting.gate_troubles import TROUBLES, Troubles, troubled
from tests.world import World

Key = tuple[type, int]


class Run:
    """One grant, several collections, each with its troubles; and what was handed over."""

    def __init__(self, world: World, plan: Sequence[str]) -> None:
        self.world = world
        self.plan = plan
        self.released: set[str] = set()

    async def play(self) -> None:
        await self.world.opened()
        troubles = troubled(self.world, self.plan)
        for _ in range(3):
            outcome = await troubles.collect()
            if isinstance(outcome, Collected):
                await self.was_right(outcome, troubles)
        for _ in range(2):
            await troubles.reap()
        troubles.plan = iter(())
        for _ in range(2):
            await troubles.reap()
        await self.everything_has_an_end(troubles.died)
        await self.nothing_outlives_the_grant()

    async def entries(self) -> dict[Key, list[Entry]]:
        found: dict[Key, list[Entry]] = {}
        for entry in await self.world.store.log.entries_of("PA-1"):
            if isinstance(entry.event, CredentialIntended | CredentialIssued | CredentialAborted):
                found.setdefault((type(entry.event), entry.event.n), []).append(entry)
        return found

    async def was_right(self, collected: Collected, troubles: Troubles) -> None:  # G1
        public_id = collected.issued.public_id
        found = await self.entries()
        issued = next(e for (kind, _), (e, *_) in found.items() if getattr(e.event, "public_id", "") == public_id)
        assert isinstance(issued.event, CredentialIssued)
        (intended,) = found[CredentialIntended, issued.event.n]
        assert intended.seq < issued.seq
        assert any(covered.reaches(issued.seq) for covered in troubles.covered)
        assert collected.issued.secret.reveal()["username"] == public_id
        self.released.add(public_id)

    async def everything_has_an_end(self, died: set[int]) -> None:
        found = await self.entries()
        leases = {lease.n: lease for lease in (await self.world.grant(1)).leases}
        intents = [n for kind, n in found if kind is CredentialIntended]
        assert sorted(intents) == sorted(leases)
        for n in intents:
            issued, aborted = found.get((CredentialIssued, n), []), found.get((CredentialAborted, n), [])
            assert len(issued) <= 1  # G2
            assert len(aborted) <= 1
            assert issued or aborted
            assert not (issued and aborted) or issued[0].seq < aborted[0].seq
            assert bool(aborted) == (leases[n].aborted_at is not None)
            handed_over = any(getattr(e.event, "public_id", "") in self.released for e in issued)
            assert not (handed_over and aborted)  # G1
            assert handed_over or aborted or n in died  # G3

    async def nothing_outlives_the_grant(self) -> None:  # G3
        for _ in range(3):
            self.world.clock.pass_by(hours=1)
            await self.world.sweep()
        assert (await self.world.grant(1)).state in GRANT_TERMINAL
        assert not self.world.provider.live()
        assert not self.world.grants.custody.owed


MOSTLY_WELL = ("ok",) * 6 + TROUBLES


@given(plan=st.lists(st.sampled_from(MOSTLY_WELL), max_size=14))
@example(plan=["leaves"])
@example(plan=["ok", "leaves"])
@example(plan=["ok", "ok", "leaves"])
@example(plan=["ok", "ok", "ok", "leaves"])
@example(plan=["ok", "ok", "late", "stalls", "fails", "late"])
@example(plan=["ok", "ok", "ok", "fails", "ok", "stalls after"])
@example(plan=["stalls after", "crash after", "late", "crash"])
@example(plan=["ok", "crash after", "ok", "leaves", "ok", "crash"])
@example(plan=["ok", "ends", "ok", "ok", "fails"])
@settings(max_examples=200 if os.environ.get("SOAK") else 25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_gate_holds(plan: list[str]) -> None:
    directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        asyncio.run(_run(directory, plan))
    finally:
        shutil.rmtree(directory)


async def _run(directory: Path, plan: list[str]) -> None:
    world = World(directory)
    try:
        await Run(world, plan).play()
    finally:
        await world.tasks.drain(timeout=30)
        world.close()
