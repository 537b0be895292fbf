"""The key in a file: PKCS #8 PEM, Ed25519, for nobody's eyes but the server's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from notary.errors import BadSetting

_LONGEST = 10_000  # bytes; such a key has about 120


class BadKeyFile(BadSetting):
    """A sentence about a key file that cannot be used."""


class FileSigner:
    """Whoever can read the server's disk can sign: for a start, and for tests. Raises BadKeyFile."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._key = _parse(_read(path), path)

    async def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    async def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def close(self) -> None:
        """Nothing is open."""


def make_key(path: Path) -> None:
    """Write a new key. Raises BadKeyFile, also when there is a file already: a key is never written over."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(handle)
    except FileExistsError:
        raise BadKeyFile(
            f"{path} exists already. Keep it: without it, nobody can continue the log it signed."
        ) from None
    except OSError as error:
        raise BadKeyFile(f"{path} cannot be written ({error.strerror}).") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())  # of what was opened, whatever the name leads to by now
            if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise BadKeyFile(f"{path} is open to others than its owner. Run: chmod 600 {path}")
            if facts.st_uid not in (os.geteuid(), 0):
                raise BadKeyFile(f"{path} belongs to another user than the one prodaccess runs as.")
            return file.read(_LONGEST)
    except FileNotFoundError:
        raise BadKeyFile(f"There is no key at {path}.") from None
    except OSError as error:
        raise BadKeyFile(f"{path} cannot be read ({error.strerror}).") from error


def _parse(pem: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # from None: the parser's words may quote the key
        raise BadKeyFile(f"{path} is not an unencrypted private key in PEM form (PKCS #8).") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKeyFile(f"The key in {path} is not an Ed25519 key.")
    return key
