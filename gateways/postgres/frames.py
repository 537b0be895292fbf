"""Cutting a stream of bytes into protocol messages, without ever holding back or copying what is not of interest.

Format: https://www.postgresql.org/docs/current/protocol-message-formats.html: one byte of kind, four of length (which
counts itself), payload. Rows and COPY data are most of a stream; they are counted and skipped by their length.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import Any

_HEADER = Struct(">BI")
_LENGTH = 4  # bytes that a message's length counts for itself
_LONGEST = 0x3FFFFFFF  # PostgreSQL itself takes no message of a gibibyte


class NotTheProtocol(Exception):
    """The bytes cannot be messages. Nothing after them means anything, so the connection has to end."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `payload` holds its first bytes, `size` says how many there were; `digest` is SHA-256 of all of
    them, in hex, where they are not all held. Of what is only counted, `count` messages stand in one frame.
    """

    kind: int
    size: int
    payload: bytes = b""
    digest: str = ""
    count: int = 1


class Frames:
    """One direction of a connection. `kept` are the kinds whose payload is wanted, up to `most` bytes of it."""

    def __init__(self, kept: Collection[int], most: int = 1 << 20) -> None:
        self._kept = frozenset(kept)
        self._most = most
        self._head = b""  # the beginning of a header
        self._kind = 0
        self._size = 0
        self._left = 0  # bytes of the current payload that have not come yet
        self._payload = bytearray()
        self._hash: Any = None  # of a payload that is too long to be held

    @property
    def at_boundary(self) -> bool:
        """Whether a message may be put in here."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> list[Frame]:
        """The messages that end within these bytes, in order. Raises NotTheProtocol."""
        found: list[Frame] = []
        at = self._go_on(data, found) if self._left else 0
        if self._head:
            data, at, self._head = self._head + data[at:], 0, b""
        end = len(data)
        while at + _HEADER.size <= end and not self._left:
            at = self._take(data, at, found)
        if not self._left:
            self._head = data[at:]
        return found

    def _take(self, data: bytes, at: int, found: list[Frame]) -> int:
        kind, size = _read(data, at)
        start = at + _HEADER.size
        end = start + size
        if kind not in self._kept:
            return self._skip(data, at, found)
        if end <= len(data) and size <= self._most:
            found.append(Frame(kind, size, data[start:end]))
            return end
        self._begin(kind, size, data[start:end], max(0, end - len(data)))
        if not self._left:
            self._finish(found)
        return min(end, len(data))

    def _skip(self, data: bytes, at: int, found: list[Frame]) -> int:
        """As many messages as stand in a row of a kind that is only counted."""
        kind, count, total, stop = data[at], 0, 0, len(data)
        while at + _HEADER.size <= stop and data[at] == kind:
            size = _read(data, at)[1]
            end = at + _HEADER.size + size
            if end > stop:
                self._begin(kind, size, b"", end - stop)
                at = stop
                break
            at, count, total = end, count + 1, total + size
        if count:
            found.append(Frame(kind, total, count=count))
        return at

    def _begin(self, kind: int, size: int, first: bytes, left: int) -> None:
        self._kind, self._size, self._left = kind, size, left
        self._payload = bytearray()
        self._hash = sha256() if size > self._most and kind in self._kept else None
        self._hold(first)

    def _go_on(self, data: bytes, found: list[Frame]) -> int:
        taken = min(self._left, len(data))
        if self._kind in self._kept:
            self._hold(data[:taken])
        self._left -= taken
        if not self._left:
            self._finish(found)
        return taken

    def _hold(self, part: bytes) -> None:
        if self._hash is not None:
            self._hash.update(part)
        room = self._most - len(self._payload)
        if room > 0:
            self._payload += part[:room]

    def _finish(self, found: list[Frame]) -> None:
        if self._kind not in self._kept:
            found.append(Frame(self._kind, self._size))
            return
        digest = self._hash.hexdigest() if self._hash is not None else ""
        found.append(Frame(self._kind, self._size, bytes(self._payload), digest))
        self._payload, self._hash = bytearray(), None


def _read(data: bytes, at: int) -> tuple[int, int]:
    """Kind and size of the message whose header stands there."""
    kind, length = _HEADER.unpack_from(data, at)
    size = length - _LENGTH
    if not 0 <= size <= _LONGEST:
        raise NotTheProtocol(f"a message of kind {kind} cannot have {size} bytes")
    return kind, size
