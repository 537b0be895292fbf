"""Private texts beside the log: each under a key of its own, which can be destroyed while the log still verifies.

The log holds the commitment SHA-256(salt || text). Salt and text are first masked with a one-time key stream,
SHAKE-256 of the text's own 32 random bytes (FIPS 202: an extendable-output function of a fresh 256-bit seed), then
encrypted by AES-256-GCM (SP 800-38D, random 96-bit nonce) under the installation's payload key, which is not in the
database, with the commitment as associated data. Both are needed to read, and each alone says nothing:

- Whoever has the database has the own key, but not the payload key: the text is under AES-256-GCM.
- Whoever has the payload key, and the database after an erasure, is left with text xor stream, and of the stream's
  seed nothing is left: as in any key wrapping, but that the own key lies beside the text instead of around it.
  A seed is used once, so two streams are never compared.
- An altered ciphertext or commitment fails the tag. An altered own key gives another text, and that fails the
  commitment, which is looked at whenever a text is opened and which the log itself holds.

One AEAD under a key that is set up once costs two thirds of two, one of them under a key new for each text. Random
nonces are good for 2^32 texts under one payload key. Without the salt nobody can try guesses against the commitment.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = 32  # bytes, of the payload key and of each text's own
_SALT = 16
_NONCE = 12
_RANDOM = Struct(f"{_SALT}s{KEY}s{_NONCE}s")


class SealedText(NamedTuple):
    """What is stored of one private text. `wrapped_key`, the text's own key, is None after erasure."""

    commitment: bytes
    ciphertext: bytes
    wrapped_key: bytes | None


class OpenedText(NamedTuple):
    """A private text and the salt that proves it against its commitment."""

    salt: bytes
    text: str


class PayloadKey:
    """The installation's key for private texts: 32 bytes. It is never shown."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY:
            raise ValueError(f"a payload key has {KEY} bytes")
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "PayloadKey(…)"

    def seal(self, text: str) -> SealedText:
        """A fresh salt and key each time: equal texts cannot be told to be equal."""
        return self.sealing(1)(text)

    def sealing(self, count: int) -> Callable[[str], SealedText]:
        """`seal` for about so many texts, for whose randomness the system is asked at once. Not to be kept."""
        draws, sha256, encrypt, masked = _draws(count), hashlib.sha256, self._cipher.encrypt, _masked

        def seal(text: str) -> SealedText:
            salt, own, nonce = next(draws)
            plain = salt + text.encode()
            commitment = sha256(plain).digest()
            return SealedText(commitment, nonce + encrypt(nonce, masked(plain, own), commitment), own)

        return seal

    def open(self, sealed: SealedText) -> OpenedText | None:
        """None where it was erased, or was not sealed by this key, or does not match its commitment."""
        if sealed.wrapped_key is None:
            return None
        nonce, encrypted = sealed.ciphertext[:_NONCE], sealed.ciphertext[_NONCE:]
        try:
            plain = _masked(self._cipher.decrypt(nonce, encrypted, sealed.commitment), sealed.wrapped_key)
        except (InvalidTag, ValueError):
            return None
        if hashlib.sha256(plain).digest() != sealed.commitment:
            return None
        return OpenedText(plain[:_SALT], plain[_SALT:].decode())


def _draws(count: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    while True:
        yield from _RANDOM.iter_unpack(os.urandom(_RANDOM.size * count))


def _masked(text: bytes, own: bytes) -> bytes:
    """Done twice, it is the text again."""
    size = len(text)
    stream = hashlib.shake_256(own).digest(size)
    return (int.from_bytes(text) ^ int.from_bytes(stream)).to_bytes(size)
