"""The key of one pass: made here, kept in memory, and what TLS to the gateway is spoken with."""

from __future__ import annotations

import base64
import os
import ssl
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat

from ..exits import CliError


class Key:
    """On P-256, which every TLS knows."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> str:
        """As SubjectPublicKeyInfo, in DER and Base64."""
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def context(self, certificate: str, trusted: str, place: Path) -> ssl.SSLContext:
        """TLS 1.3 that shows the certificate (PEM), and trusts this authority, or without one those of this machine.

        The library takes keys from files alone: so it lies in `place` for a moment, under a password that is nowhere.
        Raises CliError.
        """
        try:
            return self._context(certificate, trusted, place)
        except (ssl.SSLError, ValueError, TypeError):
            raise CliError("The certificate that the server gave is none that TLS can use. Tell an admin.") from None

    def _context(self, certificate: str, trusted: str, place: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["postgresql"])
        if trusted:
            context.load_verify_locations(cadata=trusted)
        else:
            context.load_default_certs()
        password = os.urandom(32).hex()
        path = place / "key.pem"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 (a mode)
            file.write(self._encrypted(password) + certificate.encode())
        try:
            context.load_cert_chain(path, password=password)
        finally:
            path.unlink()
        return context

    def _encrypted(self, password: str) -> bytes:
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
