"""The tables of access. Times are microseconds since the epoch (BIGINT), persons are small JSON texts.

`due_at` is the schedule: NULL exactly when nothing is left to do, and indexed only where it is not NULL, so
that history costs nothing.
"""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from audit.columns import big, integer, text, yes_or_no
from audit.statement import table_of


class Counter(SQLModel, table=True):
    """The last request number given."""

    __tablename__ = "counter"
    name: str = Field(sa_column=text("name", key=True))
    value: int = Field(sa_column=big("value"))


class AccessRequest(SQLModel, table=True):
    __tablename__ = "access_request"
    id: str = Field(sa_column=text("id", key=True))
    number: int = Field(sa_column=big("number"))
    key: str = Field(sa_column=text("key"))
    requester_id: str = Field(sa_column=text("requester_id"))
    requester: str = Field(sa_column=text("requester"))
    target: str = Field(sa_column=text("target"))
    role: str = Field(sa_column=text("role"))
    duration: int = Field(sa_column=big("duration"))
    reason: str = Field(sa_column=text("reason"))
    ticket: str = Field(sa_column=text("ticket"))
    state: str = Field(sa_column=text("state"))
    created_at: int = Field(sa_column=big("created_at"))
    lapses_at: int = Field(sa_column=big("lapses_at"))
    due_at: int | None = Field(sa_column=big("due_at", null=True))
    policy_hash: str = Field(sa_column=text("policy_hash"))
    rule: str = Field(sa_column=text("rule"))
    approvals_needed: int = Field(sa_column=integer("approvals_needed"))
    extends: int | None = Field(sa_column=big("extends", null=True))
    glass: bool = Field(sa_column=yes_or_no("glass"))
    asked: str = Field(sa_column=text("asked"))
    reminded_at: int | None = Field(sa_column=big("reminded_at", null=True))
    decided_by: str | None = Field(sa_column=text("decided_by", null=True))
    decided_at: int | None = Field(sa_column=big("decided_at", null=True))
    note: str = Field(sa_column=text("note"))
    version: int = Field(sa_column=integer("version"))


class AccessVote(SQLModel, table=True):
    """One person votes once on a request: the key says so."""

    __tablename__ = "access_vote"
    request_id: str = Field(sa_column=text("request_id", key=True))
    person_id: str = Field(sa_column=text("person_id", key=True))
    person: str = Field(sa_column=text("person"))
    at: int = Field(sa_column=big("at"))
    rule: str = Field(sa_column=text("rule"))
    shorter: int | None = Field(sa_column=big("shorter", null=True))


class AccessGrant(SQLModel, table=True):
    __tablename__ = "access_grant"
    number: int = Field(sa_column=big("number", key=True))
    request_id: str = Field(sa_column=text("request_id"))
    requester: str = Field(sa_column=text("requester"))
    target: str = Field(sa_column=text("target"))
    role: str = Field(sa_column=text("role"))
    reason: str = Field(sa_column=text("reason"))
    ticket: str = Field(sa_column=text("ticket"))
    provider: str = Field(sa_column=text("provider"))
    uses: str = Field(sa_column=text("uses"))
    state: str = Field(sa_column=text("state"))
    created_at: int = Field(sa_column=big("created_at"))
    expires_at: int = Field(sa_column=big("expires_at"))
    due_at: int | None = Field(sa_column=big("due_at", null=True))
    duration: int = Field(sa_column=big("duration"))
    started_at: int | None = Field(sa_column=big("started_at", null=True))
    retimed_at: int | None = Field(sa_column=big("retimed_at", null=True))
    warned_at: int | None = Field(sa_column=big("warned_at", null=True))
    glass: bool = Field(sa_column=yes_or_no("glass"))
    review: bool = Field(sa_column=yes_or_no("review"))
    attempts: int = Field(sa_column=integer("attempts"))
    cause: str | None = Field(sa_column=text("cause", null=True))
    ended_by: str | None = Field(sa_column=text("ended_by", null=True))
    ending_since: int | None = Field(sa_column=big("ending_since", null=True))
    ended_at: int | None = Field(sa_column=big("ended_at", null=True))
    effective_by: int | None = Field(sa_column=big("effective_by", null=True))
    escalated: bool = Field(sa_column=yes_or_no("escalated"))
    alarms: int = Field(sa_column=integer("alarms"))
    claim: int | None = Field(sa_column=big("claim", null=True))
    gateway: str = Field(sa_column=text("gateway"))
    version: int = Field(sa_column=integer("version"))


class AccessHandle(SQLModel, table=True):
    __tablename__ = "access_handle"
    grant: int = Field(sa_column=big("grant_number", key=True))
    attempt: int = Field(sa_column=integer("attempt", key=True))
    locator: str = Field(sa_column=text("locator"))
    created_at: int = Field(sa_column=big("created_at"))
    issuer: str = Field(sa_column=text("issuer"))


class AccessLease(SQLModel, table=True):
    __tablename__ = "access_lease"
    grant: int = Field(sa_column=big("grant_number", key=True))
    n: int = Field(sa_column=integer("n", key=True))
    attempt: int = Field(sa_column=integer("attempt"))
    public_id: str = Field(sa_column=text("public_id"))
    locator: str = Field(sa_column=text("locator"))
    issued_at: int = Field(sa_column=big("issued_at"))
    not_after: int = Field(sa_column=big("not_after"))
    gone_at: int | None = Field(sa_column=big("gone_at", null=True))
    aborted_at: int | None = Field(sa_column=big("aborted_at", null=True))


class AccessReview(SQLModel, table=True):
    __tablename__ = "access_review"
    number: int = Field(sa_column=big("number", key=True))
    requester_id: str = Field(sa_column=text("requester_id"))
    requester: str = Field(sa_column=text("requester"))
    target: str = Field(sa_column=text("target"))
    role: str = Field(sa_column=text("role"))
    why: str = Field(sa_column=text("why"))
    state: str = Field(sa_column=text("state"))
    opened_at: int = Field(sa_column=big("opened_at"))
    due_at: int | None = Field(sa_column=big("due_at", null=True))
    reminders: int = Field(sa_column=integer("reminders"))
    by: str | None = Field(sa_column=text("by_person", null=True))
    at: int | None = Field(sa_column=big("at", null=True))
    version: int = Field(sa_column=integer("version"))


class AccessPass(SQLModel, table=True):
    """What lets somebody's tools through a gateway."""

    __tablename__ = "access_pass"
    name: str = Field(sa_column=text("name", key=True))
    grant: int = Field(sa_column=big("grant_number"))
    gateway: str = Field(sa_column=text("gateway"))
    proof: str = Field(sa_column=text("proof"))
    device: str = Field(sa_column=text("device"))
    created_at: int = Field(sa_column=big("created_at"))
    ended_at: int | None = Field(sa_column=big("ended_at", null=True))
    bound: str = Field(sa_column=text("bound"))


class AccessSession(SQLModel, table=True):
    """A recorded connection; only the gateway that holds it moves its row."""

    __tablename__ = "access_session"
    grant: int = Field(sa_column=big("grant_number", key=True))
    n: int = Field(sa_column=integer("n", key=True))
    gateway: str = Field(sa_column=text("gateway"))
    pass_name: str = Field(sa_column=text("pass_name"))
    requester_id: str = Field(sa_column=text("requester_id"))
    requester: str = Field(sa_column=text("requester"))
    target: str = Field(sa_column=text("target"))
    host: str = Field(sa_column=text("host"))
    address: str = Field(sa_column=text("address"))
    client: str = Field(sa_column=text("client"))
    process: str = Field(sa_column=text("process"))
    seed: str = Field(sa_column=text("seed"))
    opened_at: int = Field(sa_column=big("opened_at"))
    closed_at: int | None = Field(sa_column=big("closed_at", null=True))
    why: str = Field(sa_column=text("why"))
    acts: int = Field(sa_column=big("acts"))
    size: int = Field(sa_column=big("size"))
    recording: str = Field(sa_column=text("recording"))
    version: int = Field(sa_column=integer("version"))
    stop: str = Field(sa_column=text("stop"))
    raw: int = Field(sa_column=integer("raw"))
    stored: str = Field(sa_column=text("stored"))
    stored_at: int | None = Field(sa_column=big("stored_at", null=True))
    removed_at: int | None = Field(sa_column=big("removed_at", null=True))


class AccessCut(SQLModel, table=True):
    """That somebody wants a session ended: a row of its own, for the session's row is its gateway's."""

    __tablename__ = "access_cut"
    session: str = Field(sa_column=text("session", key=True))
    by: str = Field(sa_column=text("by_person"))
    at: int = Field(sa_column=big("at"))


class AccessStop(SQLModel, table=True):
    """That a client wants the statement stopped that runs in a session; asked of a process that does not hold it."""

    __tablename__ = "access_stop"
    session: str = Field(sa_column=text("session", key=True))
    pid: int = Field(sa_column=big("pid"))
    at: int = Field(sa_column=big("at"))


class AccessSeen(SQLModel, table=True):
    """What somebody has touched in recorded sessions, where a policy asks for it: the log says when."""

    __tablename__ = "access_seen"
    person: str = Field(sa_column=text("person", key=True))
    target: str = Field(sa_column=text("target", key=True))
    thing: str = Field(sa_column=text("thing", key=True))


class AccessHeld(SQLModel, table=True):
    """One statement or command that waits, or waited, until somebody let it run; what it says stands in the log."""

    __tablename__ = "access_held"
    grant: int = Field(sa_column=big("grant_number", key=True))
    session: int = Field(sa_column=integer("session", key=True))
    n: int = Field(sa_column=integer("n", key=True))
    asked_at: int = Field(sa_column=big("asked_at"))
    lapses_at: int = Field(sa_column=big("lapses_at"))
    state: str = Field(sa_column=text("state"))
    by: str | None = Field(sa_column=text("by_person", null=True))
    at: int | None = Field(sa_column=big("at", null=True))
    version: int = Field(sa_column=integer("version"))


class SignInCode(SQLModel, table=True):
    __tablename__ = "login_code"
    code_hash: str = Field(sa_column=text("code_hash", key=True))
    person: str = Field(sa_column=text("person"))
    expires_at: int = Field(sa_column=big("expires_at"))
    used_at: int | None = Field(sa_column=big("used_at", null=True))


class SignedInDevice(SQLModel, table=True):
    __tablename__ = "device"
    id: str = Field(sa_column=text("id", key=True))
    person_id: str = Field(sa_column=text("person_id"))
    person: str = Field(sa_column=text("person"))
    token_hash: str = Field(sa_column=text("token_hash"))
    public_key: str = Field(sa_column=text("public_key"))
    host: str = Field(sa_column=text("host"))
    address: str = Field(sa_column=text("address"))
    created_at: int = Field(sa_column=big("created_at"))
    expires_at: int = Field(sa_column=big("expires_at"))
    ended_at: int | None = Field(sa_column=big("ended_at", null=True))


class SpentProof(SQLModel, table=True):
    """A signed call that was made, until it would be refused by its time."""

    __tablename__ = "spent_proof"
    key: str = Field(sa_column=text("key", key=True))
    until: int = Field(sa_column=big("until"))


class Note(SQLModel, table=True):
    """A small durable map: cursors, where a card was posted."""

    __tablename__ = "note"
    key: str = Field(sa_column=text("key", key=True))
    value: str = Field(sa_column=text("value"))


def _index(model: type[SQLModel], column: str, *, unique: bool = False) -> None:
    table = table_of(model)
    Index(f"{table.name}_{column}", table.c[column], unique=unique)


def _when_due(model: type[SQLModel]) -> None:
    table = table_of(model)
    where = table.c.due_at.is_not(None)
    Index(f"{table.name}_due", table.c.due_at, sqlite_where=where, postgresql_where=where)


_index(AccessRequest, "number", unique=True)
_index(AccessRequest, "key", unique=True)
_index(AccessRequest, "requester_id")
_index(AccessGrant, "request_id", unique=True)
_index(AccessReview, "requester_id")
_index(SignedInDevice, "token_hash", unique=True)
_index(SignedInDevice, "person_id")
_index(AccessPass, "grant_number")
_when_due(AccessRequest)
_when_due(AccessGrant)
_when_due(AccessReview)
_sessions = SQLModel.metadata.tables["access_session"]
_still = _sessions.c.closed_at.is_(None)
Index("access_session_open", _sessions.c.process, sqlite_where=_still, postgresql_where=_still)
_kept = ~_still & _sessions.c.removed_at.is_(None)
Index("access_session_kept", _sessions.c.process, sqlite_where=_kept, postgresql_where=_kept)
_stoppable = _still & (_sessions.c.stop != "")
Index("access_session_stop", _sessions.c.stop, sqlite_where=_stoppable, postgresql_where=_stoppable)
_held = SQLModel.metadata.tables["access_held"]
_undecided = _held.c.state == "waiting"
Index("access_held_waiting", _held.c.asked_at, sqlite_where=_undecided, postgresql_where=_undecided)
_leases = SQLModel.metadata.tables["access_lease"]
_loose = (_leases.c.public_id == "") & _leases.c.aborted_at.is_(None)
Index("access_lease_loose", _leases.c.issued_at, sqlite_where=_loose, postgresql_where=_loose)
