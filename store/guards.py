"""Whether the log's tables are what they were made as: real tables, and the triggers that refuse changes in place.

A view, a rule or a row policy in place of a table could show one reader another log than the next one; without the
triggers, a slip of anybody's hand changes it. Whoever owns the database can do all that: here it is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, text

from access.errors import AccessError

INSERT_ONLY = ("ledger_entry", "ledger_tile", "ledger_checkpoint", "ledger_anchor", "policy_bundle")
TABLES = (*INSERT_ONLY, "ledger_payload", "ledger_frontier")

_REFUSAL = "BEGIN SELECT RAISE(ABORT, 'the audit log is insert-only'); END"
_ERASURE = (
    "(NEW.seed IS NULL AND NEW.destroyed_at IS NOT NULL AND OLD.seed IS NOT NULL"
    " AND NEW.commitment = OLD.commitment AND NEW.seq = OLD.seq AND NEW.field = OLD.field"
    " AND NEW.ciphertext = OLD.ciphertext)"
)
_SQLITE = {
    **{
        f"{table}_no_{verb}": f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} {_REFUSAL}"
        for table in INSERT_ONLY
        for verb in ("UPDATE", "DELETE")
    },
    "ledger_payload_no_delete": "CREATE TRIGGER ledger_payload_no_delete BEFORE DELETE ON ledger_payload " + _REFUSAL,
    "ledger_payload_erasure": (
        f"CREATE TRIGGER ledger_payload_erasure BEFORE UPDATE ON ledger_payload WHEN NOT {_ERASURE} {_REFUSAL}"
    ),
}

# pg_trigger.tgtype: 1 for each row, 2 before, 8 delete, 16 update, 32 truncate
_POSTGRESQL = {
    **{f"{table}_rows": 1 | 2 | 8 | 16 for table in INSERT_ONLY},
    **{f"{table}_all": 2 | 32 for table in (*INSERT_ONLY, "ledger_payload")},
    "ledger_payload_rows": 1 | 2 | 8,
    "ledger_payload_erasure": 1 | 2 | 16,
}
_FUNCTION = "BEGIN RAISE EXCEPTION 'the audit log is insert-only'; END"
_RELATION = text("SELECT relkind, relrowsecurity, relhasrules FROM pg_class WHERE oid = to_regclass(:name)")
_TRIGGERS = text(
    "SELECT t.tgname, t.tgtype, t.tgenabled, t.tgqual IS NOT NULL AS some_rows, p.prosrc"
    " FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
    " WHERE NOT t.tgisinternal AND t.tgrelid = to_regclass(:name)"
)


class Unguarded(AccessError):
    """The log's tables are not what they were made as."""


def must_be_guarded(tx: Connection) -> None:
    """Raises Unguarded."""
    if faults := unguarded(tx):
        raise Unguarded(
            f"The audit log's tables were changed: {' '.join(faults)} "
            "Find out who did it, verify the log (prodaccess audit verify), and put back what is missing."
        )


def unguarded(tx: Connection) -> tuple[str, ...]:
    """A sentence for each table that is no table, and each trigger that is missing, altered or not ours."""
    return tuple(_on_sqlite(tx) if tx.dialect.name == "sqlite" else _on_postgresql(tx))


def _on_sqlite(tx: Connection) -> Iterator[str]:
    rows = tx.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master")).all()
    made = {row.name: row for row in rows}
    for table in TABLES:
        found = made.get(table)
        if found is None or found.type != "table" or not _plain(found.sql).startswith("CREATE TABLE"):
            yield f"{table} is not a table."
    triggers = {row.name: _plain(row.sql) for row in rows if row.type == "trigger" and row.tbl_name in TABLES}
    yield from _compared(triggers, _SQLITE)


def _on_postgresql(tx: Connection) -> Iterator[str]:
    triggers: dict[str, str] = {}
    for table in TABLES:
        kind = tx.execute(_RELATION, {"name": table}).one_or_none()
        if kind is None or kind.relkind != "r":
            yield f"{table} is not a table."
        elif kind.relrowsecurity or kind.relhasrules:
            yield f"{table} has rules or row policies of its own, so that not everybody reads the same."
        for row in tx.execute(_TRIGGERS, {"name": table}):
            triggers[row.tgname] = _shape(row.tgtype, row.tgenabled, row.prosrc, some_rows=row.some_rows)
    wanted = {
        name: _shape(kind, "O", _FUNCTION, some_rows=name == "ledger_payload_erasure")
        for name, kind in _POSTGRESQL.items()
    }
    yield from _compared(triggers, wanted)


def _shape(kind: int, enabled: str, source: str, *, some_rows: bool) -> str:
    on = "on" if enabled in ("O", "A") else "off"
    return f"{kind} {on} {some_rows} {_plain(source)}"


def _compared(found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    for name, how in wanted.items():
        if name not in found:
            yield f"The trigger {name} is missing."
        elif found[name] != how:
            yield f"The trigger {name} is switched off or altered."
    for name in sorted(set(found) - set(wanted)):
        yield f"The trigger {name} is not one of ours."


def _plain(sql: str) -> str:
    return re.sub(r"\s+", " ", sql or "").replace("( ", "(").replace(" )", ")").strip()
