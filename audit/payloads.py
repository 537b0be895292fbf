"""Private texts beside the log: each under a key of its own, which can be destroyed while the log still verifies.

The log holds the commitment SHA-256(salt || text). Salt and text are encrypted (AES-256-GCM) under a key that is used
for nothing else: BLAKE2b (RFC 7693) of a seed, keyed by the payload key. The seed is 32 random bytes and lies beside
the text; the payload key is the installation's, and is not in the database. Both are needed to read: a copy of the
database alone tells nothing, and once the seed is destroyed, so is the text, also for whoever has the payload key.
Without the salt nobody can try guesses against the commitment.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = 32  # bytes, of the payload key and of each text's own
_SALT = 16
_ONCE = bytes(12)  # a text's own key encrypts one message, so its nonce may be fixed
_RANDOM = Struct(f"{_SALT}s{KEY}s")


class SealedText(NamedTuple):
    """What is stored of one private text. `seed`, of its own key, is None after erasure."""

    commitment: bytes
    ciphertext: bytes
    seed: bytes | None


class OpenedText(NamedTuple):
    """A private text and the salt that proves it against its commitment."""

    salt: bytes
    text: str


class PayloadKey:
    """The installation's key for private texts: 32 bytes. It is never shown."""

    __slots__ = ("_key", "_keyed")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY:
            raise ValueError(f"a payload key has {KEY} bytes")
        self._key = key
        self._keyed = hashlib.blake2b(key=key, digest_size=KEY)

    def __repr__(self) -> str:
        return "PayloadKey(…)"

    def seal(self, text: str) -> SealedText:
        """A fresh salt and key each time: equal texts cannot be told to be equal."""
        return self.seal_all((text,))[0]

    def seal_all(self, texts: Sequence[str]) -> list[SealedText]:
        """In order. The system is asked for all their randomness at once."""
        sealed, own_key, sha256 = [], self._own_key, hashlib.sha256
        draws = _RANDOM.iter_unpack(os.urandom(_RANDOM.size * len(texts)))
        for text, (salt, seed) in zip(texts, draws, strict=True):
            plain = salt + text.encode()
            commitment = sha256(plain).digest()
            sealed.append(SealedText(commitment, own_key(seed).encrypt(_ONCE, plain, commitment), seed))
        return sealed

    def open(self, sealed: SealedText) -> OpenedText | None:
        """None where it was erased, or was not sealed by this key, or does not match its commitment."""
        if sealed.seed is None:
            return None
        try:
            plain = self._own_key(sealed.seed).decrypt(_ONCE, sealed.ciphertext, sealed.commitment)
        except (InvalidTag, ValueError):
            return None
        if hashlib.sha256(plain).digest() != sealed.commitment:
            return None
        return OpenedText(plain[:_SALT], plain[_SALT:].decode())

    def of_recording(self, seed: bytes) -> bytes:
        """The key of one recording, which is gone with its seed."""
        return hashlib.blake2b(seed, key=self._key, digest_size=KEY, person=b"recording").digest()

    def of_passes(self) -> bytes:
        """What the authority of the gateways' passes is made of, the same in every process."""
        return hashlib.blake2b(key=self._key, digest_size=KEY, person=b"passes").digest()

    def mark_of(self, secret: bytes) -> str:
        """What a short secret can be looked up by, and not be guessed from, in hex."""
        return hashlib.blake2b(secret, key=self._key, digest_size=KEY, person=b"mark").hexdigest()

    def _own_key(self, seed: bytes) -> AESGCM:
        derived = self._keyed.copy()  # costs less than to begin with the key each time
        derived.update(seed)
        return AESGCM(derived.digest())
