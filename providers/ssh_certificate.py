"""A key pair made in memory, what is asked of a certificate authority for it, and a check of what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

#: what a certificate may allow; OpenSSH names no others
EXTENSIONS = (
    "permit-pty",
    "permit-port-forwarding",
    "permit-agent-forwarding",
    "permit-X11-forwarding",
    "permit-user-rc",
)

_NO_END = 2**33  # seconds since 1970; “for ever” is written as 2**64 - 1


class NotAsAsked(ValueError):
    """The certificate is not what was asked for; the text says in what."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Ed25519, in OpenSSH's own text forms."""

    key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> KeyPair:
        return cls(Ed25519PrivateKey.generate())

    def public(self) -> str:
        return self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def private(self) -> str:
        """In clear: straight into a Secret."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the certificate is to say, and nothing more."""

    public_key: str
    key_id: str
    principals: tuple[str, ...]
    extensions: tuple[str, ...]
    options: Mapping[str, str]  # critical ones: a host that does not know them refuses

    def body(self) -> dict[str, Any]:
        """As Vault's `sign` takes it."""
        return {
            "public_key": self.public_key,
            "key_id": self.key_id,
            "cert_type": "user",
            "valid_principals": ",".join(self.principals),
            "extensions": dict.fromkeys(self.extensions, ""),
            "critical_options": dict(self.options),
        }


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that says what was asked, as one line of text."""

    text: str = field(repr=False)
    serial: int
    valid_before: datetime


def read_certificate(text: str, asked: Asked) -> Certificate:
    """Raises NotAsAsked."""
    try:
        found = load_ssh_public_identity(text.strip().encode())
    except ValueError:
        raise NotAsAsked("no certificate") from None
    if not isinstance(found, SSHCertificate) or found.type is not SSHCertificateType.USER:
        raise NotAsAsked("no user certificate")
    try:
        found.verify_cert_signature()
    except InvalidSignature:
        raise NotAsAsked("its signature is wrong") from None
    if wrong := _differs(found, asked):
        raise NotAsAsked(wrong)
    return Certificate(text.strip(), found.serial, datetime.fromtimestamp(found.valid_before, UTC))


def _differs(found: SSHCertificate, asked: Asked) -> str:
    """Empty, or the first difference that matters. No principals at all would be good for every account."""
    public = found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    options = {name.decode(): value.decode() for name, value in found.critical_options.items()}
    allowed = {name.decode() for name in found.extensions}
    faults = {
        "its key is another one": public != asked.public_key,
        "its key id is another one (the role needs allow_user_key_ids)": found.key_id.decode() != asked.key_id,
        "its principals are others": {name.decode() for name in found.valid_principals} != set(asked.principals),
        "its critical options are others (the role needs allowed_critical_options)": options != asked.options,
        "it allows more (the role needs allowed_extensions and no default_extensions)": not (
            allowed <= set(asked.extensions)
        ),
        "it has no serial number": found.serial == 0,
        "it has no end": found.valid_before >= _NO_END,
    }
    return next((words for words, wrong in faults.items() if wrong), "")
