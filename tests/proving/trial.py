"""One trial: a server on real ground, grants that end while something is wrong, and what came of them."""

from __future__ import annotations

import asyncio
import json
import math
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from access.errors import AccessError, TooLate, Unavailable
from access.events import GrantEnded, GrantEnding, PolicyLoaded, RevocationFailed
from access.model import Device, Grant, GrantState
from access.ports import Change, Collected
from audit.log import Entry
from prodaccess.clock import SystemClock, wall_time
from slack_simulator import Simulator, Workspace
from tests.bot.office import MANIFEST, SEED, Office, shown
from tests.people import LINUS
from tests.proving.ground import Address, Ground
from tests.proving.kill import read_and_verify
from tests.proving.kill_real import probing
from tests.proving.life import patiently
from tests.proving.life_real import RealLiving
from tests.proving.proxy import Proxy, Ways

BEFORE = 1.0  # seconds from the beginning of the fault to the deadlines
_LATE = 1.5  # seconds before the fault, after which no grant is opened any more
_TRIED = 6  # grants, to learn how long one takes to open
_PATIENCE = 150.0  # seconds for what must come at last
_numbers = count(1)
_Result = TypeVar("_Result")


class FastClock:
    """A clock on which time passes `factor` times as fast, and which follows a wall clock that may jump."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self._moved = factor, timedelta(0)
        self._real = SystemClock(lambda: wall_time() + self._moved)
        self._began = self._real.now()
        self._jump = (self._began, self._began)  # what it showed just before and just after it

    def now(self) -> datetime:
        return self._began + (self._real.now() - self._began) * self.factor

    def jump(self, by: timedelta) -> None:
        """Once, of the wall clock."""
        before, self._moved = self.now(), by
        self._jump = (before, self.now())

    def on_the_wall(self, moment: datetime) -> float:
        """Of this machine, whose clock nobody has moved: when this one showed, or passed over, this time."""
        before, after = self._jump
        moment = min(moment, before) if moment < after else moment - (after - before)
        return (self._began + (moment - self._began) / self.factor).timestamp()


class House(RealLiving, Office):
    """A server in this process; a bot belongs to it once it is `open`."""

    def __init__(self, directory: Path, clock: FastClock) -> None:
        self.fast = clock
        self._running: list[asyncio.Task[Any]] = []
        self.slack = Simulator(Workspace.from_seed(SEED, MANIFEST))
        self.runner, self.ping = None, 3.0
        super().__init__(directory, clock)

    def run(self) -> None:
        """Ends what is due, whether the database answers or not."""
        self._running = [
            self.tasks.start(self.sweeper.run(), "sweep"),
            self.tasks.start(self.standing.stand_in.run(), "stand in"),
        ]

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await self.tasks.drain(10)
        self.vault.close()
        self.close()

    def on_the_wall(self, moment: datetime) -> float:
        return self.fast.on_the_wall(moment)

    async def all_told(self) -> None:
        """Until the thread has told everything that the log has."""
        while True:
            noted = await self.store.note("thread:cursor") or {"seq": -1, "done": []}
            if noted["seq"] == await self.store.log.head() and not noted["done"]:
                return
            await asyncio.sleep(0.1)

    def told_once(self, refs: Collection[str]) -> int:
        """Threads of these that say exactly once that their grant has ended."""
        cards = [card for card in self.cards() if any(re.search(rf"{ref}\b", shown(card)) for ref in refs)]
        return sum(sum("Ended at" in line for line in self.thread(card)) == 1 for card in cards)


@dataclass
class Trial:
    """What a fault gets into its hands. All grants end within a second of `deadline`, of the house's clock."""

    ground: Ground
    house: House
    ways: Ways
    database: Proxy  # the way to prodaccess' own database
    vault: Proxy
    grants: list[Grant] = field(default_factory=list)
    deadline: float = 0.0  # on the machine's clock

    @property
    def clock(self) -> FastClock:
        return self.house.fast

    async def open(self, grants: int) -> None:
        """So many grants, each with a credential that is in somebody's hands; on a busy machine fewer."""
        await patiently(self._load_policy)
        device = await patiently(self.house.device)
        takes = await self._takes(device)
        while not self.grants:
            takes *= 2
            wait = BEFORE + _LATE + takes * (grants + _TRIED)
            deadline = self.clock.now() + timedelta(seconds=wait * self.clock.factor)
            self.deadline = self.clock.on_the_wall(deadline)
            opened = await _few_at_once([self._handed_over(device, deadline) for _ in range(grants)])
            self.grants = [grant for grant in opened if grant is not None]

    async def _takes(self, device: Device) -> float:
        """Seconds for each grant, on this machine, at this hour."""
        began, far = time.monotonic(), self.clock.now() + timedelta(hours=1)
        some = await _few_at_once([self._opened(device, far) for _ in range(_TRIED)])
        took = (time.monotonic() - began) / _TRIED
        for collected in some:
            if collected is not None:
                await self._end(collected.grant.number)
        return took

    async def _end(self, number: int) -> None:
        async def end() -> None:
            with suppress(TooLate):
                await self.house.broker.end(number, LINUS)

        await patiently(end)

    async def _handed_over(self, device: Device, deadline: datetime) -> Grant | None:
        """None when it is too late for one more."""
        if time.time() > self.deadline - BEFORE - _LATE:
            return None
        collected = await self._opened(device, deadline)
        if collected is None:
            return None
        self.house.take(collected)
        return collected.grant

    async def _opened(self, device: Device, deadline: datetime) -> Collected | None:
        """On a busy machine not at the first try, or not in time."""
        while True:
            whole = timedelta(seconds=round((deadline - self.clock.now()).total_seconds()))
            if whole < timedelta(seconds=1):
                return None
            try:
                grant = await self.house.opened(duration=whole)
                return await self.house.grants.collect(grant.number, device)
            except (Unavailable, TooLate):
                await asyncio.sleep(0.1)

    async def _load_policy(self) -> None:
        policy, now = self.house.policies.policy, self.clock.now()
        loaded = PolicyLoaded(at=now, policy_hash=policy.hash, rules=len(policy.rules))
        await self.house.store.commit(Change(policies=(policy,), events=(loaded,)))

    async def ended(self) -> None:
        """Until every end is written down."""
        async with asyncio.timeout(_PATIENCE):
            while await self._goes_on():  # noqa: ASYNC110 (a look at the rows)
                await asyncio.sleep(0.1)

    async def _goes_on(self) -> bool:
        try:
            states = await self.house.store.grants_by_state()
        except AccessError:
            return True
        return bool(states[GrantState.ACTIVE] or states[GrantState.REVOKING])


async def _few_at_once(work: Sequence[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    few = asyncio.Semaphore(4)

    async def one(each: Coroutine[Any, Any, _Result]) -> _Result:
        async with few:
            return await each

    return list(await asyncio.gather(*map(one, work)))


Fault = Callable[[Trial], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Plan:
    """How a fault is tried. Seconds are those of the house's clock, which runs `factor` times as fast."""

    fault: Fault
    grants: int
    lasting: float
    factor: float = 1.0
    in_slack: bool = False  # with a bot, whose threads must tell every end once


@dataclass(frozen=True)
class Seen:
    """What came of it. Seconds are those of the house's clock, but `usable` is of this machine."""

    grants: int
    usable: tuple[float, ...]  # after the deadline, until the target lets nobody in any more
    proven: tuple[float, ...]  # after the deadline, or the end of the fault where that came first, until it was proven
    written: tuple[float, ...]  # the same, until it was in the log
    alarms: Mapping[int, tuple[float, ...]]  # the first, second and third call to people, after the end had begun
    tried_for: float  # after the end had begun, until it was proven: the longest
    logins: int
    never_refused: int
    left: int  # users at the target when all is over
    verifies: bool
    told: int | None = None  # threads that tell of their end, once; None without a bot


async def try_out(ground: Ground, plan: Plan) -> Seen:
    with tempfile.TemporaryDirectory(prefix="prodaccess-fault-") as name:
        directory = Path(name)
        async with _trial(ground, directory, plan) as trial:
            with probing(directory):
                await trial.open(plan.grants)
                await _until(trial.deadline - BEFORE)
                async with plan.fault(trial):
                    await asyncio.sleep(BEFORE + plan.lasting / plan.factor)
                lifted = time.time()
                await trial.ended()
            told = await _told(trial) if plan.in_slack else None
        probed = json.loads((directory / "probed.json").read_text())
        log = await read_and_verify(ground.house.url(_name(trial)), directory)
        return replace(_judge(trial, (lifted, probed, log)), told=told)


async def _told(trial: Trial) -> int:
    async with asyncio.timeout(_PATIENCE):
        await trial.house.all_told()
    return trial.house.told_once([grant.ref for grant in trial.grants])


@asynccontextmanager
async def _trial(ground: Ground, directory: Path, plan: Plan) -> AsyncIterator[Trial]:
    name = f"house_{next(_numbers)}"
    ground.house.execute(f"CREATE DATABASE {name}")
    async with AsyncExitStack() as stack:
        ways = stack.enter_context(Ways())
        database, vault = ways.to(ground.house.port), ways.to(ground.openbao.port)
        _through(ground.address(name), database, vault).save(directory)
        house = House(directory, FastClock(plan.factor))
        stack.push_async_callback(house.stop)
        if plan.in_slack:
            await house.slack.start()
            stack.push_async_callback(house.slack.stop)
            await house.open()
            stack.push_async_callback(house.shut)
        house.run()
        yield Trial(ground, house, ways, database, vault)


def _through(address: Address, database: Proxy, vault: Proxy) -> Address:
    """The same place, reached over ways that can fail."""
    port = urlsplit(address.database).port
    return replace(
        address,
        database=address.database.replace(f":{port}/", f":{database.port}/"),
        vault=f"http://127.0.0.1:{vault.port}",
    )


def _name(trial: Trial) -> str:
    return urlsplit(trial.house.url).path[1:]


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))


def _judge(trial: Trial, found: tuple[float, dict[str, Any], tuple[list[Entry], bool]]) -> Seen:
    lifted, probed, (entries, verifies) = found
    tried = probed["tried"]
    last = {each["user"]: max(each["last_accepted"], probed["usable"].get(each["user"], [0, 0])[1]) for each in tried}
    wall = trial.clock.on_the_wall
    begun = {each.ref: _happened(each) for each in _of(entries, GrantEnding)}
    due = {grant.ref: wall(grant.expires_at) for grant in trial.grants}
    ended = [each for each in _of(entries, GrantEnded) if each.ref in due]

    def late(ref: str, at: datetime) -> float:
        return max(0.0, wall(at) - max(due[ref], _since(lifted, wall(at)))) * trial.clock.factor

    return Seen(
        grants=len(trial.grants),
        usable=tuple(max(0.0, last[each["user"]] - due[f"PA-{each['grant']}"]) for each in tried),
        proven=tuple(late(each.ref, _happened(each)) for each in ended),
        written=tuple(late(each.ref, each.at) for each in ended),
        alarms=_alarms(entries, begun),
        tried_for=max(((_happened(each) - begun[each.ref]).total_seconds() for each in ended), default=math.inf),
        logins=sum(each["accepted"] + each["refused"] + each["unknown"] for each in tried),
        never_refused=sum(not each["refused_at"] for each in tried),
        left=trial.ground.left_of(each["user"] for each in tried),
        verifies=verifies,
    )


def _since(lifted: float, at: float) -> float:
    """An end that was proven while the fault lasted did not wait for its end."""
    return lifted if at >= lifted else 0.0


def _happened(event: Any) -> datetime:
    """Also where the database could only take it down later."""
    moment: datetime = getattr(event, "happened_at", None) or event.at
    return moment


def _of(entries: Sequence[Entry], kind: type) -> list[Any]:
    return [entry.event for entry in entries if isinstance(entry.event, kind)]


def _alarms(entries: Sequence[Entry], begun: Mapping[str, datetime]) -> Mapping[int, tuple[float, ...]]:
    called: dict[str, list[float]] = {}
    for failed in _of(entries, RevocationFailed):
        if failed.escalated:
            called.setdefault(failed.ref, []).append((_happened(failed) - begun[failed.ref]).total_seconds())
    return {n: tuple(each[n] for each in called.values() if len(each) > n) for n in range(3)}
