"""Proof of possession for one call (RFC 9449, DPoP), with a hash of the body on top.

The caller signs method, URL, time, a fresh id, the token's hash and the body's hash with the key that its
terminal made at sign-in. A token without the key, or a signed call sent again, is worth nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from access.errors import Unavailable
from api.problems import ClockApart, NotSignedIn

LEEWAY = 60  # seconds that the two clocks may be apart
_DOOMSDAY = 10**11  # seconds since the epoch; what is beyond cannot even be compared with a time of ours
_CLAIMS = ("htm", "htu", "iat", "jti", "ath", "bh")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Call:
    """What the proof must be about. `path` is without the query, as RFC 9449 has it: only reads have one."""

    method: str
    path: str
    body: bytes
    token: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds: whose key signed it (base64url `x` of an Ed25519 JWK), its id and its time."""

    key: str
    jti: str
    iat: int


def read_proof(text: str, call: Call, urls: Iterable[str], now: float) -> Proof:
    """The proof, if it is signed and about this call. Raises NotSignedIn, ClockApart."""
    key = _key_of(text)
    claims = _claims(text, key)
    if claims["htm"] != call.method:
        raise NotSignedIn("The proof is for another method.")
    if _normal(claims["htu"]) not in {_normal(base.rstrip("/") + call.path) for base in urls}:
        raise NotSignedIn("The proof is for another address than this server's. Sign in again with its public URL.")
    if claims["ath"] != digest(call.token.encode()) or claims["bh"] != digest(call.body):
        raise NotSignedIn("The proof is for another token or another body.")
    if abs(now - claims["iat"]) > LEEWAY:
        raise ClockApart(int(now))
    return Proof(key, claims["jti"], int(claims["iat"]))


def digest(data: bytes) -> str:
    """SHA-256, base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def public_key(x: str) -> Ed25519PublicKey:
    """An Ed25519 key from a JWK's `x`, in its one canonical spelling. Raises ValueError."""
    try:
        raw = base64.b64decode(x.encode() + b"=", altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if len(raw) != 32 or base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != x:
        raise ValueError("not an Ed25519 public key")
    return Ed25519PublicKey.from_public_bytes(raw)


def _key_of(text: str) -> str:
    try:
        header = jwt.get_unverified_header(text)
    except jwt.PyJWTError:
        raise NotSignedIn("The proof is not a signed token.") from None
    jwk = header.get("jwk")
    shape = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk}
    if header != shape or not isinstance(jwk, dict) or not isinstance(jwk.get("x"), str):
        raise NotSignedIn("The proof's header must be exactly typ dpop+jwt, alg EdDSA and an Ed25519 jwk.")
    if jwk != {"kty": "OKP", "crv": "Ed25519", "x": jwk["x"]}:
        raise NotSignedIn("The proof's jwk must be exactly a public Ed25519 key.")
    x: str = jwk["x"]
    return x


def _claims(text: str, key: str) -> dict[str, Any]:
    # Time is compared with our own clock below: the library knows only the machine's.
    options = {"require": list(_CLAIMS), "verify_iat": False, "verify_exp": False, "verify_nbf": False}
    try:
        claims: dict[str, Any] = jwt.decode(text, public_key(key), algorithms=["EdDSA"], options=options)  # type: ignore[arg-type]
    except (jwt.PyJWTError, ValueError):
        raise NotSignedIn("The proof's signature does not hold.") from None
    strings = all(isinstance(claims[name], str) and len(claims[name]) <= 2000 for name in _CLAIMS if name != "iat")
    timed = type(claims["iat"]) in (int, float) and 0 <= claims["iat"] <= _DOOMSDAY
    if not strings or not timed or len(claims["jti"]) not in range(16, 65):
        raise NotSignedIn("The proof's claims have the wrong shape.")
    return claims


def _normal(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path, compared as RFC 3986 §6.2 has it; query and fragment do not count."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ("", "", None, url)
    host = (parts.hostname or "").rstrip(".")
    return (parts.scheme, host if "@" not in parts.netloc else "", port, parts.path or "/")


class Replays:
    """The proofs already seen, for as long as they could be accepted again.

    It lives in memory: after a restart, proofs made before it are refused by their time instead.
    """

    def __init__(self, started: float, most: int = 100_000) -> None:
        self._started = int(started)
        self._most = most
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    def use(self, proof: Proof, now: float) -> None:
        """Spend the proof. Raises NotSignedIn the second time, ClockApart when it is older than this process."""
        while self._seen and next(iter(self._seen.values())) < now:
            self._seen.popitem(last=False)
        if proof.iat < self._started:
            raise ClockApart(int(now))
        if (proof.key, proof.jti) in self._seen:
            raise NotSignedIn("This very call has been made already.")
        if len(self._seen) >= self._most:
            raise Unavailable("Too many calls at once. Try again in a minute.")
        self._seen[proof.key, proof.jti] = now + 2 * LEEWAY
