"""A random password, and what somebody has to know to check a proof of it: a SCRAM-SHA-256 verifier (RFC 7677)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

_ITERATIONS = 4096  # the password is 256 random bits: more would only slow every connection down


def new_password() -> str:
    """Letters, digits, `-` and `_`: it needs no quoting anywhere."""
    return base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()


def verifier(password: str) -> str:
    """As PostgreSQL keeps one; the password cannot be had from it."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_b64(salt)}${_b64(stored)}:{_b64(server)}"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
