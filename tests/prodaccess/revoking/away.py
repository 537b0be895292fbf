"""What happens to grants whose deadlines come while a real PostgreSQL is away: opened before, looked at afterwards.

with Leaving() as postgres:
    away = await over_an_outage(directory, postgres, Plan(expiries=20, seconds=2))
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from access.errors import AccessError
from access.events import GrantEnded, PolicyLoaded
from access.model import Device, Grant, GrantState
from access.ports import Change
from audit.log import Entry
from prodaccess.clock import SystemClock
from prodaccess.parts.part import Program
from prodaccess.parts.postgres import Postgres
from providers.memory import MemoryServer
from tests.access.revoking.standing import Standing
from tests.audit.proving.book import sign
from tests.audit.proving.verifying import verified
from tests.people import Directory
from tests.proving.life import POLICY
from tests.world import Policies, World

# The server as often as it is wanted: it is gone while there is a file `away`.
_AGAIN = r"""
set -e
"$1/initdb" -D data -U "$2" --pwfile=password --auth=scram-sha-256 \
  --encoding=UTF8 --locale=C --no-sync --no-instructions
rm password
cat settings.conf >> data/postgresql.conf
server=
trap 'kill -INT $server; wait $server; exit 0' INT
set +e
while :; do
  if [ ! -e away ]; then "$1/postgres" -D data & server=$!; wait $server; fi
  sleep 0.05
done
"""


class Leaving(Postgres):
    """A cluster that can stop and come back with what it had."""

    def _prepare(self) -> Program:
        program = super()._prepare()
        shell, flag, _, *rest = program.command
        return replace(program, command=(shell, flag, _AGAIN, *rest))

    def leave(self) -> None:
        """At once, as if the machine had lost its power."""
        (self.directory / "away").touch()
        server = int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGQUIT)

    def come_back(self) -> None:
        (self.directory / "away").unlink()
        self._wait_until_ready()


_Answered = TypeVar("_Answered")
_NOTICED = timedelta(seconds=0.5)
_PATIENCE = 8.0  # seconds for all openings; on a machine that needs more, the first ends come before the outage


@dataclass(frozen=True)
class Plan:
    """The deadlines lie within `seconds` and one more, and the database is away over all of them."""

    expiries: int = 20
    seconds: float = 2.0
    frozen: bool = False  # it stands still instead, and says nothing at all
    tolerance: int = 60  # of the verifier, in seconds


@dataclass(frozen=True)
class Away:
    """What came of it."""

    late: tuple[float, ...]  # seconds from each deadline to the moment when the login was gone
    left: int  # logins that still work
    from_memory: int  # in the outage; before, a slow database makes some of it too
    outage: float
    ended: tuple[GrantEnded, ...]
    unwritten: int  # spool files that are left
    verifies: bool
    exceptions: tuple[str, ...]


class _Noting(dict[str, Any]):
    """The far side's accounts, and when each was gone."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: dict[int, float] = {}

    def __delitem__(self, key: str) -> None:
        self.gone.setdefault(self[key].grant, time.time())
        super().__delitem__(key)


class _Living(World):
    """A `World` on PostgreSQL and on the machine's clock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock: Any = SystemClock()
        self.people, self.policies = Directory(), Policies(POLICY)
        self.far_side = MemoryServer(accounts=_Noting())
        self._build()


async def over_an_outage(directory: Path, postgres: Leaving, plan: Plan) -> Away:
    """Open grants, take the database away over their deadlines, and look at what is left when it is back."""
    database = f"away_{time.monotonic_ns()}"
    await asyncio.to_thread(postgres.execute, f"CREATE DATABASE {database}")
    world = _Living(postgres.url(database))
    standing = Standing(world, directory / "spool")
    try:
        async with _running(world, standing):
            grants = await _opened(world, plan)
            await _until(min(grant.expires_at for grant in grants) - timedelta(seconds=0.2))
            began, before = time.monotonic(), standing.stand_in.ended
            await asyncio.to_thread(postgres.pause if plan.frozen else postgres.leave)
            await _until(max(grant.expires_at for grant in grants) + _NOTICED)
            from_memory = standing.stand_in.ended - before
            await asyncio.to_thread(postgres.resume if plan.frozen else postgres.come_back)
            outage = time.monotonic() - began
            await _all_over(world, [grant.number for grant in grants])
            async with asyncio.timeout(60):
                while standing.spooled():  # noqa: ASYNC110 (files: they go right after the last row is written)
                    await asyncio.sleep(0.05)
        entries = await _answer(lambda: world.store.log.entries(-1, 100_000))
        key = await _answer(lambda: sign(world.store.log, directory))
    finally:
        standing.close()
        world.close()
    words = ("--key", key, "--deep", "--tolerance", str(plan.tolerance))
    report = await asyncio.to_thread(verified, "database", world.url, *words)
    return _judged(world, grants, entries, (from_memory, outage, report, directory))


def _judged(world: _Living, grants: list[Grant], entries: Sequence[Entry], found: tuple[int, float, Any, Path]) -> Away:
    from_memory, outage, report, directory = found
    refs = {grant.ref for grant in grants}
    accounts: Any = world.far_side.accounts
    late = tuple(accounts.gone[grant.number] - grant.expires_at.timestamp() for grant in grants)
    return Away(
        late=late, left=len(accounts), from_memory=from_memory, outage=outage,
        ended=tuple(e.event for e in entries if isinstance(e.event, GrantEnded) and e.event.ref in refs),
        unwritten=len(list((directory / "spool").glob("*"))), verifies=report["exit"] == 0,
        exceptions=tuple(each["what"] for each in report.get("exceptions", ())),
    )  # fmt: skip


@asynccontextmanager
async def _running(world: _Living, standing: Standing) -> AsyncIterator[None]:
    standing.silence.reigns = False
    tasks = [
        world.tasks.start(world.sweeper.run(), "sweep"),
        world.tasks.start(standing.stand_in.run(), "stand in"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await world.tasks.drain(timeout=10)


async def _opened(world: _Living, plan: Plan) -> list[Grant]:
    policy, now = world.policies.policy, world.clock.now()
    loaded = PolicyLoaded(at=now, policy_hash=policy.hash, rules=len(policy.rules))
    await _answer(lambda: world.store.commit(Change(policies=(policy,), events=(loaded,))))
    device, began = await _answer(world.device), time.monotonic()
    await _one(world, device, world.clock.now() + timedelta(seconds=1))  # how long it takes just now
    ready = 0.5 + min(_PATIENCE, 1.3 * plan.expiries * (time.monotonic() - began))
    first, apart = world.clock.now() + timedelta(seconds=ready), plan.seconds / plan.expiries
    return [await _one(world, device, first + timedelta(seconds=i * apart)) for i in range(plan.expiries)]


async def _answer(ask: Callable[[], Awaitable[_Answered]]) -> _Answered:
    """On a machine that stands still for seconds it takes several tries; what they leave ends like all else."""
    while True:
        with suppress(AccessError):
            return await ask()


async def _one(world: _Living, device: Device, end: datetime) -> Grant:
    return await _answer(lambda: _try(world, device, end))


async def _try(world: _Living, device: Device, end: datetime) -> Grant:
    seconds = max(1, math.ceil((end - world.clock.now()).total_seconds()))  # an approval is for whole ones
    grant = await world.opened(duration=timedelta(seconds=seconds))
    await world.grants.collect(grant.number, device)
    return await world.grant(grant.number)


async def _until(moment: datetime) -> None:
    await asyncio.sleep(max(0.0, moment.timestamp() - time.time()))


async def _all_over(world: _Living, numbers: list[int]) -> None:
    async with asyncio.timeout(60):
        while True:
            grants = await _answer(lambda: world.store.grants_by_number(numbers))
            if all(n in grants and grants[n].state is GrantState.REVOKED for n in numbers):
                return
            await asyncio.sleep(0.1)
