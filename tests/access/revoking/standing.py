"""A `World` whose database can be made to keep silent, and what stands in for it then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from access.errors import Unavailable
from access.revoking.following import Following
from access.revoking.outcome import Outcome
from access.revoking.shadow import Shadow
from access.revoking.stand_in import StandIn
from prodaccess.revoking.spool import FileSpool
from store.database import Database
from store.watching import Watching
from tests.world import World

GRANT = {"provider": "memory"}


class Silence:
    """Between the store and its database: while it reigns, nothing is answered."""

    def __init__(self, database: Database) -> None:
        self.reigns = False
        self._read, self._write = database.read, database.write
        database.read, database.write = self.read, self.write  # type: ignore[assignment]

    async def read(self, work: Any, **patience: Any) -> Any:
        return await self._answer(self._read, work, patience)

    async def write(self, work: Any, **patience: Any) -> Any:
        return await self._answer(self._write, work, patience)

    async def _answer(self, call: Any, work: Any, patience: Any) -> Any:
        if self.reigns:
            raise Unavailable("The database does not answer.")
        return await call(work, **patience)


class Standing:
    """A stand-in for the world's store, made as the server makes its own."""

    def __init__(self, world: World, directory: Path, most: int = 1000) -> None:
        self.world, self.directory = world, directory
        self.spool = FileSpool(directory)
        self.shadow = Shadow(most)
        world.store.wrote = self.shadow.wrote
        following = Following(world.store, Watching(world.store.log.database), self.shadow)
        self.stand_in = StandIn(world.endings.custody, world.endings.proving, following, self.spool)
        world.sweeper.ends.stand_in = self.stand_in
        self.silence = Silence(world.store.log.database)

    async def follow(self) -> None:
        """Until all is known."""
        await self.stand_in.look()
        while not self.stand_in.following.is_filled:
            await self.stand_in.look()

    async def pass_over(self, **duration: float) -> None:
        """Time passes without the database, and whatever is due ends from memory."""
        self.silence.reigns = True
        self.world.clock.pass_by(**duration)
        self.stand_in.end(self.shadow.due(self.world.clock.now()))
        await self.world.tasks.drain(timeout=30)

    async def come_back(self) -> None:
        self.silence.reigns = False
        await self.stand_in.look()
        await self.world.sweep()

    def spooled(self) -> list[bytes]:
        return [line for path in sorted(self.directory.glob("*")) for line in path.read_bytes().splitlines()]

    def close(self) -> None:
        self.spool.close()


class StuckSpool(FileSpool):
    """A spool on a disk that stands still until it is `released`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.released = threading.Event()

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        self.released.wait()
        super()._write(outcomes)


class NoSpool:
    """A spool on a disk that takes nothing."""

    is_broken = True

    def left(self) -> tuple[Outcome, ...]:
        return ()

    async def append(self, outcomes: Sequence[Outcome]) -> None:
        await asyncio.sleep(0)
        raise Unavailable("The spool cannot be written (No space left on device).")

    async def clear(self) -> None:
        """Nothing is there."""

    def leave(self) -> None:
        """Nothing is there."""

    def close(self) -> None:
        """Nothing is open."""
