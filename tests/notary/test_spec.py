"""An operator's words become signers and anchors, or a sentence."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from audit.note import VerifierKey
from notary.anchors.cosignature import WitnessKey
from notary.aws import AwsPlace
from notary.errors import BadSetting
from notary.signers.file import FileSigner, make_key
from notary.signers.kms import KmsSigner
from notary.signers.vault import TransitKey, VaultLogin, VaultSigner
from notary.spec import AnchorWords, Around, earlier_keys, make_anchors, make_signer
from tests.notary.tsa import Tsa

ORIGIN = "prodaccess/audit"
LOGIN = VaultLogin("http://127.0.0.1:1", "role", lambda: "secret")
WITNESS, OTHER = WitnessKey("witness.example/w1", bytes(32)), WitnessKey("witness.example/w2", bytes(32))


def test_a_file(tmp_path: Path) -> None:
    make_key(tmp_path / "a key.pem")
    signer = make_signer(f"file:{tmp_path}/a key.pem", ORIGIN, Around())
    assert isinstance(signer, FileSigner)
    assert signer.name == ORIGIN


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("vault:transit/audit", TransitKey("transit", "audit")),
        ("vault:team/a/transit/audit-1@12", TransitKey("team/a/transit", "audit-1", 12)),
    ],
)
def test_vault(words: str, place: TransitKey) -> None:
    signer = make_signer(words, ORIGIN, Around(LOGIN))
    assert isinstance(signer, VaultSigner)
    assert signer._place == place
    with pytest.raises(BadSetting, match="needs Vault's address"):
        make_signer(words, ORIGIN, Around())


@pytest.mark.parametrize(
    ("words", "region"),
    [
        ("kms:alias/prodaccess/audit", "eu-central-1"),
        ("kms:1234abcd-12ab-34cd-56ef-1234567890ab", "eu-central-1"),
        ("kms:arn:aws:kms:us-east-2:111122223333:key/1234abcd", "us-east-2"),
        ("kms:arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/audit", "us-gov-west-1"),
    ],
)
def test_kms(words: str, region: str) -> None:
    signer = make_signer(words, ORIGIN, Around(aws=AwsPlace("eu-central-1")))
    assert isinstance(signer, KmsSigner)
    assert signer._kms.meta.region_name == region
    signer.close()


@pytest.mark.parametrize(
    "words",
    ["", "file:", "file", "/etc/key.pem", "vault:", "vault:transit", "vault:transit/key@0", "vault:transit/key@x",
     "vault:transit/", "kms:", "kms:arn:aws:s3:::bucket", "pkcs11:x"],
)  # fmt: skip
def test_what_is_no_signer(words: str) -> None:
    with pytest.raises(BadSetting, match=r"A signer is written file:/PATH, vault:MOUNT/KEY or kms:KEYID"):
        make_signer(words, ORIGIN, Around(LOGIN))


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\n"])
def test_what_is_no_origin(origin: str, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    with pytest.raises(BadSetting, match="origin cannot be"):
        make_signer(f"file:{tmp_path}/key", origin, Around())


def test_a_file_that_cannot_be_used_is_a_setting_too(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="There is no key"):
        make_signer(f"file:{tmp_path}/none", ORIGIN, Around())


def test_no_words_no_anchors() -> None:
    assert make_anchors(AnchorWords(), ORIGIN) == ()


def test_anchors_and_their_pace(tmp_path: Path) -> None:
    Tsa.create(tmp_path)
    words = AnchorWords(
        s3="s3://our-bucket/some/where/?days=30&region=eu-west-1, s3://other.bucket?region=eu-west-1",
        tsa="https://tsa.example/tsr",
        tsa_roots=str(tmp_path / "root.pem"),
        witness=f"https://w1.example/x {WITNESS}, http://127.0.0.1:1 {OTHER} https://mirror.example",
    )
    paced = make_anchors(words, ORIGIN)
    assert [(each.anchor.name, each.every) for each in paced] == [
        ("s3://our-bucket/some/where/prodaccess/audit/", timedelta(minutes=1)),
        ("s3://other.bucket/prodaccess/audit/", timedelta(minutes=1)),
        ("witness:witness.example/w1", timedelta(minutes=1)),
        ("witness:witness.example/w2", timedelta(minutes=1)),
        ("tsa:tsa.example", timedelta(hours=1)),
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (AnchorWords(s3="our-bucket"), "s3://BUCKET/PREFIX"),
        (AnchorWords(s3="https://our-bucket/"), "s3://BUCKET/PREFIX"),
        (AnchorWords(s3="s3://our-bucket/?retention=30"), "s3://BUCKET/PREFIX"),
        (AnchorWords(s3="s3://our-bucket/?days=0&region=eu-west-1"), "a number of days"),
        (AnchorWords(s3="s3://our-bucket/?days=a+year&region=eu-west-1"), "a number of days"),
        (AnchorWords(s3="s3://our-bucket/?region=eu-west-1&endpoint=nowhere"), "AWS cannot be used"),
        (AnchorWords(tsa="https://tsa.example"), "not given"),
        (AnchorWords(tsa="tsa.example", tsa_roots="x"), "begins with https://"),
        (AnchorWords(tsa="https://tsa.example", tsa_roots="/nonexistent"), "cannot be read"),
        (AnchorWords(tsa="https://tsa.example", tsa_roots="/etc/hosts"), "no certificates"),
        (AnchorWords(witness=f"https://w1.example {WITNESS}, https://w2.example {WITNESS}"), "named twice"),
        (AnchorWords(witness="https://w1.example"), "URL KEY"),
        (AnchorWords(witness=f"w1.example {WITNESS}"), "begins with https://"),
        (AnchorWords(witness=f"https://w1.example {WITNESS} mirror"), "begins with https://"),
        (AnchorWords(witness=f"https://w1.example {WITNESS} https://m.example https://x"), "at most one more"),
        (AnchorWords(witness=f"https://w1.example {VerifierKey('log', bytes(32))}"), "for Ed25519 cosignatures"),
    ],
)
def test_what_is_no_anchor(words: AnchorWords, why: str) -> None:
    with pytest.raises(BadSetting, match=why):
        make_anchors(words, ORIGIN)


def test_earlier_keys() -> None:
    one, two = VerifierKey("a", bytes(32)), VerifierKey("b", bytes(range(32)))
    assert earlier_keys(f" {one}, {two}\n") == earlier_keys(f"{one} {two}") == (one, two)
    assert earlier_keys("") == ()
    with pytest.raises(BadSetting):
        earlier_keys(str(one)[:-4])
