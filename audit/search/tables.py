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

from audit.columns import big, binary, text

PARTITION = 1_000_000  # entries in one partition on PostgreSQL
BLOCK = 8_192  # entries whose common words are kept together
ZONE = 1_024  # entries whose first and last times are kept together


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
    at: int = Field(sa_column=big("at"))
    type: str = Field(sa_column=text("type"))
    ref: str = Field(sa_column=text("ref"))
    actor_id: str = Field(sa_column=text("actor_id"))
    actor: str = Field(sa_column=text("actor"))
    target: str = Field(sa_column=text("target"))
    role: str = Field(sa_column=text("role"))
    ticket: str = Field(sa_column=text("ticket"))
    session: str = Field(sa_column=text("session"))
    host: str = Field(sa_column=text("host"))
    op: str = Field(sa_column=text("op"))
    coverage: str = Field(sa_column=text("coverage"))
    text: str = Field(sa_column=text("text"))
    words: str = Field(sa_column=Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False))


class SearchTouch(SQLModel, table=True):
    """One object that an entry touched, and everything that the object lies in: who touched it, counted in full."""

    __tablename__ = "search_touch"
    object: str = Field(sa_column=text("object", key=True))
    target: str = Field(sa_column=text("target", key=True))
    seq: int = Field(sa_column=big("seq", key=True))
    op: str = Field(sa_column=text("op", key=True))
    at: int = Field(sa_column=big("at"))
    actor_id: str = Field(sa_column=text("actor_id"))
    actor: str = Field(sa_column=text("actor"))


class SearchCredential(SQLModel, table=True):
    """Every credential that was issued, close to its neighbours. `about`: its terms, a space before and after each."""

    __tablename__ = "search_credential"
    seq: int = Field(
        sa_column=Column(
            "seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, nullable=False, autoincrement=False
        )
    )
    at: int = Field(sa_column=big("at"))
    ref: str = Field(sa_column=text("ref"))
    about: str = Field(sa_column=text("about"))


class SearchGrant(SQLModel, table=True):
    """What each request is about, when its access was open, and for how long: NULL where it has not come to that."""

    __tablename__ = "search_grant"
    ref: str = Field(sa_column=text("ref", key=True))
    person_id: str = Field(sa_column=text("person_id"))
    person: str = Field(sa_column=text("person"))
    target: str = Field(sa_column=text("target"))
    role: str = Field(sa_column=text("role"))
    ticket: str = Field(sa_column=text("ticket"))
    opened_at: int | None = Field(sa_column=big("opened_at", null=True))
    expires_at: int | None = Field(sa_column=big("expires_at", null=True))
    ended_at: int | None = Field(sa_column=big("ended_at", null=True))
    lasted: int | None = Field(sa_column=big("lasted", null=True))


class SearchSession(SQLModel, table=True):
    """Where each session runs, and on behalf of which request."""

    __tablename__ = "search_session"
    session: str = Field(sa_column=text("session", key=True))
    target: str = Field(sa_column=text("target"))
    host: str = Field(sa_column=text("host"))
    ref: str = Field(sa_column=text("ref"))


class SearchZone(SQLModel, table=True):
    """Between which times `ZONE` neighbouring entries happened: from a time to places in the log, and back."""

    __tablename__ = "search_zone"
    zone: int = Field(sa_column=big("zone", key=True))
    first_at: int = Field(sa_column=big("first_at"))
    last_at: int = Field(sa_column=big("last_at"))


class SearchCommon(SQLModel, table=True):
    """In which of `BLOCK` neighbouring entries a word stands that many of them have: a bit for each."""

    __tablename__ = "search_common"
    word: str = Field(sa_column=text("word", key=True))
    block: int = Field(sa_column=big("block", key=True))
    bits: bytes = Field(sa_column=binary("bits"))


class SearchProgress(SQLModel, table=True):
    """One row: how far the projections have come (`seq`, -1 at first), by which version of the code.

    `tidy`: words of erased texts may still be in SQLite's index: 1 to begin merging them away, 2 in the midst of it.
    """

    __tablename__ = "search_progress"
    id: int = Field(sa_column=Column("id", Integer, primary_key=True, autoincrement=False))
    version: int = Field(sa_column=Column("version", Integer, nullable=False))
    seq: int = Field(sa_column=big("seq"))
    tidy: int = Field(sa_column=Column("tidy", Integer, nullable=False))


_grants, _sessions = (SQLModel.metadata.tables[name] for name in ("search_grant", "search_session"))
Index("search_grant_target", _grants.c.target, _grants.c.opened_at)
Index("search_grant_ended", _grants.c.ended_at, _grants.c.opened_at)
Index("search_grant_lasted", _grants.c.lasted)
Index("search_session_ref", _sessions.c.ref)
