"""A server without faces that is made to be killed: `python -m tests.proving.life DIRECTORY [--only-end]`.

It opens grants of a second or two, collects their credentials and ends them, as fast as it can; with `--only-end` it
opens nothing and stops when nothing is left to end. What the far side holds outlives it, in `far.log`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from access.errors import AccessError
from access.events import PolicyLoaded
from access.model import GrantState
from access.ports import Change
from prodaccess.clock import SystemClock
from providers.memory import Account, MemoryServer
from tests.people import Directory
from tests.world import Policies, World

POLICY = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
limits: {pending: 100000, per_hour: 1000000}
targets:
  orders-db:
    roles:
      read: {provider: memory, uses: {}, who: [linus], approvers: [ada], max: 4h, default: 1h}
"""
AT_ONCE = 4


class Journal(dict[str, Any]):
    """A dictionary whose every change is on disk before it is made: one line, one write."""

    def __init__(self, file: int, mark: str, directory: Path) -> None:
        super().__init__()
        self._file, self._mark, self._directory = file, mark, directory

    def note(self, sign: str, key: str, value: object = None) -> None:
        line = {"what": sign + self._mark, "key": key, "at": time.time()}
        if isinstance(value, Account):
            intents = durable_intents(self._directory, value.grant)
            line |= {"grant": value.grant, "container": value.container, "intents": intents}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def __setitem__(self, key: str, value: Any) -> None:
        self.note("+", key, value)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.note("-", key)
        super().__delitem__(key)

    def pop(self, key: str, *default: Any) -> Any:
        if key in self:
            self.note("-", key)
        return super().pop(key, *default)


def durable_intents(directory: Path, grant: int) -> int:
    """As anybody else reads them at this moment, on a connection of their own."""
    with closing(sqlite3.connect(f"file:{directory}/prodaccess.db?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM ledger_entry WHERE ref = ? AND type = 'credential.intended'"
        return int(database.execute(query, (f"PA-{grant}",)).fetchone()[0])


def far_lines(directory: Path) -> Iterator[dict[str, Any]]:
    file = directory / "far.log"
    for line in file.read_text().splitlines() if file.exists() else ():
        yield json.loads(line)


def far_side(directory: Path) -> MemoryServer:
    """As the last process left it. What a credential hangs on is written with it."""
    known = list(far_lines(directory))
    file = os.open(directory / "far.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    server = MemoryServer(Journal(file, "container", directory), Journal(file, "account", directory))
    for line in known:
        held: Any = server.containers if line["what"].endswith("container") else server.accounts
        far = datetime.fromtimestamp(line["at"], UTC) + timedelta(hours=1)
        if line["what"][0] == "-":
            dict.pop(held, line["key"], None)
        else:
            value = Account(line["grant"], line["container"], "", far) if "grant" in line else far
            dict.__setitem__(held, line["key"], value)
    return server


class Living(World):
    """A `World` on the machine's clock."""

    def __init__(self, directory: Path, clock: SystemClock | None = None) -> None:
        self.url = f"sqlite:///{directory}/prodaccess.db"
        self.clock: Any = clock or SystemClock()
        self.people, self.policies = Directory(), Policies(POLICY)
        self.far_side = far_side(directory)
        self._build()


@dataclass
class Life:
    world: Living

    async def live(self) -> None:
        with self._running():
            await self._begin()
            device = await self.world.device()
            sys.stdout.write("alive\n")
            sys.stdout.flush()
            await asyncio.gather(*(self._use(device) for _ in range(AT_ONCE)))

    async def _begin(self) -> None:
        """As every start of a server does: the log says by which policy what follows was decided."""
        policy, now = self.world.policies.policy, self.world.clock.now()
        loaded = PolicyLoaded(at=now, policy_hash=policy.hash, rules=len(policy.rules))
        await self.world.store.commit(Change(policies=(policy,), events=(loaded,)))

    async def end(self) -> None:
        with self._running():
            while not await self._is_over():  # noqa: ASYNC110 (a look at the rows)
                await asyncio.sleep(0.1)

    async def _is_over(self) -> bool:
        """Openings that a kill interrupted take two minutes to be given up; nothing usable hangs on them."""
        states = await self.world.store.grants_by_state()
        return not states[GrantState.ACTIVE] and not states[GrantState.REVOKING]

    @contextmanager
    def _running(self) -> Iterator[None]:
        tasks = self.world.tasks
        tasks.start(self.world.sweeper.take_over(), "take over")
        tasks.start(self.world.sweeper.run(), "sweep")
        yield

    async def _use(self, device: Any) -> None:
        while True:
            try:
                grant = await self.world.opened(duration=timedelta(seconds=random.randint(1, 2)))
                await self.world.grants.collect(grant.number, device)
            except AccessError:
                await asyncio.sleep(0.01)


def main() -> None:
    directory, only_end = Path(sys.argv[1]), "--only-end" in sys.argv
    life = Life(Living(directory))
    asyncio.run(life.end() if only_end else life.live())


if __name__ == "__main__":
    main()
