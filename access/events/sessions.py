"""What was done at the target, reported by whatever recorded it. `session` is the recording's id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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
    key: str = ""  # that each connection has to be made with: SHA-256 of its public half, in hex


@dataclass(frozen=True, slots=True, kw_only=True)
class PassEnded(Event):
    """The terminal that a pass was given to has no more use for it: its tool has ended."""

    TAG: ClassVar[str] = "pass.ended"
    name: str


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
    raw: bool = False  # its recording keeps secrets that are in what is said, too


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
class SessionStored(Event):
    """Its recording has been copied to where it is locked, and read back there."""

    TAG: ClassVar[str] = "session.stored"
    session: str
    place: str  # `s3://BUCKET/KEY?versionId=…`
    until: datetime  # nobody can delete it there before
    size: int  # bytes
    recording: str  # running hash of all that is in it, in hex
    sha256: str  # of the file, in hex


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRemoved(Event):
    """Its recording's file was deleted from its gateway's disk, as long after its end as is set there."""

    TAG: ClassVar[str] = "session.removed"
    session: str
    recording: str  # running hash of what was there, in hex
    place: str = ""  # where it is still kept; empty: nowhere


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingErased(Event):
    """The key of a recording was destroyed on purpose: what there is of it, here or elsewhere, cannot be read."""

    TAG: ClassVar[str] = "recording.erased"
    session: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHeld(Event):
    """A statement or a command waits, before it reaches its target, until an approver lets it run."""

    TAG: ClassVar[str] = "statement.held"
    session: str
    held: str  # `PA-7-2.3`
    text: Private
    flags: tuple[str, ...]  # what it is held for
    lapses_at: datetime  # it is refused by itself from then on
    tables: tuple[str, ...] = ()  # what it would touch: `write table:public.orders`
    coverage: str = "full"  # as in `db.query`
    values: Private = ""  # the parameters that go with it, as JSON
    in_transaction: bool = False  # locks are held meanwhile
    to: tuple[str, ...] = ()  # Slack ids of those who are asked
    rule: str = ""
    policy_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementAllowed(Event):
    """An approver has let it run. Whether it ran says `db.query`, or `host.command`."""

    TAG: ClassVar[str] = "statement.allowed"
    session: str
    held: str
    rule: str
    policy_hash: str
    looked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRefused(Event):
    """It does not run: an approver says so, or nobody let it run in time, or nobody waits for it any more."""

    TAG: ClassVar[str] = "statement.refused"
    session: str
    held: str
    why: str
    rule: str = ""
    policy_hash: str = ""
    looked: tuple[str, ...] = ()


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
    flags: tuple[str, ...] = ()  # `ddl`, `write-without-where`, `bulk-read` …
    lasted: int | None = None  # microseconds
    bytes_out: int | None = None  # of rows and COPY data, to the person
    bytes_in: int | None = None
    late: bool = False
    redacted: int | None = None  # places that secrets were taken from


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun(Event):
    """Something was run on a host, or asked for and not let through; the time is that of its end."""

    TAG: ClassVar[str] = "host.command"
    session: str
    target: str
    host: str
    text: Private
    program: str
    touches: tuple[str, ...]  # `read path:/etc/hosts`
    coverage: str
    exit_code: int | None = None
    kind: str = ""  # `command`, `shell`, `subsystem`, `typed`, `seen`, `forward`, `request`
    exact: bool = True  # the text is what was run, and not what it looked like
    outcome: str = "ok"  # `exit 3`, `signal TERM`, `refused`, `unknown`
    fed: Private = ""  # text that went into it, where it had no terminal
    flags: tuple[str, ...] = ()
    lasted: int | None = None  # microseconds
    bytes_out: int | None = None  # to the person
    bytes_in: int | None = None
    late: bool = False
    redacted: int | None = None  # places that secrets were taken from


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
    kind: str = ""  # `read`, `write`, `rename`, `remove`: what was asked of the host
    outcome: str = "ok"  # the host's words, `refused`, `unknown`
    sha256: str = ""  # of what passed, in hex, where it passed in order and from the beginning
    flags: tuple[str, ...] = ()
    lasted: int | None = None  # microseconds
    late: bool = False
