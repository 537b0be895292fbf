"""Receipts: one line that a person can keep, and hold against the log later.

It says: at `size` entries the tree had this root, and entry `seq` had this leaf hash. Whoever holds one notices when
the log is rewritten, whoever rewrites it. Written `PA1:<origin>:<size>:<root>:<seq>:<leaf>`, hashes as base64url
without padding.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Self

from access.errors import BadInput
from audit.merkle import HASH_BYTES

_KIND = "PA1"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one receipt says. Only the log, or a signed checkpoint with a proof, can tell whether it is so."""

    origin: str
    size: int
    root: bytes
    seq: int
    leaf: bytes

    def __str__(self) -> str:
        return f"{_KIND}:{self.origin}:{self.size}:{_encoded(self.root)}:{self.seq}:{_encoded(self.leaf)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadInput."""
        kind, _, rest = text.strip().partition(":")
        parts = rest.rsplit(":", 4)  # from the right: an origin may have a port in it
        if kind != _KIND or len(parts) != 5 or not parts[0]:
            raise _bad("It begins with PA1: and has six parts, with colons between them.")
        origin, size, root, seq, leaf = parts
        receipt = cls(origin, _number(size), _decoded(root), _number(seq), _decoded(leaf))
        if receipt.seq >= receipt.size:
            raise _bad("Its entry would come after the end of its own log.")
        return receipt


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _bad("Its size and its entry are plain numbers.")
    return int(text)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """The one spelling that `_encoded` gives, and no other."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad("A part of it was lost or changed in copying.") from error
    if len(raw) != HASH_BYTES or _encoded(raw) != text:
        raise _bad("A part of it was lost or changed in copying.")
    return raw


def _bad(why: str) -> BadInput:
    return BadInput(f"This is not a receipt. {why} Copy the whole line again.", field="receipt")
