"""The first tables: access, sign-ins, notes, and the audit ledger with its insert-only triggers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KINDS = {"text": sa.Text, "int": sa.Integer, "big": sa.BigInteger, "bytes": sa.LargeBinary, "bool": sa.Boolean}

# column: kind, then `?` when it may be NULL
_TABLES = {
    "counter": ("name", "name text, value big"),
    "access_request": (
        "id",
        "id text, number big, key text, requester_id text, requester text, target text, role text, duration big, "
        "reason text, ticket text, state text, created_at big, lapses_at big, due_at big?, "
        "policy_hash text, rule text, approvals_needed int, extends big?, glass bool, asked text, reminded_at big?, "
        "decided_by text?, decided_at big?, note text, version int",
    ),
    "access_vote": (
        "request_id person_id",
        "request_id text, person_id text, person text, at big, rule text, shorter big?",
    ),
    "access_grant": (
        "number",
        "number big, request_id text, requester text, target text, role text, reason text, ticket text, "
        "provider text, uses text, state text, created_at big, expires_at big, due_at big?, "
        "duration big, started_at big?, retimed_at big?, warned_at big?, glass bool, review bool, "
        "attempts int, cause text?, ended_by text?, ending_since big?, ended_at big?, "
        "effective_by big?, escalated bool, version int",
    ),
    "access_handle": ("grant_number attempt", "grant_number big, attempt int, locator text, created_at big"),
    "access_lease": (
        "grant_number n",
        "grant_number big, n int, attempt int, public_id text, locator text, issued_at big, not_after big, "
        "gone_at big?, aborted_at big?",
    ),
    "access_review": (
        "number",
        "number big, requester_id text, requester text, target text, role text, why text, state text, opened_at big, "
        "due_at big?, reminders int, by_person text?, at big?, version int",
    ),
    "login_code": ("code_hash", "code_hash text, person text, expires_at big, used_at big?"),
    "device": (
        "id",
        "id text, person_id text, person text, token_hash text, public_key text, host text, address text, "
        "created_at big, expires_at big, ended_at big?",
    ),
    "note": ("key", "key text, value text"),
    "ledger_entry": ("log_id seq", "log_id int, seq big, recorded_at big, type text, ref text, leaf bytes, body bytes"),
    "ledger_frontier": ("log_id", "log_id int, size big, last_recorded_at big"),
    "ledger_tile": ("log_id level idx", "log_id int, level int, idx big, root bytes, hashes bytes"),
    "ledger_checkpoint": ("log_id size", "log_id int, size big, root bytes, note text, created_at big"),
    "ledger_anchor": ("log_id size sink", "log_id int, size big, sink text, ref text, proof bytes, at big"),
    "ledger_payload": (
        "commitment",
        "commitment bytes, seq big, field text, ciphertext bytes, seed bytes?, destroyed_at big?",
    ),
    "policy_bundle": ("hash", "hash text, content text, loaded_at big"),
}

_UNIQUE = (
    ("access_request", "number"),
    ("access_request", "key"),
    ("access_grant", "request_id"),
    ("device", "token_hash"),
)

_INSERT_ONLY = ("ledger_entry", "ledger_tile", "ledger_checkpoint", "ledger_anchor", "policy_bundle")

_SQLITE_REFUSAL = "BEGIN SELECT RAISE(ABORT, 'the audit log is insert-only'); END"
_POSTGRESQL_REFUSAL = """
CREATE FUNCTION ledger_insert_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is insert-only'; END $$
"""
# Of a payload only its key may go, for good.
_ERASURE = """
  (NEW.seed IS NULL AND NEW.destroyed_at IS NOT NULL AND OLD.seed IS NOT NULL
   AND NEW.commitment = OLD.commitment AND NEW.seq = OLD.seq AND NEW.field = OLD.field
   AND NEW.ciphertext = OLD.ciphertext)
"""


def upgrade() -> None:
    for name, (keys, columns) in _TABLES.items():
        op.create_table(name, *[_column(column, keys.split()) for column in columns.split(", ")])
    for table, name in _UNIQUE:
        op.create_index(f"{table}_{name}", table, [name], unique=True)
    for table in ("access_request", "access_grant", "access_review"):
        where = sa.text("due_at IS NOT NULL")
        op.create_index(f"{table}_due", table, ["due_at"], sqlite_where=where, postgresql_where=where)
    op.create_index("access_request_requester_id", "access_request", ["requester_id"])
    op.create_index("access_review_requester_id", "access_review", ["requester_id"])
    loose = sa.text("public_id = '' AND aborted_at IS NULL")
    op.create_index("access_lease_loose", "access_lease", ["issued_at"], sqlite_where=loose, postgresql_where=loose)
    op.create_index("device_person_id", "device", ["person_id"])
    op.create_index("ledger_entry_ref", "ledger_entry", ["ref", "seq"])
    op.create_index("ledger_payload_seq", "ledger_payload", ["seq"])
    op.execute("INSERT INTO counter (name, value) VALUES ('request', 0)")
    op.execute("INSERT INTO ledger_frontier (log_id, size, last_recorded_at) VALUES (1, 0, 0)")
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _column(text: str, keys: list[str]) -> sa.Column[object]:
    name, kind = text.split()
    return sa.Column(
        name,
        _KINDS[kind.rstrip("?")](),
        primary_key=name in keys,
        nullable=kind.endswith("?"),
        autoincrement=False,
    )


def _guard_sqlite() -> None:
    for table in _INSERT_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} {_SQLITE_REFUSAL}")
    op.execute(f"CREATE TRIGGER ledger_payload_no_delete BEFORE DELETE ON ledger_payload {_SQLITE_REFUSAL}")
    op.execute(
        f"CREATE TRIGGER ledger_payload_erasure BEFORE UPDATE ON ledger_payload WHEN NOT {_ERASURE} {_SQLITE_REFUSAL}"
    )


def _guard_postgresql() -> None:
    op.execute(_POSTGRESQL_REFUSAL)
    refuse = "EXECUTE FUNCTION ledger_insert_only()"
    for table in (*_INSERT_ONLY, "ledger_payload"):
        rows = "UPDATE OR DELETE" if table != "ledger_payload" else "DELETE"
        op.execute(f"CREATE TRIGGER {table}_rows BEFORE {rows} ON {table} FOR EACH ROW {refuse}")
        op.execute(f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}")
    op.execute(
        "CREATE TRIGGER ledger_payload_erasure BEFORE UPDATE ON ledger_payload "
        f"FOR EACH ROW WHEN (NOT {_ERASURE}) {refuse}"
    )
