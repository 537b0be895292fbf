"""Checkpoints as signed notes: what is signed, what is written down, and whether to believe it.

C2SP tlog-checkpoint in a C2SP signed-note, Ed25519 (signature type 0x01). Ours have no extension lines, and one that
has any is refused: nobody audits them. Nothing here holds a private key; signing is given as bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.merkle import HASH_BYTES

_ED25519 = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 4
_MOST_SIGNATURES = 100
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class NoteError(Exception):
    """A note or a verifier key that is not to be believed; `str()` is a sentence."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `key_id` is 4 bytes; what `signature` holds depends on the kind of key."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {_encoded(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint as it was read. Nothing in it is true before `verify`."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[Signature, ...]

    @property
    def text(self) -> str:
        """What the signatures are over."""
        return note_text(self.origin, self.size, self.root)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 public key and the name it signs under, written `name+keyid+base64`."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public_key) != _KEY_BYTES:
            raise NoteError(f"An Ed25519 public key is 32 bytes long; that of {self.name} is {len(self.public_key)}.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        if not encoded:
            raise NoteError("A verifier key looks like NAME+0a1b2c3d+BASE64; this text does not.")
        kind_and_key = _decoded(encoded)
        if kind_and_key[:1] != _ED25519:
            raise NoteError(f"The verifier key of {name} is not an Ed25519 key, and no other kind is understood.")
        key = cls(name, kind_and_key[1:])
        if key_id != key.key_id.hex():
            raise NoteError(f"The verifier key of {name} is damaged: its id does not belong to it.")
        return key

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_encoded(_ED25519 + self.public_key)}"


def note_text(origin: str, size: int, root: bytes) -> str:
    """The three lines that are signed, as UTF-8. Raises NoteError when they would not read back."""
    _check_name(origin)
    if not _SIZE.fullmatch(str(size)):
        raise NoteError(f"A log has from 0 to 10^19 - 1 entries, not {size}.")
    if len(root) != HASH_BYTES:
        raise NoteError(f"A root is 32 bytes long; this one has {len(root)}.")
    return f"{origin}\n{size}\n{_encoded(root)}\n"


def signed(text: str, name: str, key_id: bytes, signature: bytes) -> str:
    """The note: the text of `note_text` with a signature over it."""
    _check_name(name)
    return f"{text}\n{Signature(name, key_id, signature)}\n"


def parse_note(text: str) -> Note:
    """Raises NoteError. Says nothing about whether the signatures are good: `verify` does."""
    _check_characters(text)
    body, blank, lines = text.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteError("A note is a text, an empty line and signature lines; this one is not whole.")
    origin, size, root = _head(body)
    signatures = lines.removesuffix("\n").split("\n")
    if len(signatures) > _MOST_SIGNATURES:
        raise NoteError(f"The note has {len(signatures)} signatures; no more than {_MOST_SIGNATURES} are read.")
    return Note(origin, size, root, tuple(_signature(line) for line in signatures))


def verify(note: Note, keys: Sequence[VerifierKey]) -> None:
    """Check that a key of the note's own origin signed it. Raises NoteError.

    Signatures of unknown keys are passed over, as the standard demands; a bad one of a known key spoils the note.
    """
    known = {(key.name, key.key_id): key for key in keys}
    signers = set()
    for each in note.signatures:
        key = known.get((each.name, each.key_id))
        if key is not None:
            _check_signature(key, each, note.text)
            signers.add(key.name)
    if note.origin not in signers:
        raise NoteError(f"The checkpoint of {note.origin} is not signed by a key that is trusted for it.")


def _check_signature(key: VerifierKey, line: Signature, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(line.signature, text.encode())
    except InvalidSignature as error:
        raise NoteError(f"The signature of {key.name} is not over this text: the checkpoint was altered.") from error


def _head(body: str) -> tuple[str, int, bytes]:
    lines = body.split("\n")
    if len(lines) != 3:
        raise NoteError("A checkpoint has three lines: origin, size and root; this text has more or fewer.")
    origin, size, root = lines
    _check_name(origin)
    if not _SIZE.fullmatch(size):
        raise NoteError("The second line of a checkpoint is the log's size, a plain number; this one is not.")
    hashed = _decoded(root)
    if len(hashed) != HASH_BYTES:
        raise NoteError(f"The root in a checkpoint is 32 bytes long; this one has {len(hashed)}.")
    return origin, int(size), hashed


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or not encoded:
        raise NoteError("A signature line is a dash, a name and a signature; one of these lines is not.")
    _check_name(name)
    raw = _decoded(encoded)
    if len(raw) <= _ID_BYTES:
        raise NoteError(f"The signature line of {name} holds no signature.")
    return Signature(name, raw[:_ID_BYTES], raw[_ID_BYTES:])


def _check_characters(text: str) -> None:
    if _CONTROL.search(text):
        raise NoteError("A note has no control characters but newlines; this one has others.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("A note is UTF-8 text; this one is not.") from error


def _check_name(name: str) -> None:
    _check_characters(name)
    if not name or "+" in name or any(c.isspace() for c in name):
        raise NoteError(f"A log's or key's name is not empty and has no spaces and no plus sign, unlike {name[:60]!r}.")


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decoded(text: str) -> bytes:
    """Standard base64, and only in its one canonical spelling."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("The note or key holds text that is not base64.") from error
    if _encoded(raw) != text:
        raise NoteError("The note or key holds base64 that is not in its canonical form.")
    return raw
