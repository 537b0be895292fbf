"""Reading and making the few messages that a gateway has to understand. What is not here passes through unread.

Format: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct, pack
from struct import error as TooShort  # noqa: N812 (what it means here)
from typing import Final

import msgspec

from gateways.postgres.frames import NotTheProtocol

# Client to server
BIND: Final[int] = ord("B")
CALL: Final[int] = ord("F")
CLOSE: Final[int] = ord("C")
COPY_DATA: Final[int] = ord("d")  # in both directions, as the next one
COPY_DONE: Final[int] = ord("c")
COPY_FAIL: Final[int] = ord("f")
DESCRIBE: Final[int] = ord("D")
EXECUTE: Final[int] = ord("E")
FLUSH: Final[int] = ord("H")
PARSE: Final[int] = ord("P")
PASSWORD: Final[int] = ord("p")
QUERY: Final[int] = ord("Q")
SYNC: Final[int] = ord("S")
TERMINATE: Final[int] = ord("X")

# Server to client; several letters mean something else in the other direction
AUTHENTICATION: Final[int] = ord("R")
BOUND: Final[int] = ord("2")
CALLED: Final[int] = ord("V")
CLOSED: Final[int] = ord("3")
COLUMNS: Final[int] = ord("T")
COMPLETE: Final[int] = ord("C")
COPY_BOTH: Final[int] = ord("W")
COPY_IN: Final[int] = ord("G")
COPY_OUT: Final[int] = ord("H")
EMPTY: Final[int] = ord("I")
ERROR: Final[int] = ord("E")
KEY_DATA: Final[int] = ord("K")
NO_COLUMNS: Final[int] = ord("n")
NOTICE: Final[int] = ord("N")
PARAMETER: Final[int] = ord("S")
PARSED: Final[int] = ord("1")
READY: Final[int] = ord("Z")
ROW: Final[int] = ord("D")
SUSPENDED: Final[int] = ord("s")

TEXT, BINARY = 0, 1
LONGEST_NAME = 63  # bytes
LONGEST_VALUE = 8192  # bytes of one bound value that are kept
_short, _signed = Struct(">H").unpack_from, Struct(">i").unpack_from


class Parse(msgspec.Struct, frozen=True):
    """A statement that is given a name; the empty name is used up by the next one."""

    name: str
    text: str
    size: int  # bytes of the text, as far as it is held


class Bind(msgspec.Struct, frozen=True):
    """A named statement with its values, as people read them, under the name of a portal. Binary ones are in hex, of
    long ones there is the beginning; where not all could be read, the last one is `…`.
    """

    portal: str
    statement: str
    values: tuple[str, ...]


class Failure(msgspec.Struct, frozen=True):
    """An ErrorResponse: severity that no language changes, SQLSTATE, and the message."""

    severity: str
    code: str
    message: str


def text_of(payload: bytes) -> str:
    """The zero-ended text that a payload begins with; a payload that was cut ends where it was cut."""
    return payload.partition(b"\0")[0].decode("utf-8", "replace")


def named(name: bytes) -> str:
    """A statement's or portal's, as PostgreSQL tells them apart (NAMEDATALEN): by so many bytes. Not for people."""
    return name[:LONGEST_NAME].decode("latin-1")


def portal_of(payload: bytes) -> str:
    """The name that an Execute begins with."""
    return named(payload.partition(b"\0")[0])


def parse_of(payload: bytes) -> Parse:
    name, _, rest = payload.partition(b"\0")
    text = rest.partition(b"\0")[0]
    return Parse(named(name), text.decode("utf-8", "replace"), len(text))


def bind_of(payload: bytes) -> Bind:
    """Raises NotTheProtocol only where not even the names can be read: the values may have been cut."""
    portal, found, rest = payload.partition(b"\0")
    statement, more, rest = rest.partition(b"\0")
    if not (found and more):
        raise NotTheProtocol("a Bind without names")
    values: list[str] = []
    try:
        _read_values(rest, values)
    except (TooShort, IndexError):
        values.append("…")
    return Bind(named(portal), named(statement), tuple(values))


def _read_values(rest: bytes, values: list[str]) -> None:
    (formats,) = _short(rest, 0)
    codes = [_short(rest, 2 + 2 * number)[0] for number in range(formats)]
    at = 4 + 2 * formats
    (count,) = _short(rest, at - 2)
    for number in range(count):
        (size,) = _signed(rest, at)
        at += 4
        if size < 0:
            values.append("NULL")
            continue
        data = rest[at : at + (size if size < LONGEST_VALUE else LONGEST_VALUE)]
        if len(data) < size and len(data) < LONGEST_VALUE:
            raise IndexError(number)
        code = (codes[number] if formats > 1 else codes[0]) if formats else TEXT
        shown = "\\x" + data.hex() if code == BINARY else data.decode("utf-8", "replace")
        values.append(shown if size == len(data) else f"{shown}… ({size} bytes)")
        at += size


def name_of(payload: bytes) -> tuple[str, str]:
    """Of Close and Describe: `S` or `P`, and the name of the statement or portal."""
    return chr(payload[0]) if payload else "", portal_of(payload[1:])


def failure_of(payload: bytes) -> Failure:
    fields = {chr(part[0]): part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}
    return Failure(fields.get("V", fields.get("S", "")), fields.get("C", ""), fields.get("M", ""))


@lru_cache(maxsize=1024)
def tag_of(payload: bytes) -> tuple[str, int | None]:
    """A command tag, and how many rows it counts: `INSERT 0 5`, `SELECT 3`, `COPY 7`; None where it counts none."""
    tag = text_of(payload)
    last = tag.rpartition(" ")[2]
    return tag, int(last) if last.isascii() and last.isdigit() else None


# Making


def message(kind: int, payload: bytes = b"") -> bytes:
    return bytes((kind,)) + pack(">I", len(payload) + 4) + payload


def error(code: str, text: str, *, severity: str = "FATAL", hint: str = "") -> bytes:
    """An ErrorResponse; with severity FATAL the connection is to be closed after it."""
    return message(ERROR, _fields(severity, code, text, hint))


def notice(text: str, *, hint: str = "") -> bytes:
    """A NoticeResponse, which every client shows or ignores, whatever it is doing."""
    return message(NOTICE, _fields("NOTICE", "00000", text, hint))


def _fields(severity: str, code: str, text: str, hint: str) -> bytes:
    told = {"S": severity, "V": severity, "C": code, "M": text, "H": hint}
    return b"".join(f"{key}{value}\0".encode() for key, value in told.items() if value) + b"\0"
