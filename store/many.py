"""Moving many grants in one transaction, each by itself: what has moved on meanwhile is left out, not refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from operator import itemgetter

from sqlalchemy import Connection

from access.model import Grant
from audit.statement import table_of
from store import rows
from store.tables import AccessGrant

_COLUMNS = (
    "state", "due_at", "attempts", "cause", "ended_by", "ending_since", "ended_at", "effective_by", "escalated",
    "alarms", "claim", "version",
)  # fmt: skip
_IN_ORDER = itemgetter("number", *_COLUMNS)
# One step each: between two rows sqlite3 lets other threads go first, and where thousands of calls are being made on
# the event loop each row would wait for them. CROSS JOIN keeps SQLite from going through all grants for it.
_SQLITE_READ = (
    "SELECT json_group_array(g.number) FROM json_each(?) r CROSS JOIN access_grant g"
    " ON g.number = json_extract(r.value, '$[0]') AND g.version = json_extract(r.value, '$[1]')"
)
_SQLITE_SETS = ", ".join(f"{name} = json_extract(n.value, '$[{i}]')" for i, name in enumerate(_COLUMNS, 1))
_SQLITE_MOVE = (
    f"UPDATE access_grant SET {_SQLITE_SETS} FROM json_each(?) n"  # noqa: S608 (our own names)
    " WHERE access_grant.number = json_extract(n.value, '$[0]')"
)
# In the order of their numbers, so that two who lock many never wait for each other in a ring.
_POSTGRESQL_READ = (
    "SELECT number, version FROM access_grant WHERE number = ANY(%(numbers)s::bigint[]) ORDER BY number FOR UPDATE"
)

_NOT_LONG = "SET LOCAL lock_timeout = '1500ms'"


def as_read(tx: Connection, grants: Collection[Grant], *, wait: bool) -> frozenset[int]:
    """Numbers of those that are still as they were read, locked; without `wait`, those that nobody is at."""
    versions = {grant.number: grant.version for grant in grants}
    if tx.dialect.name == "sqlite":
        found = tx.exec_driver_sql(_SQLITE_READ, (json.dumps(list(versions.items())),)).scalar_one()
        return frozenset(json.loads(found))
    query = _POSTGRESQL_READ if wait else f"{_POSTGRESQL_READ} SKIP LOCKED"
    if not wait:  # nor for the log's lock: what cannot be begun in time is ended from memory
        tx.exec_driver_sql(_NOT_LONG)
    found = tx.exec_driver_sql(query, {"numbers": list(versions)})
    return frozenset(number for number, version in found if versions[number] == version)


def move_many(tx: Connection, grants: Sequence[Grant]) -> None:
    """Write what an ending changes. The rows are locked and as they were read."""
    if not grants:
        return
    moved = [rows.ending_row(grant) for grant in grants]
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(_SQLITE_MOVE, (json.dumps(list(map(_IN_ORDER, moved))),))
    else:  # one text is bound in a fraction of the time that an array for each column takes
        tx.exec_driver_sql(_postgresql_move(tx), {"moved": json.dumps(moved, ensure_ascii=False)})


def _postgresql_move(tx: Connection) -> str:
    table = table_of(AccessGrant)
    columns = ", ".join(f"{name} {table.c[name].type.compile(tx.dialect)}" for name in ("number", *_COLUMNS))
    sets = ", ".join(f"{name} = n.{name}" for name in _COLUMNS)
    return (
        f"UPDATE access_grant g SET {sets} FROM json_to_recordset(%(moved)s::json) AS n({columns}) "  # noqa: S608 (our own names)
        "WHERE g.number = n.number"
    )
