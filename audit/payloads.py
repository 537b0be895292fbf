"""Private texts beside the log: each under a key of its own, which can be destroyed while the log still verifies.

The log holds the commitment SHA-256(salt || text). Salt and text are encrypted together (AES-256-GCM) under a key
used for nothing else, and that key is wrapped (AES-256-GCM) by the installation's payload key, which is not in the
database. Without the salt nobody can try guesses against the commitment.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = 32  # bytes, of the payload key and of each text's own
_SALT = 16
_NONCE = 12
_ONCE = bytes(_NONCE)  # a text's own key encrypts one message, so its nonce may be fixed


@dataclass(frozen=True, slots=True)
class SealedText:
    """What is stored of one private text. `wrapped_key` is None after erasure."""

    commitment: bytes
    ciphertext: bytes
    wrapped_key: bytes | None


@dataclass(frozen=True, slots=True)
class OpenedText:
    """A private text and the salt that proves it against its commitment."""

    salt: bytes
    text: str


class PayloadKey:
    """The installation's key for private texts: 32 bytes. It is never shown."""

    __slots__ = ("_wrapper",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY:
            raise ValueError(f"a payload key has {KEY} bytes")
        self._wrapper = AESGCM(key)

    def __repr__(self) -> str:
        return "PayloadKey(…)"

    def seal(self, text: str) -> SealedText:
        """A fresh salt and key each time: equal texts cannot be told to be equal."""
        random = os.urandom(_SALT + KEY + _NONCE)
        salt, own, nonce = random[:_SALT], random[_SALT : _SALT + KEY], random[_SALT + KEY :]
        plain = salt + text.encode()
        commitment = hashlib.sha256(plain).digest()
        ciphertext = AESGCM(own).encrypt(_ONCE, plain, commitment)
        return SealedText(commitment, ciphertext, nonce + self._wrapper.encrypt(nonce, own, commitment))

    def open(self, sealed: SealedText) -> OpenedText | None:
        """None where it was erased, or was not sealed by this key, or does not match its commitment."""
        if sealed.wrapped_key is None:
            return None
        nonce, wrapped = sealed.wrapped_key[:_NONCE], sealed.wrapped_key[_NONCE:]
        try:
            own = self._wrapper.decrypt(nonce, wrapped, sealed.commitment)
            plain = AESGCM(own).decrypt(_ONCE, sealed.ciphertext, sealed.commitment)
        except (InvalidTag, ValueError):
            return None
        if hashlib.sha256(plain).digest() != sealed.commitment:
            return None
        return OpenedText(plain[:_SALT], plain[_SALT:].decode())
