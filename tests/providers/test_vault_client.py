"""How Vault is called: the header that names the namespace, the one server that is trusted, the one that is active."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from access.errors import ProviderSilent
from access.secret import Secret
from providers.vault_client import VaultClient, VaultSettings
from providers.vault_errors import VaultRefused

TOKEN = Secret({"token": "s.a-token"})


class Active(BaseHTTPRequestHandler):
    """Answers with what it was sent; `Standby` says where it is."""

    protocol_version = "HTTP/1.1"
    elsewhere = ""

    def do_PUT(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self.elsewhere:
            self._answer(307, {}, {"Location": self.elsewhere + self.path})
        elif self.path == "/v1/busy":
            self._answer(503, {"errors": ["no healthy upstream"]}, {"Retry-After": "1"})
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(200, {"path": self.path, "sent": json.loads(sent), "headers": headers})

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tls: Path | None = None) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def client(address: str, **settings: Any) -> Iterator[VaultClient]:
    made = VaultClient(VaultSettings(address, "role", lambda: "secret", **settings))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself, with its key: one file for both ends."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "vault.pem"
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, private, serialization.NoEncryption()))
    return path


def test_a_call_says_who_calls_and_where() -> None:
    with serving(Active) as address, client(address, namespace="team") as vault:
        answer = vault.call_as(TOKEN, "put", "sys/leases/lookup", {"lease_id": "é"})
    assert answer["path"] == "/v1/sys/leases/lookup"
    assert answer["sent"] == {"lease_id": "é"}
    headers = answer["headers"]
    assert headers["x-vault-token"] == "s.a-token"
    assert headers["x-vault-namespace"] == "team"
    assert headers["x-vault-request"] == "true"


def test_a_standbys_word_is_followed() -> None:
    with serving(Active) as active:
        standby = type("Standby", (Active,), {"elsewhere": active})
        with serving(standby) as address, client(address) as vault:
            answer = vault.call_as(TOKEN, "put", "sys/leases/revoke", {"sync": True})
    assert answer["sent"] == {"sync": True}
    assert answer["headers"]["x-vault-token"] == "s.a-token"


def test_two_standbys_that_name_each_other_are_not_followed_for_ever() -> None:
    standby = type("Standby", (Active,), {})
    with serving(standby) as address, client(address) as vault:
        standby.elsewhere = address  # type: ignore[attr-defined]
        with pytest.raises(ProviderSilent):
            vault.call_as(TOKEN, "put", "x", {})


def test_nothing_is_sent_twice_because_somebody_says_later() -> None:
    with serving(Active) as address, client(address) as vault, pytest.raises(ProviderSilent, match="503"):
        vault.call_as(TOKEN, "put", "busy", {})


def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    class Abrupt(Active):
        def do_PUT(self) -> None:
            super().do_PUT()
            self.close_connection = True  # without a word of it in the answer

    with serving(Abrupt) as address, client(address) as vault:
        for path in ("x", "y"):
            assert vault.call_as(TOKEN, "put", path, {})["path"] == f"/v1/{path}"
            time.sleep(0.2)  # the close is on its way


def test_only_the_ca_that_was_named_is_trusted(certificate: Path) -> None:
    with serving(Active, tls=certificate) as address:
        with client(address) as vault, pytest.raises(ProviderSilent, match="certificate was not accepted"):
            vault.call_as(TOKEN, "put", "x", {})
        with client(address, ca=str(certificate)) as vault:
            assert vault.call_as(TOKEN, "put", "x", {})["path"] == "/v1/x"


def test_the_environment_gets_nowhere_between(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(Active) as address, client(address) as vault:
        assert vault.call_as(TOKEN, "put", "x", {})["path"] == "/v1/x"


def test_a_refusal_keeps_its_status() -> None:
    class Closed(Active):
        def do_PUT(self) -> None:
            self._answer(403, {"errors": ["permission denied"]})

    with serving(Closed) as address, client(address) as vault, pytest.raises(VaultRefused) as refused:
        vault.call_as(TOKEN, "put", "x", {})
    assert refused.value.status == 403
