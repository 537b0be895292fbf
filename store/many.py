"""Moving many grants in one transaction, each by itself: what has moved on meanwhile is left out, not refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection
from sqlmodel import SQLModel

from access.model import Grant
from store import rows
from store.tables import AccessGrant

_COLUMNS = (
    "state", "due_at", "attempts", "cause", "ended_by", "ending_since", "ended_at", "effective_by", "escalated",
    "alarms", "version",
)  # fmt: skip
_SQLITE_MOVE = f"UPDATE access_grant SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE number = ?"  # noqa: S608 (our own names)
_SQLITE_READ = "SELECT number, version FROM access_grant WHERE number IN (SELECT value FROM json_each(?))"
# In the order of their numbers, so that two who lock many never wait for each other in a ring.
_POSTGRESQL_READ = (
    "SELECT number, version FROM access_grant WHERE number = ANY(%(numbers)s::bigint[]) ORDER BY number FOR UPDATE"
)


def as_read(tx: Connection, grants: Collection[Grant], *, wait: bool) -> frozenset[int]:
    """Numbers of those that are still as they were read, locked; without `wait`, those that nobody is at."""
    versions = {grant.number: grant.version for grant in grants}
    if tx.dialect.name == "sqlite":
        found = tx.exec_driver_sql(_SQLITE_READ, (json.dumps(list(versions)),))
    else:
        query = _POSTGRESQL_READ if wait else f"{_POSTGRESQL_READ} SKIP LOCKED"
        found = tx.exec_driver_sql(query, {"numbers": list(versions)})
    return frozenset(number for number, version in found if versions[number] == version)


def move_many(tx: Connection, grants: Sequence[Grant]) -> None:
    """Write what an ending changes. The rows are locked and as they were read."""
    if not grants:
        return
    moved = [rows.ending_row(grant) for grant in grants]
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(_SQLITE_MOVE, [tuple(row[name] for name in (*_COLUMNS, "number")) for row in moved])
    else:
        tx.exec_driver_sql(_postgresql_move(tx), {name: [row[name] for row in moved] for name in ("number", *_COLUMNS)})


def _postgresql_move(tx: Connection) -> str:
    table = SQLModel.metadata.tables[str(AccessGrant.__tablename__)]
    names = ("number", *_COLUMNS)
    arrays = ", ".join(f"%({name})s::{table.c[name].type.compile(tx.dialect)}[]" for name in names)
    sets = ", ".join(f"{name} = n.{name}" for name in _COLUMNS)
    return (
        f"UPDATE access_grant g SET {sets} FROM unnest({arrays}) AS n({', '.join(names)}) "  # noqa: S608 (our own names)
        "WHERE g.number = n.number"
    )
