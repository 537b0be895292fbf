"""A key file is for its owner alone, and is never written over."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from notary.signers.file import BadKeyFile, FileSigner, make_key


def pem(key: object, encryption: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.pem"


def test_a_new_key_is_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        make_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_new_key_signs(path: Path) -> None:
    make_key(path)
    signer = FileSigner("prodaccess/audit", path)
    Ed25519PublicKey.from_public_bytes(await signer.public_key()).verify(await signer.sign(b"text"), b"text")


def test_a_key_is_never_written_over(path: Path) -> None:
    make_key(path)
    kept = path.read_bytes()
    with pytest.raises(BadKeyFile, match="exists already"):
        make_key(path)
    assert path.read_bytes() == kept


def test_nor_through_a_link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(BadKeyFile, match="exists already"):
        make_key(path)
    assert not path.with_name("elsewhere").exists()


def test_where_nothing_can_be_written(path: Path) -> None:
    with pytest.raises(BadKeyFile, match="cannot be written"):
        make_key(path / "deeper")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_that_others_can_touch_is_refused(path: Path, mode: int) -> None:
    make_key(path)
    path.chmod(mode)
    with pytest.raises(BadKeyFile, match="chmod 600"):
        FileSigner("prodaccess/audit", path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_somebody_else_is_refused(path: Path) -> None:
    make_key(path)
    os.chown(path, 12345, -1)
    with pytest.raises(BadKeyFile, match="another user"):
        FileSigner("prodaccess/audit", path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not an unencrypted private key"),
        (b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "not an unencrypted private key"),
        (pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"pass")), "not an unencrypted private key"),
        (pem(generate_private_key(SECP256R1()), NoEncryption()), "not an Ed25519 key"),
    ],
)
def test_what_is_no_such_key_is_said(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BadKeyFile, match=why) as caught:
        FileSigner("prodaccess/audit", path)
    assert caught.value.__cause__ is None


def test_a_missing_one_is_said(path: Path) -> None:
    with pytest.raises(BadKeyFile, match="There is no key at"):
        FileSigner("prodaccess/audit", path)
