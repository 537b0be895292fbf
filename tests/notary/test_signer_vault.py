"""Signing in the transit engine of a real OpenBao."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hvac
import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from access.errors import Unavailable
from notary.signers.vault import TransitKey, VaultLogin, VaultSigner
from prodaccess.parts.openbao import OpenBao
from tests.fixtures_parts import VaultFixture
from tests.notary.bench import Bench

MOUNT = "audit-transit"
_keys = itertools.count(1)

POLICY = """
path "audit-transit/keys/audit-*" { capabilities = ["read"] }
path "audit-transit/sign/audit-*" { capabilities = ["update"] }
"""


@dataclass
class Transit:
    """The engine as its owner has it, and a login that may only sign."""

    root: hvac.Client
    login: VaultLogin
    accessors: Callable[[], list[str]]

    def make(self, kind: str = "ed25519", name: str = "audit") -> str:
        key = f"{name}-{next(_keys)}"
        self.root.secrets.transit.create_key(key, key_type=kind, mount_point=MOUNT)
        return key

    def rotate(self, key: str) -> None:
        self.root.secrets.transit.rotate_key(key, mount_point=MOUNT)


@pytest.fixture(scope="module")
def transit(openbao: OpenBao, vault: VaultFixture) -> Iterator[Transit]:
    with requests.Session() as session:
        root = hvac.Client(openbao.address, token=openbao.root_token, session=session, timeout=30)
        root.sys.enable_secrets_engine("transit", path=MOUNT)
        root.sys.create_or_update_policy("audit-signer", POLICY)
        root.auth.approle.create_or_update_approle("audit-signer", token_policies=["audit-signer"], token_ttl="1h")
        role_id = root.auth.approle.read_role_id("audit-signer")["data"]["role_id"]

        def secret_id() -> str:
            return str(root.auth.approle.generate_secret_id("audit-signer")["data"]["secret_id"])

        def accessors() -> list[str]:
            return list(root.list("auth/token/accessors")["data"]["keys"])

        yield Transit(root, VaultLogin(openbao.address, role_id, secret_id, timeout=10), accessors)
        root.sys.disable_secrets_engine(MOUNT)


@pytest.fixture
def make(transit: Transit) -> Iterator[Callable[..., VaultSigner]]:
    made: list[VaultSigner] = []

    def signer(key: str, version: int = 0, login: VaultLogin | None = None) -> VaultSigner:
        made.append(VaultSigner("prodaccess/audit", TransitKey(MOUNT, key, version), login or transit.login))
        return made[-1]

    yield signer
    for each in made:
        each.close()


async def check(signer: VaultSigner, key: bytes | None = None) -> None:
    public_key = key or await signer.public_key()
    Ed25519PublicKey.from_public_bytes(public_key).verify(await signer.sign(b"a text\n"), b"a text\n")


async def test_it_signs_a_log(bench: Bench, transit: Transit, make: Callable[..., VaultSigner]) -> None:
    bench.signer = make(transit.make())
    bench.new_notary()
    await bench.append(3)
    assert (await bench.notary.cover(2)).size == 3
    assert (await bench.last()).size == 3


async def test_a_rotated_key_does_not_change_under_a_running_server(
    transit: Transit, make: Callable[..., VaultSigner]
) -> None:
    key = transit.make()
    running = make(key)
    first = await running.public_key()
    transit.rotate(key)
    await check(running, first)
    new = make(key)
    assert await new.public_key() != first
    await check(new)


async def test_a_version_can_be_named(transit: Transit, make: Callable[..., VaultSigner]) -> None:
    key = transit.make()
    transit.rotate(key)
    one, two = make(key, 1), make(key, 2)
    assert await one.public_key() != await two.public_key()
    for each in (one, two):
        await check(each)
    with pytest.raises(InvalidSignature):
        await check(one, await two.public_key())
    with pytest.raises(Unavailable, match="has no version 3"):
        await make(key, 3).public_key()


async def test_a_login_that_has_died_is_renewed(transit: Transit, make: Callable[..., VaultSigner]) -> None:
    before = set(transit.accessors())
    signer = make(transit.make())
    await check(signer)
    for accessor in set(transit.accessors()) - before:
        transit.root.auth.token.revoke_accessor(accessor)
    await check(signer)


async def test_a_key_of_another_type_is_refused(transit: Transit, make: Callable[..., VaultSigner]) -> None:
    with pytest.raises(Unavailable, match="not of type ed25519"):
        await make(transit.make("ecdsa-p256")).sign(b"text")


async def test_without_the_right_it_says_which_path(transit: Transit, make: Callable[..., VaultSigner]) -> None:
    key = transit.make(name="other")
    with pytest.raises(Unavailable, match=f"answers 403 to {MOUNT}/keys/{key}"):
        await make(key).sign(b"text")


async def test_a_missing_secret_id_is_said(transit: Transit, make: Callable[..., VaultSigner], tmp_path: Path) -> None:
    login = VaultLogin(transit.login.address, transit.login.role_id, (tmp_path / "none").read_text)
    with pytest.raises(Unavailable, match="AppRole secret id cannot be read"):
        await make(transit.make(), login=login).sign(b"text")
    login = VaultLogin(transit.login.address, transit.login.role_id, lambda: "wrong")
    with pytest.raises(Unavailable, match="answers 400 to auth/approle/login"):
        await make(transit.make(), login=login).sign(b"text")


async def test_a_vault_that_never_answers_is_left(transit: Transit, make: Callable[..., VaultSigner]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        login = VaultLogin(address, "role", lambda: "s3cr3t-id", timeout=0.2)
        signer = make("audit-1", login=login)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="does not answer") as caught:
            await signer.sign(b"text")
    assert time.monotonic() - began < 2
    assert caught.value.__cause__ is None
    assert "s3cr3t-id" not in repr(login)
