"""The authority of gateways' passes: what makes TLS ask a terminal for the key that its pass is bound to.

Its signature lets nobody in. It is there because TLS takes only certificates that somebody signed; which key a pass is
bound to stands in the store, and is compared at each connection. So it needs no store of its own: every process makes
the same one of the log's payload key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from access.errors import BadInput
from access.sessions.place import Vouched
from audit.payloads import PayloadKey

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (SEC 2)
_ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC))
_AUTHORITY = x509.BasicConstraints(ca=True, path_length=0)
_EARLY = timedelta(hours=1)  # clocks may be apart


class PassAuthority:
    """`access.sessions.place.Voucher`. `certificate` is the PEM that gateways check with."""

    def __init__(self, key: PayloadKey) -> None:
        self._key = ec.derive_private_key(1 + int.from_bytes(key.of_passes(), "big") % (_ORDER - 1), ec.SECP256R1())
        self._name = _named("prodaccess passes")
        signs = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        built = self._builder(self._name, self._key.public_key(), _ALWAYS).add_extension(signs, critical=True)
        self.certificate = self._signed(built.add_extension(_AUTHORITY, critical=True))

    def vouch(self, key: str, life: timedelta) -> Vouched:
        public = _p256(key)
        now = datetime.now(UTC)  # TLS knows the machine's clock alone
        built = self._builder(_named("prodaccess pass"), public, (now - _EARLY, now + life + _EARLY))
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return Vouched(_mark(public), self._signed(built.add_extension(usage, critical=True)))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, times: tuple[datetime, datetime]
    ) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            self._name, subject, key, x509.random_serial_number(), times[0], times[1]
        )  # fmt: skip

    def _signed(self, built: x509.CertificateBuilder) -> str:
        return built.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _p256(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadInput("The key is no public key on P-256.", field="key")
    return key


def _mark(key: ec.EllipticCurvePublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
