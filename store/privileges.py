"""The privilege wall on PostgreSQL: the role that the server connects as can add to the audit log, and nothing else.

The tables belong to whoever migrates; the server's role is given what it needs, table by table, and everything else
is taken from it. A table that stands in no row here is closed to it. Triggers refuse changes too, but their owner can
disable them, so the server's role must own nothing here and be a member of nobody who does.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, text

from access.errors import AccessError
from audit.log import head as ledger_head
from audit.search.index import make_room
from audit.search.tables import PARTITION

ADD = "SELECT, INSERT"
MOVE = "SELECT, INSERT, UPDATE"
#: table (or a pattern) → what the server's role may do with it; the first that fits counts
GRANTS = {
    "ledger_entry": ADD,
    "ledger_tile": ADD,
    "ledger_checkpoint": ADD,
    "ledger_anchor": ADD,
    "policy_bundle": ADD,
    "ledger_payload": f"{ADD}, UPDATE (seed, destroyed_at)",  # erasing; a trigger refuses any other change
    "ledger_frontier": "SELECT, UPDATE",
    "counter": "SELECT, UPDATE",
    "access_*": MOVE,
    "login_code": MOVE,
    "device": MOVE,
    "spent_proof": f"{ADD}, DELETE",
    "note": MOVE,
    "search_*": f"{MOVE}, DELETE, TRUNCATE",  # projections: derived, and re-derived when in doubt
    "alembic_version": "SELECT",
}
#: entries for which search gets its partitions in advance: the server's role cannot make them
AHEAD = 50_000_000
INSERT_ONLY = tuple(table for table, may in GRANTS.items() if may == ADD)

_PARTITION = "search_entry_"
_TABLES = text(
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    " ORDER BY c.relname"
)
_ROLE = text("SELECT rolsuper FROM pg_roles WHERE rolname = :role")
_OWNS = text(
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    " AND pg_has_role(:role, c.relowner, 'MEMBER') ORDER BY c.relname"
)
_MAY = text("SELECT has_table_privilege(:role, c.oid, :what) FROM pg_class c WHERE c.oid = to_regclass(:relation)")


class NoWall(AccessError):
    """A role that would not be held back; the sentence says what to change."""


def grant_to(tx: Connection, role: str) -> tuple[str, ...]:
    """Give the server's role what it needs and take everything else. Raises NoWall; returns the tables.

    Run as the owner of the tables, in one transaction: there is no moment with less than is needed.
    """
    if why := no_wall(tx, role):
        raise NoWall(why)
    head = ledger_head(tx)
    make_room(tx, max(head, 0), max(head, 0) + AHEAD)
    tables = tuple(tx.execute(_TABLES).scalars())
    schema = tx.execute(text("SELECT current_schema()")).scalar_one()
    for statement in _statements(tx.dialect.identifier_preparer.quote_identifier, schema, role, tables):
        tx.exec_driver_sql(statement)
    return tables


def _statements(quoted: Callable[[str], str], schema: str, role: str, tables: Sequence[str]) -> Iterator[str]:
    """REVOKE of a table takes its columns' privileges too."""
    to = quoted(role)
    yield f"REVOKE ALL ON SCHEMA {quoted(schema)} FROM {to}"
    yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {to}"
    for table in tables:
        relation = f"{quoted(schema)}.{quoted(table)}"
        yield f"REVOKE ALL ON TABLE {relation} FROM {to}, PUBLIC"
        if may := allowed(table):
            yield f"GRANT {may} ON TABLE {relation} TO {to}"


def allowed(table: str) -> str:
    """What the server's role may do with a table; empty: nothing."""
    return next((may for pattern, may in GRANTS.items() if fnmatch.fnmatchcase(table, pattern)), "")


def no_wall(tx: Connection, role: str) -> str:
    """Why no privilege would hold this role back; empty when privileges do."""
    superuser = tx.execute(_ROLE, {"role": role}).scalar_one_or_none()
    if superuser is None:
        return f"There is no role {role}. Make it first: CREATE ROLE {role} LOGIN PASSWORD '…'"
    if superuser:
        return f"{role} is a superuser: nothing is refused to it. Run the server as a role of its own."
    if owned := tx.execute(_OWNS, {"role": role}).scalars().first():
        return (
            f"{role} owns {owned}, or is a member of its owner, and could disable its triggers. Let another role own"
            " the tables, and run the server as one that owns nothing."
        )
    return ""


def search_room(tx: Connection) -> int:
    """For how many more entries search has partitions."""
    tables = tx.execute(_TABLES).scalars()
    numbers = [int(name[len(_PARTITION) :]) for name in tables if name.startswith(_PARTITION)]
    return (max(numbers, default=-1) + 1) * PARTITION - ledger_head(tx) - 1


def too_much(tx: Connection, role: str) -> tuple[str, ...]:
    """What this role may do with the insert-only tables beside adding to them: `UPDATE on ledger_entry`."""
    return tuple(
        f"{what} on {table}"
        for table in INSERT_ONLY
        for what in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
        if tx.execute(_MAY, {"role": role, "what": what, "relation": table}).scalar()
    )
