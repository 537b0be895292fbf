"""Passes, sessions and what was done in them, over the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas import FactOut, Input


class PassIn(Input):
    """What a terminal holds, without what lets anybody in."""

    gateway: str = Field("postgres", max_length=20, examples=["postgres"])
    proof: str = Field(
        max_length=200, description="postgres: a SCRAM-SHA-256 verifier, as PostgreSQL writes one; ssh: a public key"
    )
    key: str = Field(
        "", max_length=200,
        description="postgres: the public key on P-256 (DER, Base64) that its connections are to be made with",
    )  # fmt: skip


class PassOut(BaseModel):
    """Where to connect, and as whom; the password never left the terminal."""

    ref: str
    target: str
    role: str
    kind: str = Field(examples=["postgres"])
    name: str = Field(description="the user name", examples=["PA-7.k3f9qz"])
    expires_at: datetime = Field(description="when the grant ends, or until when its first use has to come")
    expires_in: int
    hints: dict[str, str] = Field(description="host, port, dbname, sslmode; ssh: host, port, behind")
    certificate: str = Field(
        "",
        description="PEM: what the gateway's certificate is to be checked with; empty: the public authorities."
        " ssh: its host keys, one a line",
    )
    client_certificate: str = Field("", description="PEM, of the key; empty where the pass is not bound to one")


class SessionOut(BaseModel):
    """One recorded connection."""

    id: str = Field(examples=["PA-7-2"])
    ref: str
    gateway: str
    requester: str
    target: str
    host: str
    address: str
    client: str
    opened_at: datetime
    closed_at: datetime | None
    why: str
    actions: int = Field(description="what was done in it, as far as the log knows")
    size: int = Field(description="bytes of the recording")
    recording: str = Field(description="running hash of the recording, in hex")


class ReplayOut(BaseModel):
    """A page of what was done in a session, oldest first."""

    session: SessionOut
    entries: list[FactOut]
    after: int = Field(description="ask again with this `after`, while there is `more`")
    more: bool


class HeldOut(BaseModel):
    """A statement or command that waits, or waited, until somebody let it run."""

    id: str = Field(examples=["PA-7-2.3"])
    ref: str
    session: str
    state: str = Field(description="waiting, allowed or refused")
    asked_at: datetime
    lapses_at: datetime = Field(description="refused by itself from then on")
    by: str = Field(description="who decided it; empty where nobody did")
    at: datetime | None


class HeldInFull(HeldOut):
    """The same with what it says; secrets are taken out of that."""

    requester: str
    flags: list[str] = Field(description="what it is held for")
    text: str
    values: str = Field(description="the parameters that go with it, as JSON")
    tables: list[str] = Field(description="what it would touch: `write table:public.orders`")
    coverage: str = Field(description="`full`, or `opaque`: it may touch anything there")
    in_transaction: bool = Field(description="locks are held meanwhile")


class WatchIn(BaseModel):
    """What to follow, from where on."""

    of: str = Field("", max_length=40, description="`PA-7` or `PA-7-2`; empty: all that one may see")
    after: int = Field(-1, ge=-1, lt=2**63, description="of the answer before; -1: begin")
    wait: float = Field(0, ge=0, le=30, description="seconds to wait for something to happen")


class WatchOut(BaseModel):
    """What happened in sessions since the answer before, oldest first."""

    sessions: list[SessionOut] = Field(description="those that are open; the one that was named, also when it is not")
    entries: list[FactOut]
    after: int = Field(description="ask again with this `after`")
    over: bool = Field(description="nothing more will come")
    more: bool = Field(description="there is more already: ask without waiting")
