"""Servers that do not answer, or are not who they say."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.api.serving import Api
from tests.cli.shell import Shell


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("http://prodaccess.example.com", 2, "not encrypted"),
        ("ftp://x", 2, "not a server's URL"),
        ("https://user@x", 2, "not a server's URL"),
        ("http://127.0.0.1:99999", 2, "not a server's URL"),
        ("http://127.0.0.1:1", 5, "does not answer (Connection refused)"),
    ],
)
async def test_urls_that_lead_nowhere(shell: Shell, url: str, code: int, words: str) -> None:
    ran = await shell.run("login", "ABCD-EFGH", "--server", url)
    assert (ran.code, words in ran.err) == (code, True), ran.err


async def test_a_server_that_has_gone(shell: Shell) -> None:
    await shell.sign_in()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nothing = f"http://127.0.0.1:{listener.getsockname()[1]}"
    session = shell.runtime / "prodaccess" / "session.json"
    session.write_text(session.read_text().replace(shell.api.url, nothing))
    assert (await shell.run("list")).code == 5
    out = await shell.run("logout")
    assert (out.code, session.exists()) == (5, False), "what is on this machine goes all the same"


async def test_a_part_of_the_server_that_is_down(shell: Shell) -> None:
    await shell.sign_in()
    shell.api.slack.silent = True
    ran = await shell.run("list")
    assert (ran.code, ran.err) == (5, "prodaccess: Slack does not say who linus is.\n")


async def test_something_else_listens_there(shell: Shell) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ran = await shell.run("login", "ABCD-EFGH", "--server", f"http://127.0.0.1:{port}")
    assert (ran.code, ran.err) == (1, "prodaccess: The server answered 200. Is its URL right?\n")


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "prodaccess test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, secret = directory / "cert.pem", directory / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return pem, secret


async def test_https_is_verified(api: Api, shell: Shell, tmp_path: Path) -> None:
    pem, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        inner_writer.write(head + await reader.readexactly(length))
        await inner_writer.drain()
        while data := await inner_reader.read(65536):
            writer.write(data)
            if b"detail" in data:
                break
        inner_writer.close()
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ran = await shell.run("login", "AAAA-AAAA", "--server", url)
        assert (ran.code, "self-signed certificate" in ran.err) == (5, True), ran.err
        trusting = shell.with_environment({"SSL_CERT_FILE": str(pem)})
        ran = await trusting.run("login", "AAAA-AAAA", "--server", url)
        assert (ran.code, "This code is not valid" in ran.err) == (1, True), ran.err
