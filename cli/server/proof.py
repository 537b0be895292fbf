"""The key of this terminal, and what it signs for each call (RFC 9449, with the body's hash as `bh`)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Call(NamedTuple):
    """What a proof is about; `url` is without its query."""

    method: str
    url: str
    body: bytes
    token: str
    at: int


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> str:
    """A fresh Ed25519 seed, base64url."""
    return b64(os.urandom(32))


def public_half(seed: str) -> str:
    """`x` of the key's JWK."""
    return b64(_private(seed).public_key().public_bytes_raw())


def prove(seed: str, call: Call) -> str:
    """The DPoP header for one call; good for a minute and for one use."""
    header = {
        "typ": "dpop+jwt",
        "alg": "EdDSA",
        "jwk": {"kty": "OKP", "crv": "Ed25519", "x": public_half(seed)},
    }
    claims = {
        "htm": call.method,
        "htu": call.url,
        "iat": call.at,
        "jti": b64(os.urandom(16)),
        "ath": _hash(call.token.encode()),
        "bh": _hash(call.body),
    }
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(_private(seed).sign(signed.encode()))}"


def _hash(data: bytes) -> str:
    return b64(hashlib.sha256(data).digest())


def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(seed + "="))
