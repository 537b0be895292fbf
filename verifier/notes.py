"""Checkpoints as C2SP signed notes, the keys that sign them, receipts, and cosignatures of witnesses."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG, WITNESS = 0x01, 0x04  # C2SP algorithm bytes: Ed25519 over the text, Ed25519 over time and text
_MARK = "— "
_FROM_URL = str.maketrans("-_", "+/")


class Malformed(ValueError):
    """A text that is not what it should be, with a sentence that says what it lacks."""


@dataclass(frozen=True, slots=True)
class Key:
    """Somebody who signs. As text: `<name>+<key id, 8 hex>+<base64 of the algorithm byte and 32 key bytes>`."""

    name: str
    id: bytes
    kind: int
    public: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> Key:
        try:
            name, id_hex, rest = text.strip().split("+", 2)
            raw = _base64(rest)
        except ValueError:
            raise Malformed(f"“{text.strip()[:60]}” is no verifier key. They look like name+1a2b3c4d+AbCd…") from None
        if len(raw) != 33 or raw[0] not in (LOG, WITNESS):
            raise Malformed(f"the key of {name} is not an Ed25519 key")
        key_id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if id_hex != key_id.hex():
            raise Malformed(f"the key of {name} does not match its id {id_hex}: it was copied wrongly")
        return cls(name, key_id, raw[0], Ed25519PublicKey.from_public_bytes(raw[1:]))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One signed statement: the log of this origin had this size and this root."""

    origin: str
    size: int
    root: bytes
    text: str  # what the signatures are over
    signatures: tuple[tuple[str, bytes, bytes], ...]  # name, key id, signature

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise Malformed("this is no signed note: a blank line and signature lines are missing")
        try:
            origin, size, root = text.split("\n")
            raw, number = _base64(root), int(size)
        except ValueError:
            raise Malformed("this is no checkpoint: origin, size and root are expected, one a line") from None
        if not origin or len(raw) != 32 or str(number) != size or number < 0:
            raise Malformed("this is no checkpoint: origin, size and root are expected, one a line")
        return cls(origin, number, raw, text + "\n", signature_lines(lines))

    def is_signed_by(self, keys: Sequence[Key]) -> bool:
        """Whether one of the log's keys signed it. A line that claims to be of such a key and is not, spoils it."""
        mine = [(key, sig) for name, id_, sig in self.signatures for key in keys if (key.name, key.id) == (name, id_)]
        return bool(mine) and all(key.kind == LOG and _holds(key, sig, self.text.encode()) for key, sig in mine)

    def cosigned_at(self, lines: str, key: Key) -> int | None:
        """Seconds since the epoch at which the witness saw it, 0 when its line is false, None without its line."""
        for name, key_id, blob in signature_lines(lines):
            if (name, key_id) == (key.name, key.id) and key.kind == WITNESS:
                at = int.from_bytes(blob[:8])
                message = f"cosignature/v1\ntime {at}\n{self.text}".encode()
                return at if len(blob) == 72 and _holds(key, blob[8:], message) else 0
        return None


@dataclass(frozen=True, slots=True)
class Receipt:
    """`PA1:<origin>:<size>:<root>:<seq>:<leaf>`: what somebody was told about one entry when it was written."""

    origin: str
    size: int
    root: bytes
    seq: int
    leaf: bytes

    @classmethod
    def parse(cls, text: str) -> Receipt:
        try:
            mark, *origin, size, root, seq, leaf = text.strip().split(":")
            receipt = cls(":".join(origin), int(size), _url64(root), int(seq), _url64(leaf))
        except ValueError:
            raise Malformed("this is no receipt. They look like PA1:origin:size:root:seq:leaf") from None
        if mark != "PA1" or not 0 <= receipt.seq < receipt.size:
            raise Malformed("this is no receipt. They look like PA1:origin:size:root:seq:leaf")
        return receipt


def signature_lines(text: str) -> tuple[tuple[str, bytes, bytes], ...]:
    """(name, key id, signature) of each `— name base64` line."""
    found = []
    for line in text.removesuffix("\n").split("\n"):
        name, _, blob = line.removeprefix(_MARK).rpartition(" ")
        try:
            raw = _base64(blob)
        except ValueError:
            raw = b""
        if not line.startswith(_MARK) or not name or len(raw) < 5:
            raise Malformed(f"this is no signature line: {line[:60]!r}")
        found.append((name, raw[:4], raw[4:]))
    return tuple(found)


def _holds(key: Key, signature: bytes, message: bytes) -> bool:
    try:
        key.public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _url64(text: str) -> bytes:
    raw = _base64(text.translate(_FROM_URL) + "=" * (-len(text) % 4))
    if len(raw) != 32 or {"+", "/"} & set(text):
        raise ValueError
    return raw


def _base64(text: str) -> bytes:
    """Only in its one canonical spelling: otherwise a bit of it could be toggled unseen. Raises ValueError."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError
    return raw
