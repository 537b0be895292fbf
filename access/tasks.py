"""The one place that starts background work: nothing is lost to the garbage collector, nothing fails in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, _Result]) -> AsyncIterator[asyncio.Task[_Result]]:
    """Work that runs beside the body, which awaits its result; it does not outlive the body."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Tasks:
    """Background work of one owner: started here, logged when it fails, awaited at the end."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", extra={"action": task.get_name()}, exc_info=error)

    async def drain(self, timeout: float) -> None:
        """Wait for what runs, and for what that starts, at most `timeout` seconds, then cancel the rest."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while self._running and loop.time() < until:
            await asyncio.wait(self._running, timeout=until - loop.time())
        late = tuple(self._running)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
