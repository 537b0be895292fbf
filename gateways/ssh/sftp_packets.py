"""SFTP's packets out of bytes, and the fields of one. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

LONGEST = 256 * 1024  # bytes of a packet; OpenSSH takes no longer one either
LONGEST_DATA = LONGEST + (4 << 20)  # and of one that carries a file's content: others say that they take so much
WRITE, DATA = 6, 103  # those that carry one
_UINT = Struct(">I")


class NotSftp(Exception):
    """Somebody speaks something else; the text says in what it differs."""


class Reader:
    """Fields of one packet, in order."""

    def __init__(self, packet: memoryview) -> None:
        self._packet = packet
        self._at = 0

    def bytes(self) -> memoryview:
        size = self.uint()
        return self._take(size)

    def uint(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def ulong(self) -> int:
        return int.from_bytes(self._take(8), "big")

    def _take(self, size: int) -> memoryview:
        start, self._at = self._at, self._at + size
        if self._at > len(self._packet):
            raise NotSftp("a packet that is shorter than it says")
        return self._packet[start : self._at]


class Packets:
    """Whole packets out of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, Reader]]:
        """Kind and fields. To be read to its end before the next call. Raises NotSftp."""
        self._buffer += data
        start, end = 0, len(self._buffer)
        with memoryview(self._buffer) as view:
            while end - start >= 5:
                (size,) = _UINT.unpack_from(view, start)
                longest = LONGEST_DATA if view[start + 4] in (WRITE, DATA) else LONGEST
                if not 1 <= size <= longest:
                    raise NotSftp(f"a packet of {size} bytes")
                if end - start < 4 + size:
                    break
                with view[start + 5 : start + 4 + size] as body:
                    yield view[start + 4], Reader(body)
                start += 4 + size
        del self._buffer[:start]
