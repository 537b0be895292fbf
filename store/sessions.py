"""Passes and sessions as they stand: `access.ports.SessionStore`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlmodel import SQLModel

from access.sessions.model import Cut, Pass, Session
from audit.statement import selecting
from store import rows
from store.database import Database
from store.tables import AccessCut, AccessPass, AccessSession

_PASS = selecting(AccessPass, "name")
_PASSES = selecting(AccessPass, "grant_number", order="created_at")
_SESSIONS = selecting(AccessSession, "grant_number", order="n")


class SqlSessions:
    """Every method is one transaction that reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pass_named(self, name: str) -> Pass | None:
        row = await self._database.read(lambda tx: _PASS.run(tx, {"name": name}).one_or_none())
        return None if row is None else rows.pass_of(row)

    async def passes_of(self, number: int) -> tuple[Pass, ...]:
        found = await self._database.read(lambda tx: _PASSES.run(tx, {"grant_number": number}).all())
        return tuple(map(rows.pass_of, found))

    async def session(self, number: int, n: int) -> Session | None:
        table = _table(AccessSession)
        query = select(table).where(table.c.grant_number == number, table.c.n == n)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else rows.session_of(row)

    async def sessions_of(self, number: int) -> tuple[Session, ...]:
        found = await self._database.read(lambda tx: _SESSIONS.run(tx, {"grant_number": number}).all())
        return tuple(map(rows.session_of, found))

    async def open_sessions(self, process: str | None = None) -> tuple[Session, ...]:
        return await self._database.read(lambda tx: _open(tx, process))

    async def tally(self, number: int) -> tuple[int, int]:
        table = _table(AccessSession)
        counts = select(func.count(), func.count(table.c.closed_at)).where(table.c.grant_number == number)
        every, closed = await self._database.read(lambda tx: tx.execute(counts).one())
        return every - closed, every

    async def cuts(self, sessions: Sequence[str]) -> Mapping[str, Cut]:
        return await self._database.read(lambda tx: _cuts(tx, sessions))


def _open(tx: Connection, process: str | None) -> tuple[Session, ...]:
    table = _table(AccessSession)
    query = select(table).where(table.c.closed_at.is_(None))
    if process is not None:
        query = query.where(table.c.process == process)
    return tuple(map(rows.session_of, tx.execute(query.order_by(table.c.opened_at)).all()))


def _cuts(tx: Connection, sessions: Sequence[str]) -> dict[str, Cut]:
    table = _table(AccessCut)
    found: list[Any] = list(tx.execute(select(table).where(table.c.session.in_(sessions))))
    return {row.session: rows.cut_of(row) for row in found}


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]
