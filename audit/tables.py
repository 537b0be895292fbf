"""The ledger's tables, the same on SQLite and PostgreSQL.

Entries, tiles, checkpoints and policies are only ever inserted: triggers refuse the rest, and on PostgreSQL
privileges do too. Both stop accidents; what stops the owner of the database is a checkpoint kept elsewhere.

`log_id` is there for a second, foreign log (an emergency spool merged later).
"""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from audit.columns import big, binary, integer, text

LOG = 1  # our own log_id


class LedgerEntry(SQLModel, table=True):
    """One audit entry. `body` is canonical and contains its own `seq`; `leaf` is its RFC 6962 leaf hash."""

    __tablename__ = "ledger_entry"
    log_id: int = Field(sa_column=integer("log_id", key=True))
    seq: int = Field(sa_column=big("seq", key=True))
    recorded_at: int = Field(sa_column=big("recorded_at"))
    type: str = Field(sa_column=text("type"))
    ref: str = Field(sa_column=text("ref"))
    leaf: bytes = Field(sa_column=binary("leaf"))
    body: bytes = Field(sa_column=binary("body"))


class LedgerFrontier(SQLModel, table=True):
    """Where the log ends: one row per log, locked last in every transaction that appends."""

    __tablename__ = "ledger_frontier"
    log_id: int = Field(sa_column=integer("log_id", key=True))
    size: int = Field(sa_column=big("size"))
    last_recorded_at: int = Field(sa_column=big("last_recorded_at"))


class LedgerTile(SQLModel, table=True):
    """256 hashes of one level of the tree (C2SP tlog-tiles), and the hash of the subtree that they make.

    Only full tiles are stored. `root` stands before `hashes`, so that reading it does not read them.
    """

    __tablename__ = "ledger_tile"
    log_id: int = Field(sa_column=integer("log_id", key=True))
    level: int = Field(sa_column=integer("level", key=True))
    idx: int = Field(sa_column=big("idx", key=True))
    root: bytes = Field(sa_column=binary("root"))
    hashes: bytes = Field(sa_column=binary("hashes"))


class LedgerCheckpoint(SQLModel, table=True):
    """A signed statement of the log's size and root (C2SP signed note)."""

    __tablename__ = "ledger_checkpoint"
    log_id: int = Field(sa_column=integer("log_id", key=True))
    size: int = Field(sa_column=big("size", key=True))
    root: bytes = Field(sa_column=binary("root"))
    note: str = Field(sa_column=text("note"))
    created_at: int = Field(sa_column=big("created_at"))


class LedgerAnchor(SQLModel, table=True):
    """A checkpoint that stands somewhere else too: `ref` says where, `proof` is what came back."""

    __tablename__ = "ledger_anchor"
    log_id: int = Field(sa_column=integer("log_id", key=True))
    size: int = Field(sa_column=big("size", key=True))
    sink: str = Field(sa_column=text("sink", key=True))
    ref: str = Field(sa_column=text("ref"))
    proof: bytes = Field(sa_column=binary("proof"))
    at: int = Field(sa_column=big("at"))


class LedgerPayload(SQLModel, table=True):
    """A private text beside its entry (`audit.payloads`). Erasing it destroys `seed` and nothing else."""

    __tablename__ = "ledger_payload"
    commitment: bytes = Field(sa_column=binary("commitment", key=True))
    seq: int = Field(sa_column=big("seq"))
    field: str = Field(sa_column=text("field"))
    ciphertext: bytes = Field(sa_column=binary("ciphertext"))
    seed: bytes | None = Field(sa_column=binary("seed", null=True))
    destroyed_at: int | None = Field(sa_column=big("destroyed_at", null=True))


class PolicyBundle(SQLModel, table=True):
    """The text of every policy that ever decided, under its SHA-256."""

    __tablename__ = "policy_bundle"
    hash: str = Field(sa_column=text("hash", key=True))
    content: str = Field(sa_column=text("content"))
    loaded_at: int = Field(sa_column=big("loaded_at"))


Index("ledger_payload_seq", SQLModel.metadata.tables["ledger_payload"].c.seq)
_entries = SQLModel.metadata.tables["ledger_entry"]
Index("ledger_entry_ref", _entries.c.ref, _entries.c.seq)
