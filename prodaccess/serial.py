"""Providers whose far side is one document for many grants: read, changed and written back by one process at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy.exc import SQLAlchemyError

from access.model import Grant, Handle
from access.ports import Gone, NotYet, Provider

if TYPE_CHECKING:
    from access.gate import Intent
    from access.ports import Issued
    from store.claims import Alone

log = logging.getLogger(__name__)
_LOOK = 0.1  # seconds
PATIENCE = 25.0  # seconds; a database that answers says after 20 that somebody else is at it
_Result = TypeVar("_Result")

#: a role's inline policy; a person's assignments, of which two grants may need the same one
SHARED = ("aws", "aws_identity_center")


def _answers() -> bool:
    """Where nobody knows whether the database does."""
    return False


class Serial:
    """A provider, whose changes wait for those of other processes."""

    def __init__(
        self, provider: Provider, alone: Alone, patience: float = PATIENCE, is_silent: Callable[[], bool] = _answers
    ) -> None:
        self._provider, self._alone, self._patience, self._is_silent = provider, alone, patience, is_silent
        self._unanswered: set[asyncio.Future[Any]] = set()  # while there are any, the database says nothing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        return await self._by_ourselves(lambda: self._provider.issue(grant, handle, intent))

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        return await self._by_ourselves(lambda: self._provider.revoke(grant))

    async def tidy(self) -> None:
        await self._by_ourselves(self._provider.tidy)

    async def _by_ourselves(self, change: Callable[[], Awaitable[_Result]]) -> _Result:
        """Taking away is not kept waiting for ever: after a while it goes on as if there were no others."""
        held = None if self._unanswered or self._is_silent() else await self._take()
        try:
            return await change()
        finally:
            if held is not None:
                await asyncio.to_thread(held.close)

    async def _take(self) -> Any:
        taking = asyncio.ensure_future(asyncio.to_thread(self._alone.take, self._provider.name))
        try:
            async with asyncio.timeout(self._patience):
                while not taking.done() and not self._is_silent():
                    await asyncio.wait({taking}, timeout=_LOOK)
            return taking.result()
        except (SQLAlchemyError, TimeoutError, asyncio.InvalidStateError) as error:
            why = type(error).__name__
            log.warning("another process may be at it too", extra={"action": self._provider.name, "why": why})
            return None
        finally:
            if not taking.done():
                self._unanswered.add(taking)
                taking.add_done_callback(self._let_go)

    def _let_go(self, taken: asyncio.Future[Any]) -> None:
        """What comes after all, to whoever has gone on without."""
        self._unanswered.discard(taken)
        if not taken.cancelled() and taken.exception() is None:
            asyncio.get_running_loop().run_in_executor(None, taken.result().close)


def one_at_a_time(
    providers: Mapping[str, Provider], alone: Alone | None, is_silent: Callable[[], bool] = _answers
) -> dict[str, Provider]:
    """Unchanged where there is one process. `is_silent`: the database is known not to answer just now."""
    return {
        name: cast("Provider", Serial(provider, alone, is_silent=is_silent))
        if alone is not None and name in SHARED
        else provider
        for name, provider in providers.items()
    }
