"""What goes over the wire, as published in `/openapi.json`. Times are RFC 3339 in UTC, durations whole seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from audit.inquiry import MOST_ENTRIES


class Input(BaseModel):
    """What somebody sends: nothing unknown, nothing that the database cannot hold, and never quoted in an error."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: object) -> object:
        """PostgreSQL takes no NUL. What else cannot be seen is written out wherever it is shown."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError("a NUL character is not taken")
        return value


class LoginIn(Input):
    """A one-time code from Slack, and the public half of the key that the terminal has just made."""

    code: str = Field(min_length=8, max_length=20, examples=["ABCD-EFGH"])
    host: str = Field(min_length=1, max_length=80, description="the terminal's name for itself; shown to its user")
    public_key: str = Field(min_length=43, max_length=43, description="Ed25519, base64url: `x` of a JWK")


class AskIn(Input):
    """A request. What is left out comes from the policy: the first role, the usual duration."""

    target: str = Field(min_length=1, max_length=100, description="a target's name, alias or unambiguous beginning")
    role: str | None = Field(None, max_length=100)
    duration: str | None = Field(None, max_length=40, examples=["1h30m"])
    reason: str = Field("", max_length=500)
    ticket: str = Field("", max_length=100)
    key: str = Field(min_length=16, max_length=100, description="made anew for each ask; the same key is one request")


class ExtensionIn(Input):
    """How much longer. The ticket is the grant's unless another one is named."""

    duration: str = Field(min_length=1, max_length=40, examples=["30m"])
    reason: str = Field("", max_length=500)
    ticket: str = Field("", max_length=100)
    key: str = Field(min_length=16, max_length=100, description="made anew for each ask; the same key is one request")


class CommentIn(Input):
    """What somebody says about a request."""

    text: str = Field(min_length=1, max_length=500)
    key: str = Field(
        "", max_length=100, pattern="^([!-~]{16,100})?$",
        description="made anew for each comment; the same key is said once. Empty: each call says it",
    )  # fmt: skip


class _Confidential(BaseModel):
    """Neither its repr nor an error about it shows what it holds."""

    model_config = ConfigDict(hide_input_in_errors=True)


class LoginOut(_Confidential):
    """The token is shown here once; it is good only with calls signed by the terminal's key."""

    token: str = Field(repr=False)
    expires_at: datetime
    person: str


class MeOut(BaseModel):
    """Who is signed in, and where."""

    id: str
    name: str
    admin: bool
    host: str
    address: str
    signed_in_at: datetime
    expires_at: datetime


class RoleOut(BaseModel):
    """One role that may be asked for."""

    role: str
    maximum: int
    default: int
    durations: list[int]
    approvals: int
    deciders: list[str]
    reason_required: bool
    ticket_required: bool
    explanation: str = Field(examples=["needs 1 of 2 (ada, grace), up to 4 hours"])


class TargetOut(BaseModel):
    """One target that may be asked for."""

    target: str
    title: str
    environment: str
    aliases: list[str]
    roles: list[RoleOut]


class GrantOut(BaseModel):
    """Access while it lasts."""

    created_at: datetime
    started_at: datetime | None = Field(None, description="null while it waits for its first use, until `expires_at`")
    duration: int = Field(description="seconds that it was approved for, from the approval or from the first use")
    expires_at: datetime
    expires_in: int = Field(description="seconds left by the server's clock; 0 when over")
    credentials: int = Field(description="how many were issued")
    cause: str | None = Field(None, description="why it ended, or ends")
    ended_by: str | None = None
    ended_at: datetime | None = None
    effective_by: datetime | None = Field(None, description="where the target follows later: when at the latest")


class VoteOut(BaseModel):
    """One approval."""

    by: str
    at: datetime
    shorter: int | None = Field(None, description="seconds: the most that it allows, where that is less than asked for")


class Waiting(BaseModel):
    """How long to wait for a change, and from what."""

    wait: float = Field(0, ge=0, le=30, description="seconds to wait for a change")
    after_state: str = Field("", max_length=60, description="the `mark` of the answer before")


class RequestOut(BaseModel):
    """A request and, once approved, its grant. `state` is the grant's as soon as there is one."""

    ref: str = Field(examples=["PA-7"])
    state: str = Field(examples=["pending", "active"])
    mark: str = Field(description="opaque; hand it back as `after_state` to wait for the next change")
    target: str
    role: str
    duration: int
    reason: str
    ticket: str
    requester: str
    created_at: datetime
    approvals_needed: int
    votes: list[VoteOut]
    deciders: list[str] = Field(description="who may decide, while it is pending")
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str = Field("", description="why it was denied")
    extends: str | None = Field(None, description="the grant that it asks to prolong", examples=["PA-7"])
    glass: bool = Field(default=False, description="taken by break-glass: nobody approved it, and somebody reviews it")
    gateway: str = Field(default="", description="the gateway that it is used through; empty: with a credential")
    grant: GrantOut | None = None


class Part(BaseModel):
    """Which part of a request's entries: they come in pages."""

    after: int = Field(-1, ge=-1, lt=2**63, description="only entries with a greater `seq`")
    limit: int = Field(MOST_ENTRIES, ge=1, le=MOST_ENTRIES)


class FactOut(BaseModel):
    """One entry of the audit log about this request."""

    seq: int
    at: datetime
    kind: str = Field(examples=["approval.given"])
    by: str | None = Field(None, description="nobody: prodaccess itself")
    text: str = Field(examples=["ada approved (1 of 2)"])
    did: str = Field(description="the text without who did it", examples=["approved (1 of 2)"])
    facts: dict[str, Any]


class CredentialOut(_Confidential):
    """A fresh credential. `secret` is in no log and no database; what it holds depends on `kind`."""

    ref: str
    target: str
    role: str
    kind: str = Field(examples=["postgres", "aws"])
    public_id: str
    expires_at: datetime = Field(description="when the grant ends")
    expires_in: int
    not_after: datetime = Field(description="when the credential itself is dead at the latest")
    secret: dict[str, str] = Field(repr=False)
    hints: dict[str, str] = Field(description="not secret: host, port, dbname, region …")


class HealthOut(BaseModel):
    """It answers."""

    status: str
    version: str


class ReadyOut(BaseModel):
    """A sentence for each part of the house; empty when that part is well."""

    ready: bool
    parts: dict[str, str]
    warnings: dict[str, str] = Field(default={}, description="what works, and yet is not as it should be")
