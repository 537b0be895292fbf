"""The SSH gateway as the settings give it: its host key, made once where none is given, and where it listens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from prodaccess.gateways.tls import write_secret
from prodaccess.settings import Settings, SettingsError

if TYPE_CHECKING:
    from gateways.desk import Desk
    from gateways.ssh.gateway import SshGateway

_FILE = "gateway_ssh_key"


@dataclass(frozen=True)
class MadeSsh:
    """Makes the listener. `key` and `certificate`, which may be empty, as OpenSSH writes them."""

    key: str
    certificate: str = ""

    def __call__(self, desk: Desk) -> SshGateway:
        from gateways.ssh.door import SshDoor
        from gateways.ssh.gateway import SshGateway

        return SshGateway(SshDoor(desk), self.key, self.certificate)


def ssh_gateway(settings: Settings) -> MadeSsh:
    """Raises SettingsError."""
    given = settings["PRODACCESS_GATEWAY_SSH_KEY"]
    path = Path(given) if given else _own(Path(settings["PRODACCESS_RECORDINGS"]))
    key = _read(path, "PRODACCESS_GATEWAY_SSH_KEY")
    _public(key, path)
    certificate = settings["PRODACCESS_GATEWAY_SSH_CERT"]
    return MadeSsh(key, _read(Path(certificate), "PRODACCESS_GATEWAY_SSH_CERT") if certificate else "")


def known_hosts(settings: Settings) -> str:
    """What terminals check its host key with: lines as in `known_hosts`, without a name. Raises SettingsError.

    `PRODACCESS_GATEWAY_SSH_KNOWN` where it is given; otherwise the public half of the key.
    """
    if given := settings["PRODACCESS_GATEWAY_SSH_KNOWN"]:
        return _read(Path(given), "PRODACCESS_GATEWAY_SSH_KNOWN").strip()
    path = Path(settings["PRODACCESS_GATEWAY_SSH_KEY"] or Path(settings["PRODACCESS_RECORDINGS"]) / _FILE)
    if not path.exists():
        raise SettingsError(
            "PRODACCESS_GATEWAY_SSH_KNOWN is missing: where the gateway is another process, a server has to be told"
            " its public host key."
        )
    return _public(_read(path, "PRODACCESS_GATEWAY_SSH_KEY"), path)


def _own(place: Path) -> Path:
    """Made once, also where two processes begin at the same moment."""
    path = place / _FILE
    if not path.exists():
        made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        new = write_secret(path, made)
        try:
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return path


def _public(key: str, path: Path) -> str:
    try:
        public = load_ssh_private_key(key.encode(), None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"PRODACCESS_GATEWAY_SSH_KEY: {path} is no OpenSSH private key ({error}).") from None
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: {path} cannot be read ({error}).") from None
