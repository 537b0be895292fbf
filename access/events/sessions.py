"""What was done at the target, reported by whatever recorded it. `session` is the recording's id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.events.event import Event, Private


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Event):
    """A recorded connection to a target began, on behalf of a grant."""

    TAG: ClassVar[str] = "session.opened"
    session: str
    gateway: str  # `postgres`, `ssh`
    target: str
    host: str  # where the target is
    address: str  # where the person connected from


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed(Event):
    """The connection ended; the recording is complete up to here."""

    TAG: ClassVar[str] = "session.closed"
    session: str
    why: str
    actions: int
    recording: str  # SHA-256 of the whole recording, in hex


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRun(Event):
    """A statement was sent to a database."""

    TAG: ClassVar[str] = "db.query"
    session: str
    target: str
    text: Private
    shape: str  # the statement without its literals
    touches: tuple[str, ...]  # `read table:public.orders`, `write table:public.refunds`
    coverage: str  # `full`: touches names all of it; `partial`; `opaque`: it may touch anything there
    rows: int | None = None
    outcome: str = "ok"  # or the database's error code


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun(Event):
    """A command was run on a host."""

    TAG: ClassVar[str] = "host.command"
    session: str
    target: str
    host: str
    text: Private
    program: str
    touches: tuple[str, ...]  # `read path:/etc/hosts`
    coverage: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTouched(Event):
    """A file was read, written, deleted or transferred on a host."""

    TAG: ClassVar[str] = "host.file"
    session: str
    target: str
    host: str
    touches: tuple[str, ...]  # `read path:/etc/shadow`
    coverage: str
    size: int | None = None  # bytes
