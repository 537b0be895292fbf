"""The projections that the audit log is searched by."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0002"
down_revision = "0001"

_PARTITION = 1_000_000
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "int": sa.Integer(),
    "big": sa.BigInteger(),
    "bytes": sa.LargeBinary(),
    "rowid": sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    "words": sa.Text().with_variant(TSVECTOR(), "postgresql"),
}

# column: kind, then `?` when it may be NULL
_TABLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "search_entry": (
        "seq",
        "seq rowid, at big, type text, ref text, actor_id text, actor text, target text, role text, ticket text, "
        "session text, host text, op text, coverage text, text text, words words",
        {"postgresql_partition_by": "RANGE (seq)"},
    ),
    "search_touch": (
        "object target seq op",
        "object text, target text, seq big, op text, at big, actor_id text, actor text",
        {"sqlite_with_rowid": False},
    ),
    "search_credential": ("seq", "seq rowid, at big, ref text, about text", {}),
    "search_grant": (
        "ref",
        "ref text, person_id text, person text, target text, role text, ticket text, opened_at big?, expires_at big?, "
        "ended_at big?, lasted big?",
        {},
    ),
    "search_session": ("session", "session text, target text, host text, ref text", {}),
    "search_zone": ("zone", "zone big, first_at big, last_at big", {}),
    "search_common": ("word block", "word text, block big, bits bytes", {}),
    "search_progress": ("id", "id int, version int, seq big, tidy int", {}),
}

# every mark that a token may contain counts as part of it, so that only spaces separate them
_SQLITE_WORDS = """
CREATE VIRTUAL TABLE search_words USING fts5(words, content='search_entry', content_rowid='seq', detail=none,
  columnsize=0, tokenize="ascii tokenchars '_./:@%+~#*-='")
"""
# every search reads the pending list through, so it is kept short; a batch of the projector fits into it
_POSTGRESQL_WORDS = """
CREATE INDEX search_entry_words ON search_entry USING gin (words) WITH (fastupdate = on, gin_pending_list_limit = 1024)
"""
# what lies together in the key is read together; the tables themselves are in the log's order
_POSTGRESQL_KEYS = {
    "search_touch": "(object, target, seq, op) INCLUDE (at, actor_id, actor)",
    "search_common": "(word, block) INCLUDE (bits)",
}


def upgrade() -> None:
    for name, (keys, columns, options) in _TABLES.items():
        op.create_table(name, *[_column(column, keys.split()) for column in columns.split(", ")], **options)
    op.create_index("search_grant_target", "search_grant", ["target", "opened_at"])
    op.create_index("search_grant_ended", "search_grant", ["ended_at", "opened_at"])
    op.create_index("search_grant_lasted", "search_grant", ["lasted"])
    op.create_index("search_session_ref", "search_session", ["ref"])
    op.execute("INSERT INTO search_progress (id, version, seq, tidy) VALUES (1, 0, -1, 0)")
    if op.get_bind().dialect.name == "sqlite":
        op.execute(sa.text(_SQLITE_WORDS.replace(":", r"\:")))
        return
    op.execute(_POSTGRESQL_WORDS)
    for name, key in _POSTGRESQL_KEYS.items():
        op.execute(f"ALTER TABLE {name} DROP CONSTRAINT {name}_pkey, ADD CONSTRAINT {name}_pkey PRIMARY KEY {key}")
    op.execute(f"CREATE TABLE search_entry_0 PARTITION OF search_entry FOR VALUES FROM (0) TO ({_PARTITION})")


def _column(text: str, keys: list[str]) -> sa.Column[object]:
    name, kind = text.split()
    return sa.Column(
        name, _KINDS[kind.rstrip("?")], primary_key=name in keys, nullable=kind.endswith("?"), autoincrement=False
    )
