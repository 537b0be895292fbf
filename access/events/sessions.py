"""What was done at the target, reported by whatever recorded it. `session` is the recording's id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.events.event import Event, Private


@dataclass(frozen=True, slots=True, kw_only=True)
class PassGiven(Event):
    """Somebody's terminal was given what lets its tools through a gateway, for as long as the grant lasts."""

    TAG: ClassVar[str] = "pass.given"
    name: str  # the user name that goes with it: `PA-7.k3f9q`
    gateway: str
    host: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Event):
    """A recorded connection to a target began, on behalf of a grant."""

    TAG: ClassVar[str] = "session.opened"
    session: str
    gateway: str  # `postgres`, `ssh`
    target: str
    host: str  # where the target is
    address: str  # where the person connected from
    name: str = ""  # of the pass that it came with
    client: str = ""  # what the person's tool calls itself
    public_id: str = ""  # the credential that the gateway uses at the target


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecorded(Event):
    """The recording has grown: whatever it held by then is bound to the log by this hash."""

    TAG: ClassVar[str] = "session.recorded"
    session: str
    actions: int
    size: int  # bytes
    recording: str  # running hash of the recording, in hex


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCut(Event):
    """Somebody ended a connection before its time."""

    TAG: ClassVar[str] = "session.cut"
    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed(Event):
    """The connection ended; the recording is complete up to here."""

    TAG: ClassVar[str] = "session.closed"
    session: str
    why: str
    actions: int
    recording: str  # SHA-256 of the whole recording, in hex
    size: int | None = None  # bytes of it
    late: bool = False  # written by somebody else, after the gateway that held it was gone


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRun(Event):
    """A statement was sent to a database; the time is that of its last answer."""

    TAG: ClassVar[str] = "db.query"
    session: str
    target: str
    text: Private
    shape: str  # the statement without its literals
    touches: tuple[str, ...]  # `read table:public.orders`, `write table:public.refunds`
    coverage: str  # `full`: touches names all of it; `partial`; `opaque`: it may touch anything there
    rows: int | None = None
    outcome: str = "ok"  # or the database's error code; `skipped`, `unknown`
    values: Private = ""  # the parameters that went with it, as JSON
    kind: str = ""  # `read`, `write`, `schema`, `session`, `other`
    flags: tuple[str, ...] = ()  # `everything`, `role`, `program`
    lasted: int | None = None  # microseconds
    bytes_out: int | None = None  # of rows and COPY data, to the person
    bytes_in: int | None = None
    late: bool = False


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
