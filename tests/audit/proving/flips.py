"""Every bit of some bytes, turned over one at a time."""

from __future__ import annotations

from collections.abc import Iterator


def flips(raw: bytes) -> Iterator[bytes]:
    """As many as there are bits."""
    for at in range(len(raw)):
        before, byte, behind = raw[:at], raw[at], raw[at + 1 :]
        for bit in range(8):
            yield b"%b%c%b" % (before, byte ^ 1 << bit, behind)


def flipped(raw: bytes, bit: int) -> bytes:
    """One of them."""
    at, shift = divmod(bit, 8)
    return b"%b%c%b" % (raw[:at], raw[at] ^ 1 << shift, raw[at + 1 :])
