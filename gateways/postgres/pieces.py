"""A stream cut so that messages of some kinds come whole and alone; all others pass on as they come."""

from __future__ import annotations

from struct import Struct

from gateways.postgres.frames import LONGEST, NotTheProtocol

_HEADER = 5
_LENGTH = 4  # bytes that a message's length counts for itself
MOST_WHOLE = 16 << 20  # bytes of a message that has to be held whole
_length_at = Struct(">I").unpack_from


class Pieces:
    """One direction of a connection, from its first message on."""

    def __init__(self, whole: frozenset[int]) -> None:
        self._whole = whole
        self._held = bytearray()
        self._streams = 0  # bytes still to come of a message that passes on as it comes

    def __len__(self) -> int:
        return len(self._held)

    def feed(self, data: bytes) -> None:
        self._held += data

    def next(self) -> tuple[int, bytes] | None:
        """A message that was wanted whole, with its kind; or whatever stands before the next one, as kind 0.

        Raises NotTheProtocol.
        """
        held = self._held
        at = min(self._streams, len(held))
        self._streams -= at
        while not self._streams and len(held) - at >= _HEADER:
            kind, (length,) = held[at], _length_at(held, at + 1)
            if not _LENGTH <= length <= LONGEST:
                raise NotTheProtocol(f"a message of kind {kind} cannot have {length - _LENGTH} bytes")
            if kind in self._whole:
                return self._take(at) if at else self._message(kind, length)
            taken = min(1 + length, len(held) - at)
            self._streams = 1 + length - taken
            at += taken
        return self._take(at) if at else None

    def _message(self, kind: int, length: int) -> tuple[int, bytes] | None:
        if length > MOST_WHOLE:
            raise NotTheProtocol(f"a message of {length} bytes, where statements may have to be approved")
        return (kind, self._take(1 + length)[1]) if len(self._held) > length else None

    def _take(self, size: int) -> tuple[int, bytes]:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return 0, taken
