"""What the audit verbs work with: the log beside a running server, its keys, and the places where it is anchored.

The settings are those of `serve`, but only the few that a verb needs must be there: an auditor has no Slack token.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection

from access.events import Event
from access.secret import Secret
from audit.log import Ledger
from audit.note import VerifierKey
from audit.payloads import KEY
from notary.ports import Signer
from notary.spec import earlier_keys
from prodaccess.auditing.ledger import make_ledger
from prodaccess.auditing.witnessing import make_the_signer
from prodaccess.clock import SystemClock
from prodaccess.settings import TABLE, Setting, Settings, SettingsError
from store.log import SqlLog, open_log

_PAYLOAD_KEY = "PRODACCESS_AUDIT_PAYLOAD_KEY"
_Result = TypeVar("_Result")


class BadPayloadKey(SettingsError):
    """What is set is no payload key at all."""


@dataclass(frozen=True)
class Desk:
    """Nothing is made before it is asked for."""

    settings: Settings
    environ: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError."""
        return cls(settings_here(environ), environ)

    @property
    def database(self) -> str:
        return self.settings.reveal("PRODACCESS_DATABASE_URL") or "sqlite:///var/prodaccess.db"

    @property
    def origin(self) -> str:
        return self.settings["PRODACCESS_AUDIT_ORIGIN"]

    @contextmanager
    def log(self, *, words: bool = False) -> Iterator[SqlLog]:
        """The log beside a running server; without `words` no key is needed, and people's words read as erased.

        Raises SettingsError, BadDatabase, Unavailable, NotCurrent.
        """
        log = open_log(self.database, make_ledger(self.settings) if words else Ledger(self.origin, None))
        try:
            yield log
        finally:
            log.close()

    def payload_key(self) -> bytes | None:
        """Raises BadPayloadKey."""
        try:
            key = base64.b64decode(self.settings.reveal(_PAYLOAD_KEY), validate=True)
        except binascii.Error:
            raise BadPayloadKey(f"{_PAYLOAD_KEY} is not base64: prodaccess audit keygen makes one.") from None
        if key and len(key) != KEY:
            raise BadPayloadKey(f"{_PAYLOAD_KEY} has {len(key)} bytes, and a payload key has {KEY}.")
        return key or None

    def signer(self) -> Signer:
        """Raises SettingsError."""
        if not self.settings["PRODACCESS_AUDIT_SIGNER"]:
            raise SettingsError("PRODACCESS_AUDIT_SIGNER is missing: file:/PATH, vault:MOUNT/KEY or kms:KEYID.")
        return make_the_signer(self.settings)

    async def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The key that is signed with now, and those before it. Raises SettingsError, BadSetting, Unavailable."""
        with closing(self.signer()) as signer:
            now = VerifierKey(signer.name, await signer.public_key())
        return (now, *earlier_keys(self.settings["PRODACCESS_AUDIT_EARLIER_KEYS"]))


def settings_here(environ: Mapping[str, str]) -> Settings:
    """The settings that are there, whatever else is missing. Raises SettingsError where a file cannot be read."""
    given = {setting.name: _given(setting, environ) for setting in TABLE}
    return Settings(
        {s.name: given[s.name] or s.default or "" for s in TABLE if not s.secret},
        {s.name: Secret({"value": given[s.name]}) for s in TABLE if s.secret and given[s.name]},
        {s.name: Path(environ[f"{s.name}_FILE"]) for s in TABLE if s.secret and environ.get(f"{s.name}_FILE")},
    )


def _given(setting: Setting, environ: Mapping[str, str]) -> str:
    file = environ.get(f"{setting.name}_FILE", "") if setting.secret else ""
    if not file:
        return environ.get(setting.name, "").strip()
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{setting.name}_FILE: {file} cannot be read ({error.strerror}).") from error


def in_transaction(log: SqlLog, work: Callable[[Connection], _Result]) -> _Result:
    """Read in one transaction of its own."""
    return log.database.transact(work, False)  # noqa: FBT003 (write)


def write_down(log: SqlLog, event: Event) -> int:
    """Append one entry of our own; returns its `seq`."""
    now = SystemClock().now()
    (seq,) = log.database.transact(lambda tx: log.ledger.append(tx, (event,), now))
    return seq


def operator() -> str:
    """Who runs this, as this machine knows them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a uid without an account, as in a container
        name = "unknown"
    return f"{name}@{socket.gethostname()}"
