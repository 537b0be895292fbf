"""Passes, sessions and what was done in them, over the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas import FactOut, Input


class PassIn(Input):
    """What a terminal holds, without what lets anybody in."""

    gateway: str = Field("postgres", max_length=20, examples=["postgres"])
    proof: str = Field(max_length=200, description="postgres: a SCRAM-SHA-256 verifier, as PostgreSQL writes one")


class PassOut(BaseModel):
    """Where to connect, and as whom; the password never left the terminal."""

    ref: str
    target: str
    role: str
    kind: str = Field(examples=["postgres"])
    name: str = Field(description="the user name", examples=["PA-7.k3f9qz"])
    expires_at: datetime = Field(description="when the grant ends, or until when its first use has to come")
    expires_in: int
    hints: dict[str, str] = Field(description="host, port, dbname, sslmode")
    certificate: str = Field(
        "", description="PEM: what the gateway's certificate is to be checked with; empty: the public authorities"
    )


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
