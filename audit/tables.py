"""The ledger's tables, the same on SQLite and PostgreSQL. Entries are only ever inserted; triggers refuse the rest.

`log_id` is there for a second, foreign log (an emergency spool merged later). Tiles and checkpoints are filled
by the Merkle tree; `right_edge` is its frontier, packed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel


def _big(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=null, autoincrement=False)


class LedgerEntry(SQLModel, table=True):
    """One audit entry. `body` is canonical and contains its own `seq`; `leaf` is its RFC 6962 leaf hash."""

    __tablename__ = "ledger_entry"
    log_id: int = Field(sa_column=Column("log_id", Integer, primary_key=True, autoincrement=False))
    seq: int = Field(sa_column=_big("seq", key=True))
    recorded_at: int = Field(sa_column=_big("recorded_at"))
    type: str = Field(sa_column=Column("type", Text, nullable=False))
    ref: str = Field(sa_column=Column("ref", Text, nullable=False, index=True))
    leaf: bytes = Field(sa_column=Column("leaf", LargeBinary, nullable=False))
    body: bytes = Field(sa_column=Column("body", LargeBinary, nullable=False))


class LedgerFrontier(SQLModel, table=True):
    """Where the log ends: one row per log, locked last in every transaction that appends."""

    __tablename__ = "ledger_frontier"
    log_id: int = Field(sa_column=Column("log_id", Integer, primary_key=True, autoincrement=False))
    size: int = Field(sa_column=_big("size"))
    epoch: int = Field(sa_column=_big("epoch"))
    right_edge: bytes = Field(sa_column=Column("right_edge", LargeBinary, nullable=False))
    last_recorded_at: int = Field(sa_column=_big("last_recorded_at"))


class LedgerSubject(SQLModel, table=True):
    """How many entries one request has, and its last: gives each entry its `n` and `prev` without a scan."""

    __tablename__ = "ledger_subject"
    log_id: int = Field(sa_column=Column("log_id", Integer, primary_key=True, autoincrement=False))
    ref: str = Field(sa_column=Column("ref", Text, primary_key=True))
    count: int = Field(sa_column=_big("count"))
    last_seq: int = Field(sa_column=_big("last_seq"))


class LedgerTile(SQLModel, table=True):
    """256 hashes of one level of the tree."""

    __tablename__ = "ledger_tile"
    log_id: int = Field(sa_column=Column("log_id", Integer, primary_key=True, autoincrement=False))
    level: int = Field(sa_column=Column("level", Integer, primary_key=True, autoincrement=False))
    idx: int = Field(sa_column=_big("idx", key=True))
    width: int = Field(sa_column=Column("width", Integer, nullable=False))
    hashes: bytes = Field(sa_column=Column("hashes", LargeBinary, nullable=False))


class LedgerCheckpoint(SQLModel, table=True):
    """A signed statement of the log's size and root (C2SP signed note)."""

    __tablename__ = "ledger_checkpoint"
    log_id: int = Field(sa_column=Column("log_id", Integer, primary_key=True, autoincrement=False))
    size: int = Field(sa_column=_big("size", key=True))
    root: bytes = Field(sa_column=Column("root", LargeBinary, nullable=False))
    note: str = Field(sa_column=Column("note", Text, nullable=False))
    kind: str = Field(sa_column=Column("kind", Text, nullable=False))
    created_at: int = Field(sa_column=_big("created_at"))
