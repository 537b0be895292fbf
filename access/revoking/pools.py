"""Workers for each provider, so that a slow one delays only itself."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from access.ports import Provider
from access.tasks import Tasks

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]
_UNKNOWN = 8  # at a time, for a provider that is no longer configured


class Pool:
    """At most `size` jobs at a time, in their order; what somebody waits for comes first.

    What was tried in vain before leaves a quarter of the workers to what was not: calls that nobody answers must not
    hold up what can still be ended.
    """

    def __init__(self, size: int, tasks: Tasks, name: str) -> None:
        self._size, self._tasks, self._name = size, tasks, name
        self._jobs: deque[Job] = deque()
        self._again: deque[Job] = deque()
        self._workers = self._at_it_again = 0
        self._most_again = max(1, size - size // 4)

    @property
    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._jobs) + len(self._again)

    def add(self, job: Job, *, first: bool = False, again: bool = False) -> None:
        """`again`: it was tried in vain before."""
        if again:
            self._again.append(job)
        elif first:
            self._jobs.appendleft(job)
        else:
            self._jobs.append(job)
        if self._workers < self._size:
            self._workers += 1
            self._tasks.start(self._work(), name=f"end grants at {self._name}")

    async def _work(self) -> None:
        try:
            while self._jobs or self._may_try_again():
                if self._jobs:
                    await self._do(self._jobs.popleft())
                else:
                    await self._do_again(self._again.popleft())
        finally:
            self._workers -= 1

    def _may_try_again(self) -> bool:
        return bool(self._again) and self._at_it_again < self._most_again

    async def _do_again(self, job: Job) -> None:
        self._at_it_again += 1
        try:
            await self._do(job)
        finally:
            self._at_it_again -= 1

    async def _do(self, job: Job) -> None:
        try:
            await job()
        except Exception:  # one that fails must not keep the others from being done; its row brings it back
            log.exception("a grant's end was not brought about", extra={"action": "revoke"})


class Pools:
    """One pool for each provider, of the size that it says."""

    def __init__(self, providers: Mapping[str, Provider], tasks: Tasks) -> None:
        self._providers, self._tasks = providers, tasks
        self._pools: dict[str, Pool] = {}

    def of(self, name: str) -> Pool:
        if name not in self._pools:
            provider = self._providers.get(name)
            self._pools[name] = Pool(provider.at_once if provider else _UNKNOWN, self._tasks, name)
        return self._pools[name]

    @property
    def waiting(self) -> int:
        return sum(pool.waiting for pool in self._pools.values())
