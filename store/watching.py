"""What a shadow of the deadlines is kept by (`access.revoking.following`): what the log says has changed.

Every change of a grant's state has an entry, and entries are numbered in the order of their commits: none is missed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select
from sqlmodel import col

from access.lifecycle import GRANT_TERMINAL
from access.model import parse_ref
from access.revoking.following import Moves
from audit.log import head
from audit.statement import Statement
from audit.tables import LOG, LedgerEntry
from store.database import Database
from store.tables import AccessGrant

PATIENCE = 1.0  # seconds; it asks little, so no answer within them is an answer too
_KINDS = ("grant.", "credential.", "handle.", "revocation.")
_WRITTEN = Statement(
    lambda _: select(col(LedgerEntry.type), col(LedgerEntry.ref)).where(
        col(LedgerEntry.log_id) == bindparam("log"),
        col(LedgerEntry.seq) > bindparam("after"),
        col(LedgerEntry.seq) <= bindparam("head"),
    )
)
_SQLITE_VERSIONS = "SELECT number, version, state FROM access_grant WHERE number IN (SELECT value FROM json_each(?))"
_POSTGRESQL_VERSIONS = "SELECT number, version, state FROM access_grant WHERE number = ANY(%(numbers)s::bigint[])"


@dataclass(frozen=True)
class Watching:
    """`access.revoking.following.Changes` over one database."""

    database: Database

    async def since(self, after: int | None) -> Moves:
        return await self.database.read(lambda tx: _since(tx, after), patience=PATIENCE)

    async def open_grants(self, place: tuple[int, int], limit: int) -> tuple[tuple[int, int], ...]:
        return await self.database.read(lambda tx: _open(tx, place, limit), patience=PATIENCE)


def _since(tx: Connection, after: int | None) -> Moves:
    last = head(tx)
    if after is None or last <= after:
        return Moves(last, {})
    found = _WRITTEN.run(tx, {"log": LOG, "after": after, "head": last})
    numbers = {parse_ref(ref) for type_, ref in found if ref and type_.startswith(_KINDS)}
    rows = list(_versions(tx, numbers)) if numbers else []
    ended = frozenset(number for number, _, state in rows if state in GRANT_TERMINAL)
    return Moves(last, {number: version for number, version, _ in rows if number not in ended}, ended)


def _versions(tx: Connection, numbers: Collection[int]) -> Iterator[tuple[int, int, str]]:
    if tx.dialect.name == "sqlite":
        found = tx.exec_driver_sql(_SQLITE_VERSIONS, (json.dumps(list(numbers)),))
    else:
        found = tx.exec_driver_sql(_POSTGRESQL_VERSIONS, {"numbers": list(numbers)})
    return iter((row[0], row[1], row[2]) for row in found)


def _open(tx: Connection, place: tuple[int, int], limit: int) -> tuple[tuple[int, int], ...]:
    due, which = col(AccessGrant.due_at), col(AccessGrant.number)
    behind = (due >= place[0]) & ((due > place[0]) | (which > place[1]))
    found = tx.execute(select(due, which).where(behind).order_by(due, which).limit(limit))
    return tuple((at, number) for at, number in found if at is not None)
