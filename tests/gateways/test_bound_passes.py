"""A pass is worth something with its key alone, and only as long as the tool that it was made for."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from access.errors import BadInput, NotFound, Refused
from access.events import PassEnded, PassGiven, SessionOpened
from access.gate import Intent
from access.model import Device, Grant, Handle
from access.ports import Issued
from access.sessions.passes import Passes
from access.sessions.place import Vouched
from gateways.postgres.binding import key_of
from prodaccess.gateways.passes import PassAuthority
from prodaccess.gateways.tls import server_tls
from prodaccess.parts.postgres import Postgres
from tests.gateways.scene import POLICY, Scene, Ticket, Users, gateway, proof_of
from tests.world import World

_LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class Shown:
    """What TLS can be spoken with."""

    key: ec.EllipticCurvePrivateKey
    certificate: str
    mark: str = ""

    def files(self, place: Path) -> dict[str, str]:
        """As libpq takes them."""
        place.mkdir()
        plain = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for name, text in (("cert.pem", self.certificate.encode()), ("key.pem", plain)):
            (place / name).write_bytes(text)
            (place / name).chmod(0o600)
        return {"sslcert": str(place / "cert.pem"), "sslkey": str(place / "key.pem")}


@pytest.fixture
async def scene(tmp_path: Path, postgres: Postgres) -> AsyncIterator[Scene]:
    world = World(tmp_path, POLICY.format(host=postgres.host, port=postgres.port))
    async with gateway(Scene(world, postgres, tmp_path / "recordings", unbound=False), tls=True) as made:
        yield made
    world.close()


def vouched(scene: Scene) -> Shown:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert scene.world.gateways is not None
    given: Vouched = scene.world.gateways.vouched(base64.b64encode(der).decode(), _LIFE)
    return Shown(key, given.certificate, given.mark)


async def ticket(scene: Scene, grant: Grant, device: Device, mark: str) -> Ticket:
    given, _ = await scene.passes.give(grant.number, device, "postgres", proof_of("a long password"), mark)
    return Ticket(given.name, "a long password", scene.port)


async def tried(scene: Scene, ticket: Ticket, **more: str) -> str:
    """What the gateway says to somebody who comes with this; empty: they are in."""
    assert scene.world.gateways is not None
    trusted = scene.place / "trusted.pem"
    trusted.write_text(scene.world.gateways.places["postgres"].certificate)
    told: dict[str, Any] = {"sslmode": "verify-full", "sslrootcert": str(trusted), "sslcert": "/nowhere", **more}
    try:
        async with await psycopg.AsyncConnection.connect(ticket.dsn(**told)) as db:
            await db.execute("select 1")
    except psycopg.OperationalError as error:
        return str(error)
    return ""


async def test_name_and_password_without_the_key_let_nobody_in(
    scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grant, device = await scene.granted()
    own, another = vouched(scene), vouched(scene)
    stolen = await ticket(scene, grant, device, own.mark)
    said = await tried(scene, stolen)
    assert "No pass of that name lets you in" in said
    assert await tried(scene, stolen, **another.files(tmp_path / "another")) == said, "nothing is given away"
    assert caplog.messages.count("a pass was tried without its key") == 2
    files = own.files(tmp_path / "own")
    assert await tried(scene, replace(stolen, name="PA-1.aaaaaa"), **files)
    assert await scene.events(SessionOpened) == []
    assert await tried(scene, stolen, **files) == ""
    (given,) = await scene.events(PassGiven)
    assert given.key == own.mark


async def test_a_certificate_that_somebody_made_themselves_is_none(scene: Scene, tmp_path: Path) -> None:
    grant, device = await scene.granted()
    own = vouched(scene)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "prodaccess passes")])
    now = datetime.now(UTC)
    other = ec.generate_private_key(ec.SECP256R1())
    forged = x509.CertificateBuilder(name, name, own.key.public_key(), 7, now - _LIFE, now + _LIFE)
    made = forged.sign(other, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    held = await ticket(scene, grant, device, own.mark)
    assert "SSL" in await tried(scene, held, **replace(own, certificate=made).files(tmp_path / "forged"))
    assert await scene.events(SessionOpened) == []


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, session: Any = None) -> tuple[ssl.SSLObject, ...]:
    """Both ends of a connection in memory."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(back, there, server_hostname="127.0.0.1", session=session),
        server.wrap_bio(there, back, server_side=True),
    )
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ends


async def test_a_tls_session_that_is_resumed_is_made_without_the_key(scene: Scene, tmp_path: Path) -> None:
    """As TLS 1.2 allows it: what one connection left behind must not open another."""
    own = vouched(scene)
    assert scene.world.gateways is not None
    voucher = scene.world.gateways.voucher
    assert isinstance(voucher, PassAuthority)
    server, trusted = server_tls(scene.settings, "127.0.0.1", voucher.certificate)
    assert server is not None
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.load_verify_locations(cadata=trusted)
    files = own.files(tmp_path / "own")
    client.load_cert_chain(files["sslcert"], files["sslkey"])
    first = handshake(client, server)
    again = handshake(client, server, first[0].session)
    assert [end.session_reused for end in (*first, *again)] == [False, False, True, True]
    assert (key_of(first[1]), key_of(again[1])) == (own.mark, "")


class Slow(Users):
    """While a user is made, its pass ends."""

    passes: Passes
    ending: tuple[str, Device]

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        issued = await super().issue(grant, handle, intent)
        await self.passes.end(*self.ending)
        return issued


async def test_a_pass_that_ends_while_its_login_is_made_lets_nobody_in(scene: Scene, tmp_path: Path) -> None:
    grant, device = await scene.granted()
    own = vouched(scene)
    held = await ticket(scene, grant, device, own.mark)
    slow = Slow(scene.world.clock, server=scene.world.far_side)
    slow.far, slow.passes, slow.ending = scene.far, scene.passes, (held.name, device)
    scene.world.grants.custody.providers["memory"] = slow  # type: ignore[index]
    assert "No pass of that name" in await tried(scene, held, **own.files(tmp_path / "own"))
    assert await scene.events(SessionOpened) == []


async def test_a_pass_without_a_key_is_for_those_who_allow_it(scene: Scene) -> None:
    grant, device = await scene.granted()
    with pytest.raises(Refused, match="bound to a key"):
        await ticket(scene, grant, device, "")
    scene.passes = replace(scene.passes, unbound=True)
    held = await ticket(scene, grant, device, "")  # a server that allows it, before a gateway that does not
    assert "No pass of that name" in await tried(scene, held)


async def test_every_process_has_the_same_authority_and_it_vouches_for_p256_alone(scene: Scene) -> None:
    again = PassAuthority(scene.shelf.key)
    first = x509.load_pem_x509_certificate(vouched(scene).certificate.encode())
    first.verify_directly_issued_by(x509.load_pem_x509_certificate(again.certificate.encode()))
    for key in (ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(BadInput, match="P-256"):
            again.vouch(base64.b64encode(der).decode(), _LIFE)
    for text in ("", "A", "é", "AAAA", "A" * 200):
        with pytest.raises(BadInput, match="P-256"):
            again.vouch(text, _LIFE)


async def test_a_pass_is_given_back_by_its_own_terminal_alone(scene: Scene, tmp_path: Path) -> None:
    grant, device = await scene.granted()
    own = vouched(scene)
    files = own.files(tmp_path / "own")
    held = await ticket(scene, grant, device, own.mark)
    for name, who in ((held.name, replace(device, id="another")), ("PA-1.aaaaaa", device)):
        with pytest.raises(NotFound):
            await scene.passes.end(name, who)
    assert await tried(scene, held, **files) == ""
    await scene.passes.end(held.name, device)
    await scene.passes.end(held.name, device)
    assert [event.name for event in await scene.events(PassEnded)] == [held.name]
    assert "No pass of that name" in await tried(scene, held, **files)


async def test_a_key_of_the_terminal_is_on_no_ssh_pass(scene: Scene) -> None:
    grant, device = await scene.granted()
    with pytest.raises(BadInput, match="a key by itself"):
        await scene.passes.give(grant.number, device, "ssh", f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}", "00")
