"""The projections' tables. All of it can be dropped and derived again from the ledger.

`words` holds an entry's tokens: a tsvector under a GIN index on PostgreSQL, where the table is cut into partitions
of `PARTITION` entries; a text, with a space before and after each token, on SQLite, where the FTS5 table
`search_words` is its index (external content, so that its integrity can be checked and a row's words taken out).
Both are made in the migration. Times are microseconds since the epoch.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel

PARTITION = 1_000_000  # entries in one partition on PostgreSQL
ZONE = 1_024  # entries whose first and last times are kept together


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _big(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=null, autoincrement=False)


class SearchEntry(SQLModel, table=True):
    """One entry as a line of an answer, and its tokens. `text` is the beginning of what was typed."""

    __tablename__ = "search_entry"
    __table_args__ = {"postgresql_partition_by": "RANGE (seq)"}
    # INTEGER on SQLite makes it the rowid that the index points to
    seq: int = Field(
        sa_column=Column(
            "seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, nullable=False, autoincrement=False
        )
    )
    at: int = Field(sa_column=_big("at"))
    type: str = Field(sa_column=_text("type"))
    ref: str = Field(sa_column=_text("ref"))
    actor_id: str = Field(sa_column=_text("actor_id"))
    actor: str = Field(sa_column=_text("actor"))
    target: str = Field(sa_column=_text("target"))
    role: str = Field(sa_column=_text("role"))
    ticket: str = Field(sa_column=_text("ticket"))
    session: str = Field(sa_column=_text("session"))
    host: str = Field(sa_column=_text("host"))
    op: str = Field(sa_column=_text("op"))
    coverage: str = Field(sa_column=_text("coverage"))
    text: str = Field(sa_column=_text("text"))
    words: str = Field(sa_column=Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False))


class SearchTouch(SQLModel, table=True):
    """One object that an entry touched, and everything that the object lies in: who touched it, counted in full."""

    __tablename__ = "search_touch"
    object: str = Field(sa_column=_text("object", key=True))
    target: str = Field(sa_column=_text("target", key=True))
    seq: int = Field(sa_column=_big("seq", key=True))
    op: str = Field(sa_column=_text("op", key=True))
    at: int = Field(sa_column=_big("at"))
    actor_id: str = Field(sa_column=_text("actor_id"))
    actor: str = Field(sa_column=_text("actor"))


class SearchGrant(SQLModel, table=True):
    """What each request is about, and when its access was open: NULL where it has not come to that."""

    __tablename__ = "search_grant"
    ref: str = Field(sa_column=_text("ref", key=True))
    person_id: str = Field(sa_column=_text("person_id"))
    person: str = Field(sa_column=_text("person"))
    target: str = Field(sa_column=_text("target"))
    role: str = Field(sa_column=_text("role"))
    ticket: str = Field(sa_column=_text("ticket"))
    opened_at: int | None = Field(sa_column=_big("opened_at", null=True))
    expires_at: int | None = Field(sa_column=_big("expires_at", null=True))
    ended_at: int | None = Field(sa_column=_big("ended_at", null=True))


class SearchSession(SQLModel, table=True):
    """Where each session runs."""

    __tablename__ = "search_session"
    session: str = Field(sa_column=_text("session", key=True))
    target: str = Field(sa_column=_text("target"))
    host: str = Field(sa_column=_text("host"))


class SearchZone(SQLModel, table=True):
    """Between which times `ZONE` neighbouring entries happened: from a time to places in the log, and back."""

    __tablename__ = "search_zone"
    zone: int = Field(sa_column=_big("zone", key=True))
    first_at: int = Field(sa_column=_big("first_at"))
    last_at: int = Field(sa_column=_big("last_at"))


class SearchProgress(SQLModel, table=True):
    """One row: how far the projections have come (`seq`, -1 at first), by which version of the code.

    `tidy`: words of erased texts may still be in SQLite's index: 1 to begin merging them away, 2 in the midst of it.
    """

    __tablename__ = "search_progress"
    id: int = Field(sa_column=Column("id", Integer, primary_key=True, autoincrement=False))
    version: int = Field(sa_column=Column("version", Integer, nullable=False))
    seq: int = Field(sa_column=_big("seq"))
    tidy: int = Field(sa_column=Column("tidy", Integer, nullable=False))


_grants = SQLModel.metadata.tables["search_grant"]
Index("search_grant_target", _grants.c.target, _grants.c.opened_at)
