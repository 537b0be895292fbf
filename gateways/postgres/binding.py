"""What binds a proof to the TLS connection that it is made on.

From our side the certificate's hash (tls-server-end-point, RFC 5929), from the client's the key of its certificate.
"""

from __future__ import annotations

import hashlib
import ssl
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def key_of(connection: ssl.SSLObject | None) -> str:
    """The mark of the key that the client has made its connection with (`Pass.bound`); empty: with none.

    TLS 1.2 lets a session be resumed without the key, and still names its certificate: that counts for nothing.
    """
    if connection is None or connection.session_reused:
        return ""
    shown = connection.getpeercert(binary_form=True)
    if not shown:
        return ""
    key = x509.load_der_x509_certificate(shown).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@lru_cache(maxsize=8)
def end_point_of(context: ssl.SSLContext) -> bytes:
    """Of the certificate that a server's context shows; empty where its signature names no hash (Ed25519)."""
    certificate = x509.load_der_x509_certificate(_shown(context))
    used = certificate.signature_hash_algorithm
    if used is None:
        return b""
    name = "sha256" if used.name in ("md5", "sha1") else used.name  # too weak, says the RFC
    return hashlib.new(name, certificate.public_bytes(Encoding.DER)).digest()


def _shown(context: ssl.SSLContext) -> bytes:
    """A context does not tell its certificate to its owner: so one client more is shown it, in memory."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there)
    server = context.wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = client.getpeercert(binary_form=True)
    assert shown is not None  # a server always shows one
    return shown
