"""SCRAM-SHA-256 (RFC 5802, RFC 7677), both ends, as PostgreSQL speaks it; as a server also with channel binding.

Towards the client only a verifier is needed, from which the password cannot be had; towards the server the password.
Channel binding keeps somebody in the middle, whose certificate the client took, from passing the proof on.
Passwords here are made by machines and are ASCII, so they need no SASLprep.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from functools import lru_cache

MECHANISM = "SCRAM-SHA-256"
BOUND = "SCRAM-SHA-256-PLUS"  # to the TLS connection
_BINDING = "tls-server-end-point"  # the one that PostgreSQL's clients know
ITERATIONS = 4096  # the password is 256 random bits: more would only slow the honest down
_MOST_ITERATIONS = 1_000_000  # a server must not keep us busy


class Refused(Exception):
    """The proof does not fit, or what was sent is not SCRAM."""


@dataclass(frozen=True, slots=True, repr=False)
class Verifier:
    """What one end needs to know of a password to check a proof of it."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    @classmethod
    def of(cls, password: str, salt: bytes = b"", iterations: int = ITERATIONS) -> Verifier:
        salt = salt or os.urandom(16)
        salted = _salted(password, salt, iterations)
        return cls(salt, iterations, hashlib.sha256(_mac(salted, b"Client Key")).digest(), _mac(salted, b"Server Key"))


class Server:
    """Checks one client. `first` answers its first message, `final` its proof.

    `end_point` is what binds to the connection, where there is something: then BOUND is offered too.
    """

    def __init__(self, verifier: Verifier, end_point: bytes = b"") -> None:
        self._verifier = verifier
        self._end_point = end_point
        self._nonce = ""
        self._binding = ""
        self._said = ""

    @property
    def offered(self) -> tuple[str, ...]:
        """Mechanisms, the best one first."""
        return (BOUND, MECHANISM) if self._end_point else (MECHANISM,)

    def first(self, message: str, mechanism: str = MECHANISM) -> str:
        """Raises Refused."""
        flag, _, rest = message.partition(",")
        identity, _, bare = rest.partition(",")
        if mechanism not in self.offered or flag not in self._flags(mechanism) or identity:
            raise Refused("this mechanism, or another identity, is not offered")
        bound = self._end_point if mechanism == BOUND else b""
        self._binding = b64encode(f"{flag},,".encode() + bound).decode()
        nonce = _parts(bare).get("r", "")
        if not nonce:
            raise Refused("the first message has no nonce")
        self._nonce = nonce + b64encode(os.urandom(18)).decode()
        v = self._verifier
        answer = f"r={self._nonce},s={b64encode(v.salt).decode()},i={v.iterations}"
        self._said = f"{bare},{answer}"
        return answer

    def _flags(self, mechanism: str) -> tuple[str, ...]:
        """`n`: it knows no binding; `y`: it does, and was told that we do not, which must not be somebody's lie."""
        if mechanism == BOUND:
            return (f"p={_BINDING}",)
        return ("n",) if self._end_point else ("n", "y")

    def final(self, message: str) -> str:
        """Raises Refused."""
        without, _, proof = message.rpartition(",p=")
        parts = _parts(without)
        if parts.get("c") != self._binding or not self._nonce or parts.get("r") != self._nonce:
            raise Refused("the final message belongs to another exchange")
        said = f"{self._said},{without}".encode()
        signature = _mac(self._verifier.stored_key, said)
        client_key = _xor(_decoded(proof), signature)
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), self._verifier.stored_key):
            raise Refused("the proof is wrong")
        return f"v={b64encode(_mac(self._verifier.server_key, said)).decode()}"


class Client:
    """Proves a password to one server."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._bare = f"n=,r={b64encode(os.urandom(18)).decode()}"
        self._expected = b""

    def first(self) -> str:
        return f"n,,{self._bare}"

    def final(self, message: str) -> str:
        """Raises Refused."""
        parts = _parts(message)
        nonce, iterations = parts.get("r", ""), parts.get("i", "")
        if not nonce.startswith(self._bare.partition("r=")[2]) or not iterations.isdecimal():
            raise Refused("the server's message belongs to another exchange")
        if not 1 <= int(iterations) <= _MOST_ITERATIONS:
            raise Refused(f"the server wants {iterations} iterations")
        salted = _salted(self._password, _decoded(parts.get("s", "")), int(iterations))
        client_key, without = _mac(salted, b"Client Key"), f"c=biws,r={nonce}"
        said = f"{self._bare},{message},{without}".encode()
        proof = _xor(client_key, _mac(hashlib.sha256(client_key).digest(), said))
        self._expected = _mac(_mac(salted, b"Server Key"), said)
        return f"{without},p={b64encode(proof).decode()}"

    def check(self, message: str) -> None:
        """That the server knows the password too. Raises Refused."""
        given = _decoded(_parts(message).get("v", ""))
        if not self._expected or not hmac.compare_digest(given, self._expected):
            raise Refused("the server does not know the password")


@lru_cache(maxsize=64)  # several connections of one credential: the derivation is meant to be slow
def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(one: bytes, other: bytes) -> bytes:
    if len(one) != len(other):
        raise Refused("the proof has the wrong length")
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _parts(message: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in message.split(",") if part[1:2] == "="}


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise Refused("what should be Base64 is not") from None
