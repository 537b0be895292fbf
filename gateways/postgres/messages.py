"""Reading and making the few messages that a gateway has to understand. What is not here passes through unread.

Format: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import error as TooShort  # noqa: N812 (what it means here)
from struct import pack, unpack_from

from gateways.postgres.frames import NotTheProtocol

# Client to server
BIND, CLOSE, COPY_DATA, COPY_DONE, COPY_FAIL = b"BCdcf"
DESCRIBE, EXECUTE, FLUSH, CALL, PARSE = b"DEHFP"
PASSWORD, QUERY, SYNC, TERMINATE = b"pQSX"

# Server to client; several letters mean something else in the other direction
AUTHENTICATION, KEY_DATA, COMPLETE, ERROR, COPY_IN = b"RKCEG"
COPY_OUT, COPY_BOTH, EMPTY, NOTICE, SUSPENDED = b"HWINs"
READY, ROW, PARSED, BOUND, CLOSED, PARAMETER, CALLED = b"ZD123SV"
COLUMNS, NO_COLUMNS = b"Tn"

TEXT, BINARY = 0, 1
LONGEST_VALUE = 8192  # bytes of one bound value that are kept


@dataclass(frozen=True, slots=True)
class Parse:
    """A statement that is given a name; the empty name is used up by the next one."""

    name: str
    text: str
    size: int  # bytes of the text, as far as it is held


@dataclass(frozen=True, slots=True)
class Value:
    """One bound parameter. `data` holds its first bytes; None is SQL's NULL."""

    data: bytes | None
    size: int
    binary: bool

    def __str__(self) -> str:
        if self.data is None:
            return "NULL"
        shown = "\\x" + self.data.hex() if self.binary else self.data.decode("utf-8", "replace")
        return shown if self.size == len(self.data) else f"{shown}… ({self.size} bytes)"


@dataclass(frozen=True, slots=True)
class Bind:
    """A named statement with its values, under the name of a portal. `whole`: all values could be read."""

    portal: str
    statement: str
    values: tuple[Value, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """An ErrorResponse: severity that no language changes, SQLSTATE, and the message."""

    severity: str
    code: str
    message: str


def text_of(payload: bytes) -> str:
    """The zero-ended text that a payload begins with; a payload that was cut ends where it was cut."""
    return payload.partition(b"\0")[0].decode("utf-8", "replace")


def parse_of(payload: bytes) -> Parse:
    name, _, rest = payload.partition(b"\0")
    text = rest.partition(b"\0")[0]
    return Parse(name.decode("utf-8", "replace"), text.decode("utf-8", "replace"), len(text))


def bind_of(payload: bytes) -> Bind:
    """Raises NotTheProtocol only where not even the names can be read: the values may have been cut."""
    portal, found, rest = payload.partition(b"\0")
    statement, more, rest = rest.partition(b"\0")
    if not (found and more):
        raise NotTheProtocol("a Bind without names")
    values: list[Value] = []
    whole = True
    try:
        _read_values(rest, values)
    except (TooShort, IndexError):
        whole = False
    return Bind(portal.decode("utf-8", "replace"), statement.decode("utf-8", "replace"), tuple(values), whole)


def _read_values(rest: bytes, values: list[Value]) -> None:
    (formats,) = unpack_from(">H", rest)
    codes = unpack_from(f">{formats}H", rest, 2)
    at = 2 + 2 * formats
    (count,) = unpack_from(">H", rest, at)
    at += 2
    for number in range(count):
        (size,) = unpack_from(">i", rest, at)
        at += 4
        code = (codes[number] if formats > 1 else codes[0]) if formats else TEXT
        data = None if size < 0 else rest[at : at + min(size, LONGEST_VALUE)]
        if data is not None and len(data) < min(size, LONGEST_VALUE):
            raise IndexError(number)
        values.append(Value(data, max(size, 0), binary=code == BINARY))
        at += max(size, 0)


def name_of(payload: bytes) -> tuple[str, str]:
    """Of Close and Describe: `S` or `P`, and the name of the statement or portal."""
    return chr(payload[0]) if payload else "", text_of(payload[1:])


def failure_of(payload: bytes) -> Failure:
    fields = {chr(part[0]): part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}
    return Failure(fields.get("V", fields.get("S", "")), fields.get("C", ""), fields.get("M", ""))


def rows_of(tag: str) -> int | None:
    """How many rows a command tag counts: `INSERT 0 5`, `SELECT 3`, `COPY 7`; None where it counts none."""
    last = tag.rpartition(" ")[2]
    return int(last) if last.isascii() and last.isdigit() else None


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
