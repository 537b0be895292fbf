"""A time-stamping authority on loopback: `openssl ts` behind HTTP, with a throw-away CA."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """
[tsa]
serial = {0}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
"""


@dataclass
class Tsa:
    """`wrong` makes it answer about another text; `status` and `garbage` make it fail otherwise."""

    directory: Path
    root: x509.Certificate
    wrong: bool = False
    status: int = 200
    garbage: bytes = b""

    @classmethod
    def create(cls, directory: Path) -> Tsa:
        root_key = generate_private_key(SECP256R1())
        root = _certificate("root", root_key, None)
        key = generate_private_key(SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (directory / "key.pem").write_bytes(pem)
        signer = _certificate("tsa", key, (root, root_key))
        (directory / "signer.pem").write_bytes(signer.public_bytes(Encoding.PEM))
        (directory / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
        (directory / "serial").write_text("01\n")
        (directory / "tsa.cnf").write_text(CONFIG.format(directory))
        return cls(directory, root)

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/tsr", self._answer)
        return TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/timestamp-query"
        query = await request.read()
        body = self.garbage or await asyncio.to_thread(self.stamp, query)
        return web.Response(status=self.status, body=body, content_type="application/timestamp-reply")

    def stamp(self, query: bytes) -> bytes:
        if self.wrong:  # the imprint's last byte, wherever it stands
            at = query.index(b"\x04\x20") + 33
            query = query[:at] + bytes([query[at] ^ 1]) + query[at + 1 :]
        (self.directory / "query.tsq").write_bytes(query)
        self.openssl("ts -reply -config tsa.cnf -section tsa -queryfile query.tsq -inkey key.pem -signer signer.pem"
                     " -out reply.tsr")  # fmt: skip
        return (self.directory / "reply.tsr").read_bytes()

    def openssl(self, arguments: str) -> str:
        done = subprocess.run(
            ["openssl", *arguments.split()], cwd=self.directory, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout + done.stderr


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, EllipticCurvePrivateKey] | None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(use, critical=True)
    return builder.sign(issuer[1] if issuer else key, SHA256())
