"""The tables of access. Times are microseconds since the epoch (BIGINT), persons are small JSON texts.

`due_at` is the schedule: NULL exactly when nothing is left to do, and indexed only where it is not NULL, so
that history costs nothing.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=null)


def _int(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, Integer, primary_key=key, nullable=null, autoincrement=False)


def _big(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=null, autoincrement=False)


class Counter(SQLModel, table=True):
    """The last request number given."""

    __tablename__ = "counter"
    name: str = Field(sa_column=_text("name", key=True))
    value: int = Field(sa_column=_big("value"))


class AccessRequest(SQLModel, table=True):
    __tablename__ = "access_request"
    id: str = Field(sa_column=_text("id", key=True))
    number: int = Field(sa_column=_big("number"))
    key: str = Field(sa_column=_text("key"))
    requester_id: str = Field(sa_column=_text("requester_id"))
    requester: str = Field(sa_column=_text("requester"))
    target: str = Field(sa_column=_text("target"))
    role: str = Field(sa_column=_text("role"))
    duration: int = Field(sa_column=_big("duration"))
    reason: str = Field(sa_column=_text("reason"))
    ticket: str = Field(sa_column=_text("ticket"))
    state: str = Field(sa_column=_text("state"))
    created_at: int = Field(sa_column=_big("created_at"))
    due_at: int | None = Field(sa_column=_big("due_at", null=True))
    policy_hash: str = Field(sa_column=_text("policy_hash"))
    rule: str = Field(sa_column=_text("rule"))
    approvals_needed: int = Field(sa_column=_int("approvals_needed"))
    decided_by: str | None = Field(sa_column=_text("decided_by", null=True))
    decided_at: int | None = Field(sa_column=_big("decided_at", null=True))
    note: str = Field(sa_column=_text("note"))
    version: int = Field(sa_column=_int("version"))


class AccessVote(SQLModel, table=True):
    """One person votes once on a request: the key says so."""

    __tablename__ = "access_vote"
    request_id: str = Field(sa_column=_text("request_id", key=True))
    person_id: str = Field(sa_column=_text("person_id", key=True))
    person: str = Field(sa_column=_text("person"))
    at: int = Field(sa_column=_big("at"))
    rule: str = Field(sa_column=_text("rule"))


class AccessGrant(SQLModel, table=True):
    __tablename__ = "access_grant"
    number: int = Field(sa_column=_big("number", key=True))
    request_id: str = Field(sa_column=_text("request_id"))
    requester: str = Field(sa_column=_text("requester"))
    target: str = Field(sa_column=_text("target"))
    role: str = Field(sa_column=_text("role"))
    reason: str = Field(sa_column=_text("reason"))
    ticket: str = Field(sa_column=_text("ticket"))
    provider: str = Field(sa_column=_text("provider"))
    uses: str = Field(sa_column=_text("uses"))
    state: str = Field(sa_column=_text("state"))
    created_at: int = Field(sa_column=_big("created_at"))
    expires_at: int = Field(sa_column=_big("expires_at"))
    due_at: int | None = Field(sa_column=_big("due_at", null=True))
    attempts: int = Field(sa_column=_int("attempts"))
    cause: str | None = Field(sa_column=_text("cause", null=True))
    ended_by: str | None = Field(sa_column=_text("ended_by", null=True))
    ending_since: int | None = Field(sa_column=_big("ending_since", null=True))
    ended_at: int | None = Field(sa_column=_big("ended_at", null=True))
    effective_by: int | None = Field(sa_column=_big("effective_by", null=True))
    escalated: bool = Field(sa_column=Column("escalated", Boolean, nullable=False))
    version: int = Field(sa_column=_int("version"))


class AccessHandle(SQLModel, table=True):
    __tablename__ = "access_handle"
    grant: int = Field(sa_column=_big("grant_number", key=True))
    attempt: int = Field(sa_column=_int("attempt", key=True))
    locator: str = Field(sa_column=_text("locator"))
    created_at: int = Field(sa_column=_big("created_at"))


class AccessLease(SQLModel, table=True):
    __tablename__ = "access_lease"
    grant: int = Field(sa_column=_big("grant_number", key=True))
    n: int = Field(sa_column=_int("n", key=True))
    attempt: int = Field(sa_column=_int("attempt"))
    public_id: str = Field(sa_column=_text("public_id"))
    locator: str = Field(sa_column=_text("locator"))
    issued_at: int = Field(sa_column=_big("issued_at"))
    not_after: int = Field(sa_column=_big("not_after"))
    gone_at: int | None = Field(sa_column=_big("gone_at", null=True))
    aborted_at: int | None = Field(sa_column=_big("aborted_at", null=True))


class SignInCode(SQLModel, table=True):
    __tablename__ = "login_code"
    code_hash: str = Field(sa_column=_text("code_hash", key=True))
    person: str = Field(sa_column=_text("person"))
    expires_at: int = Field(sa_column=_big("expires_at"))
    used_at: int | None = Field(sa_column=_big("used_at", null=True))


class SignedInDevice(SQLModel, table=True):
    __tablename__ = "device"
    id: str = Field(sa_column=_text("id", key=True))
    person_id: str = Field(sa_column=_text("person_id"))
    person: str = Field(sa_column=_text("person"))
    token_hash: str = Field(sa_column=_text("token_hash"))
    public_key: str = Field(sa_column=_text("public_key"))
    host: str = Field(sa_column=_text("host"))
    address: str = Field(sa_column=_text("address"))
    created_at: int = Field(sa_column=_big("created_at"))
    expires_at: int = Field(sa_column=_big("expires_at"))
    ended_at: int | None = Field(sa_column=_big("ended_at", null=True))


class Note(SQLModel, table=True):
    """A small durable map: cursors, where a card was posted."""

    __tablename__ = "note"
    key: str = Field(sa_column=_text("key", key=True))
    value: str = Field(sa_column=_text("value"))


def _index(model: type[SQLModel], column: str, *, unique: bool = False) -> None:
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    Index(f"{table.name}_{column}", table.c[column], unique=unique)


def _when_due(model: type[SQLModel]) -> None:
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    where = table.c.due_at.is_not(None)
    Index(f"{table.name}_due", table.c.due_at, sqlite_where=where, postgresql_where=where)


_index(AccessRequest, "number", unique=True)
_index(AccessRequest, "key", unique=True)
_index(AccessRequest, "requester_id")
_index(AccessGrant, "request_id", unique=True)
_index(SignedInDevice, "token_hash", unique=True)
_index(SignedInDevice, "person_id")
_when_due(AccessRequest)
_when_due(AccessGrant)
_leases = SQLModel.metadata.tables["access_lease"]
_loose = (_leases.c.public_id == "") & _leases.c.aborted_at.is_(None)
Index("access_lease_loose", _leases.c.issued_at, sqlite_where=_loose, postgresql_where=_loose)
