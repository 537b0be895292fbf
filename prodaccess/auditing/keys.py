"""`prodaccess audit keygen`: the log's keys as files, never written over."""

from __future__ import annotations

import base64
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from access.errors import BadInput
from audit.log import ORIGIN
from audit.note import VerifierKey
from audit.payloads import KEY
from notary.signers.file import FileSigner, make_key

_ABOUT = {
    "log.key": "signs the log's checkpoints: whoever reads it can sign another log",
    "payload.key": "opens people's words in the log: keep a copy, without it they are gone",
    "log.pub": "what others check the log with: give it away, and keep it where this server cannot write",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Where they are, and the public one."""

    directory: Path
    origin: str
    verifier_key: str

    @property
    def files(self) -> dict[str, str]:
        """Path → what it is for."""
        return {str(self.directory / name): about for name, about in _ABOUT.items()}

    def __str__(self) -> str:
        lines = [f"{path}\n    {about}" for path, about in self.files.items()]
        settings = [f"    {name}={shlex.quote(value)}" for name, value in settings_of(self).items()]
        return "\n".join([*lines, f"\nThe verifier key:\n    {self.verifier_key}", "\nSet for serve:", *settings])


def settings_of(keys: Keys) -> dict[str, str]:
    """What `serve` has to be told."""
    settings = {
        "PRODACCESS_AUDIT_SIGNER": f"file:{keys.directory / 'log.key'}",
        "PRODACCESS_AUDIT_PAYLOAD_KEY_FILE": str(keys.directory / "payload.key"),
    }
    return settings if keys.origin == ORIGIN else settings | {"PRODACCESS_AUDIT_ORIGIN": keys.origin}


async def make_keys(place: Path, origin: str) -> Keys:
    """Raises BadInput where one of them is there, BadKeyFile, NoteError, OSError."""
    _must_be_free(place)
    make_key(place / "log.key")
    public_key = VerifierKey(origin, await FileSigner(origin, place / "log.key").public_key())
    _write(place / "payload.key", base64.b64encode(os.urandom(KEY)) + b"\n", 0o600)
    _write(place / "log.pub", f"{public_key}\n".encode(), 0o644)
    return Keys(place, origin, str(public_key))


def _must_be_free(place: Path) -> None:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if there := next((place / name for name in _ABOUT if (place / name).exists()), None):
        raise BadInput(f"{there} exists. A key is never written over: what it signed or sealed needs it.")


def _write(path: Path, content: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 (a mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
