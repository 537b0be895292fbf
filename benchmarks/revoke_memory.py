"""The same while the database stands still: a thousand ends from memory, among 100,000, and their writing down."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from access.errors import Unavailable
from access.model import GrantState
from access.revoking.following import Following
from access.revoking.shadow import Shadow
from access.revoking.stand_in import StandIn
from benchmarks.figures import Figure, percentile
from benchmarks.revoke_load import Revoker, Slow, a_grant, load
from prodaccess.clock import SystemClock
from prodaccess.memory import settle_memory
from prodaccess.parts.postgres import Postgres
from prodaccess.revoking.spool import FileSpool
from store import SqlStore
from store.watching import Watching

COUNT = 1_000
AIM = 1_000  # milliseconds, p99
_SOON = timedelta(seconds=8)
_BEFORE = 3.0  # seconds that the database has stood still at the deadlines


@dataclass(frozen=True)
class Ends:
    """Seconds after the deadline, and after the database goes on."""

    late: tuple[float, ...]
    written: float


def figures(server: Postgres, store: SqlStore, clock: SystemClock) -> Iterator[Figure]:
    ends = asyncio.run(_ended(server, store, clock))
    name = f"postgresql frozen · {COUNT:,} at once from memory"
    for label, percent in (("first", 0), ("p50", 50)):
        yield Figure(f"{name}, {label}", 1000 * percentile(ends.late, percent), "ms")
    yield Figure(f"{name}, p99", 1000 * percentile(ends.late, 99), "ms", None, AIM)
    yield Figure(f"{name}, last", 1000 * max(ends.late), "ms")
    yield Figure(f"{name}, written down after it is back", 1000 * ends.written, "ms")


async def _ended(server: Postgres, store: SqlStore, clock: SystemClock) -> Ends:
    provider, first = Slow(clock), 1 + sum((await store.grants_by_state()).values())
    async with _standing(store, clock, provider) as revoker:
        assert revoker.sweeper.ends.stand_in is not None
        following = revoker.sweeper.ends.stand_in.following
        deadline = clock.now() + _SOON
        load(store.log.database, [a_grant(first + n, clock.now(), deadline) for n in range(COUNT)])
        while not following.shadow.knows(first + COUNT - 1):  # the nearest deadlines are read first
            await following.look()
        settle_memory()
        async with revoker.running():
            await asyncio.sleep((deadline - clock.now()).total_seconds() - _BEFORE)
            server.pause()
            try:
                async with asyncio.timeout(60):
                    while len(provider.done) < COUNT:  # noqa: ASYNC110 (a count)
                        await asyncio.sleep(0.05)
            finally:
                server.resume()
            back = clock.now()
            await _written(store, first)
            late = tuple((at - deadline).total_seconds() for at in provider.done.values())
            return Ends(late, (clock.now() - back).total_seconds())


async def _written(store: SqlStore, first: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                grants = await store.grants_by_number(range(first, first + COUNT))
            except Unavailable:
                continue
            if {grant.state for grant in grants.values()} == {GrantState.REVOKED}:
                return
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _standing(store: SqlStore, clock: SystemClock, provider: Slow) -> AsyncIterator[Revoker]:
    with tempfile.TemporaryDirectory(prefix="prodaccess-spool-") as directory:
        revoker = Revoker(store, clock, {"fake": provider}, lambda: len(provider.done))
        endings, shadow, spool = revoker.sweeper.broker.endings, Shadow(), FileSpool(Path(directory))
        store.wrote = shadow.wrote
        following = Following(store, Watching(store.log.database), shadow)
        revoker.sweeper.ends.stand_in = StandIn(endings.custody, endings.proving, following, spool)
        yield revoker
        spool.close()
