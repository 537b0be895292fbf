"""Cutting a stream of bytes into protocol messages, without ever holding back or copying what is not of interest.

Format: https://www.postgresql.org/docs/current/protocol-message-formats.html: one byte of kind, four of length (which
counts itself), payload. Rows and COPY data are most of a stream; they are counted and skipped by their length.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from hashlib import sha256
from struct import Struct
from typing import Any

import msgspec

_HEADER = 5
_LENGTH = 4  # bytes that a message's length counts for itself
LONGEST = 0x3FFFFFFF + _LENGTH  # PostgreSQL itself takes no message of a gibibyte
_length_at = Struct(">I").unpack_from


class NotTheProtocol(Exception):
    """The bytes cannot be messages. Nothing after them means anything, so the connection has to end."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message. `payload` holds its first bytes, `size` says how many there were; `digest` is SHA-256 of all of
    them, in hex, where they are not all held. Of what is only counted, `count` messages stand in one frame.
    """

    kind: int
    size: int
    payload: bytes = b""
    digest: str = ""
    count: int = 1


Cut = Callable[[bytes, int, bytes, int, type[Frame], list[Frame]], int]


def cut(  # noqa: PLR0913, PLR0917 (the shape of the compiled one, which is called as seldom as can be)
    data: bytes, at: int, kept: bytes, most: int, frame: type[Frame], found: list[Frame]
) -> int:
    """Add the whole messages from `at` on to `found`; where they end. `kept` has a flag for each of the 256 kinds.

    It ends before what is not whole, cannot be, or is kept and longer than `most`: that is for somebody else.
    """
    end = len(data)
    while end - at >= _HEADER:
        kind, start, count = data[at], at, 0
        while end - at >= _HEADER and data[at] == kind:
            (length,) = _length_at(data, at + 1)
            if not _LENGTH <= length <= LONGEST or length > end - at - 1:
                break
            if kept[kind] and (count or length - _LENGTH > most):
                break
            at += 1 + length
            count += 1
        if not count:
            break
        payload = data[start + _HEADER : at] if kept[kind] else b""
        found.append(frame(kind, at - start - _HEADER * count, payload, "", count))
    return at


try:
    from gateways.postgres._cut import cut as fastest
except ImportError:  # not compiled here
    fastest = cut
COMPILED = fastest is not cut


class Frames:
    """One direction of a connection. `kept` are the kinds whose payload is wanted, up to `most` bytes of it."""

    def __init__(self, kept: Collection[int], most: int = 1 << 20, cut: Cut = fastest) -> None:
        self._kept = bytes(kind in kept for kind in range(256))
        self._most = most
        self._cut = cut
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
        while True:
            at = self._cut(data, at, self._kept, self._most, Frame, found)
            if len(data) - at < _HEADER:
                self._head = data[at:]
                return found
            at = self._begin(data, at, found)

    def _begin(self, data: bytes, at: int, found: list[Frame]) -> int:
        """A message that has not come whole, or is too long to be held."""
        kind, (length,) = data[at], _length_at(data, at + 1)
        if not _LENGTH <= length <= LONGEST:
            raise NotTheProtocol(f"a message of kind {kind} cannot have {length - _LENGTH} bytes")
        first = data[at + _HEADER : at + 1 + length]
        self._kind, self._size = kind, length - _LENGTH
        self._left = self._size - len(first)
        self._payload = bytearray()
        self._hash = sha256() if self._kept[kind] and self._size > self._most else None
        self._hold(first)
        if not self._left:
            self._finish(found)
        return at + _HEADER + len(first)

    def _go_on(self, data: bytes, found: list[Frame]) -> int:
        taken = min(self._left, len(data))
        self._hold(data[:taken])
        self._left -= taken
        if not self._left:
            self._finish(found)
        return taken

    def _hold(self, part: bytes) -> None:
        if not self._kept[self._kind]:
            return
        if self._hash is not None:
            self._hash.update(part)
        room = self._most - len(self._payload)
        if room > 0:
            self._payload += part[:room]

    def _finish(self, found: list[Frame]) -> None:
        digest = self._hash.hexdigest() if self._hash is not None else ""
        found.append(Frame(self._kind, self._size, bytes(self._payload), digest))
        self._payload, self._hash = bytearray(), None
