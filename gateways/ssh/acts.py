"""What happens in one SSH connection, as it is recorded. `n` counts the connection's programs from 1. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, get_args


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal as the client has it."""

    term: str
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Started:
    """Something is about to be started: a `shell`, a `command`, a `subsystem` or a `forward` (to `host:port`).

    `environment`: what the client sets, as `NAME=value`; the host decides what of it counts.
    """

    KIND: ClassVar[str] = "started"
    n: int
    what: str
    text: str = ""
    screen: Screen | None = None
    environment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is not let through was asked for; `why` is what the client was told. `n` is 0 outside programs."""

    KIND: ClassVar[str] = "refused"
    n: int
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Shown:
    """About to appear on the terminal."""

    KIND: ClassVar[str] = "o"
    n: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fed:
    """About to reach the input of a program that has no terminal: a script for a shell, for instance. Only while it is
    text, and only its beginning; what is typed at a terminal is never kept, for it may be a password."""

    KIND: ClassVar[str] = "fed"
    n: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resized:
    """The client's terminal has another size."""

    KIND: ClassVar[str] = "r"
    n: int
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal is about to be sent; `BREAK` is the terminal's break."""

    KIND: ClassVar[str] = "signal"
    n: int
    name: str


@dataclass(frozen=True, slots=True)
class CommandBegan:
    """A shell says that it runs this now. Not `exact`: it kept no line of its own for it, so that the text may be that
    of the one before."""

    KIND: ClassVar[str] = "command"
    n: int
    text: str
    exact: bool = True


@dataclass(frozen=True, slots=True)
class LineEntered:
    """What stood on the terminal's line, behind its prompt, when the client sent it off: no shell has said what it
    made of that."""

    KIND: ClassVar[str] = "line"
    n: int
    text: str


@dataclass(frozen=True, slots=True)
class CommandEnded:
    """The shell is back at its prompt."""

    KIND: ClassVar[str] = "command.ended"
    n: int
    status: int


@dataclass(frozen=True, slots=True)
class FileAsked:
    """A file operation is about to reach the host. `file` counts those of the program from 1.

    `op`: read, write, read+write, list, stat, remove, rename, mkdir, rmdir, symlink, link, chmod (any attribute),
    copy, readlink, or the name of an extension. `path` as it was sent; `where` as far as it can be told without asking
    the host: absolute and without `..`, links not followed. `to` is the other path of those that have two; of
    what an old `scp` writes, its name in `path` should that be a directory.
    """

    KIND: ClassVar[str] = "file"
    n: int
    file: int
    op: str
    path: str
    where: str = ""
    to: str = ""
    size: int | None = None  # announced


@dataclass(frozen=True, slots=True)
class FileAnswered:
    """The host's answer. `error` is empty where it was done; for what was opened, `FileDone` follows."""

    KIND: ClassVar[str] = "file.answer"
    n: int
    file: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class FilePassed:
    """How far it is. Bytes `read` from the host and `written` to it."""

    KIND: ClassVar[str] = "file.passed"
    n: int
    file: int
    read: int
    written: int


@dataclass(frozen=True, slots=True)
class FileDone:
    """Closed, or left open at the end of its program (not `closed`). A SHA-256 is that of everything read or written,
    and empty where it did not pass in order, from the beginning."""

    KIND: ClassVar[str] = "file.done"
    n: int
    file: int
    read: int
    written: int
    read_sha256: str = ""
    written_sha256: str = ""
    closed: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """How many bytes the program has been `sent`, and how many it has given (`received`)."""

    KIND: ClassVar[str] = "passed"
    n: int
    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """From here on the bytes are only counted and hashed: they are not what they were taken for."""

    KIND: ClassVar[str] = "opaque"
    n: int
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """A line of ours on the client's terminal or standard error."""

    KIND: ClassVar[str] = "told"
    n: int
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The program is over. Neither `status` nor `signal`: nobody said how. The hashes are of all that passed, except
    that what was typed at a terminal has none: of something short, a hash would give it away. Nor has SFTP, whose files
    have their own. `error`: it never began.
    """

    KIND: ClassVar[str] = "ended"
    n: int
    sent: int
    received: int
    sent_sha256: str
    received_sha256: str
    status: int | None = None
    signal: str = ""
    error: str = ""


Act = (
    Started | Refused | Shown | Fed | Resized | Signalled | CommandBegan | LineEntered | CommandEnded | FileAsked
    | FileAnswered | FilePassed | FileDone | Passed | Opaque | Told | Ended
)  # fmt: skip
_KINDS: dict[str, type[Act]] = {kind.KIND: kind for kind in get_args(Act)}


def record_of(act: Act) -> tuple[str, dict[str, Any]]:
    """An act as a record of a recording: its kind and its data, ready for JSON. Bytes that are text stay legible."""
    return act.KIND, {field.name: _plain(getattr(act, field.name)) for field in fields(act)}


def act_of(kind: str, data: Mapping[str, Any]) -> Act | None:
    """The same, read back; None for a record that is no act."""
    made = _KINDS.get(kind)
    return None if made is None else made(**{name: _READ.get(name, _as_it_is)(value) for name, value in data.items()})


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"hex": value.hex()}
    if isinstance(value, Screen):
        return {"term": value.term, "columns": value.columns, "rows": value.rows}
    return list(value) if isinstance(value, tuple) else value


def _as_it_is(value: Any) -> Any:
    return value


def _bytes(value: str | dict[str, str]) -> bytes:
    return value.encode() if isinstance(value, str) else bytes.fromhex(value["hex"])


#: by the name of the field: those that JSON has no type for
_READ: dict[str, Callable[[Any], Any]] = {
    "data": _bytes, "environment": tuple, "screen": lambda value: Screen(**value) if value else None,
}  # fmt: skip
