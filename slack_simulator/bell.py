"""Wakes whoever waits for something to change in the workspace."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Bell:
    """Rung after every change; waiting on it never polls and never misses a change."""

    def __init__(self) -> None:
        self.rung = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        self.rung += 1
        waiting, self._waiting = self._waiting, set()
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def next(self) -> None:
        """Return at the next change."""
        one: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(one)
        try:
            await one
        finally:
            self._waiting.discard(one)

    async def until(self, look: Callable[[], T | None], seconds: float) -> T:
        """Return the first thing `look` finds; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while (found := look()) is None:
                await self.next()
        return found
