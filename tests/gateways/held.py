"""A client whose statements wait until an approver lets them run: a real one, a real server, the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from access.errors import Unavailable
from access.events import QueryRun
from access.sessions.holding import Deciding
from access.sessions.model import Held
from tests.gateways.scene import POLICY, Scene, Ticket
from tests.people import ADA

HOLDING = POLICY.replace(
    "        max: 4h\n", "        max: 4h\n        hold: [ddl, write-without-where, opaque]\n        hold_for: 2m\n"
)


class Away:
    """A store that does not answer."""

    async def commit(self, _change: object) -> None:
        raise Unavailable("The audit log is away.")

    async def held(self, _ids: object) -> None:
        raise Unavailable("The audit log is away.")


class Client:
    """One connection, what it was told, and what it runs beside the test."""

    def __init__(self, scene: Scene, db: psycopg.AsyncConnection[Any], ticket: Ticket) -> None:
        self.scene, self.db, self.ticket = scene, db, ticket
        self.heard: list[str] = []
        self.deciding = Deciding(scene.world.broker, scene.world.store.sessions)
        db.add_notice_handler(lambda notice: self.heard.append(str(notice.message_primary)))

    async def held(self, n: int = 2) -> Held:
        return await until(lambda: self._held(n))

    async def _held(self, n: int) -> Held | None:
        found = await self.scene.world.store.sessions.held([(1, 1, n)])
        return found[0] if found else None


async def until(look: Callable[[], Any]) -> Any:
    for _ in range(1200):
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(0.025)
    raise AssertionError("it never came")


@asynccontextmanager
async def holding(scene: Scene) -> AsyncIterator[Client]:
    """With a table of its own, which somebody has let it make."""
    ticket = await scene.ticket(*await scene.granted())
    db = await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True)
    made = Client(scene, db, ticket)
    running = asyncio.create_task(db.execute("create temp table held as select 1 as n"))
    await made.held(1)
    await made.deciding.decide("PA-1-1.1", ADA, allow=True)
    await running
    made.heard.clear()
    yield made
    await db.close()


async def rows(client: Client) -> int:
    found = await (await client.db.execute("select count(*) from held")).fetchone()
    assert found is not None
    return int(found[0])


async def run_of(scene: Scene, text: str) -> Any:
    return next((event for event in await scene.events(QueryRun) if event.text == text), None)
