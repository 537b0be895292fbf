"""Cosignatures of a witness: C2SP tlog-cosignature, Ed25519 (signature type 0x04), with the time of signing."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.note import Note, NoteError, Signature, parse_note

_KIND = b"\x04"
_STAMP_BYTES = 8
_LENGTH = _STAMP_BYTES + 64


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness' public key and its name, written like any C2SP verifier key: `name+keyid+base64`."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if not name or raw[:1] != _KIND or len(raw) != 33:
            raise NoteError("A witness' key looks like NAME+0a1b2c3d+BASE64, for Ed25519 cosignatures (type 4).")
        key = cls(name, raw[1:])
        if key_id != key.key_id.hex():
            raise NoteError(f"The key of witness {name} is damaged: its id does not belong to it.")
        return key

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _KIND + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_KIND + self.public_key).decode()}"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A good one: the line as it came, and when the witness signed (POSIX seconds)."""

    line: str
    at: int


def cosigned_text(note: Note, at: int) -> bytes:
    """What a witness signs."""
    return f"cosignature/v1\ntime {at}\n{note.text}".encode()


def find_cosignature(note: str, lines: str, key: WitnessKey) -> Cosignature:
    """That of this witness among the lines it answered; others are passed over. Raises NoteError."""
    told = parse_note(note)
    for each in parse_note(note + lines).signatures[len(told.signatures) :]:
        if (each.name, each.key_id) == (key.name, key.key_id):
            return _verified(told, each, key)
    raise NoteError(f"The answer holds no cosignature of {key.name}.")


def _verified(note: Note, line: Signature, key: WitnessKey) -> Cosignature:
    at = int.from_bytes(line.signature[:_STAMP_BYTES], "big")
    if len(line.signature) != _LENGTH or not 0 < at < 1 << 63:
        raise NoteError(f"The cosignature of {key.name} is not of the form that its key is for.")
    try:
        public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
        public_key.verify(line.signature[_STAMP_BYTES:], cosigned_text(note, at))
    except InvalidSignature:
        raise NoteError(f"The cosignature of {key.name} is not over this checkpoint.") from None
    return Cosignature(str(line), at)
