"""Signing through boto3 at a stand-in for KMS that holds a real key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from botocore.session import get_session

from access.errors import Unavailable
from notary.aws import AwsPlace
from notary.errors import BadSetting
from notary.signers.kms import KmsSigner
from tests.notary.bench import Bench
from tests.notary.kms_server import KEY_ID, KmsServer


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")


@pytest.fixture
def kms() -> KmsServer:
    return KmsServer()


@pytest.fixture
async def signer(kms: KmsServer) -> AsyncIterator[KmsSigner]:
    async with kms.server() as server:
        made = KmsSigner("prodaccess/audit", KEY_ID, AwsPlace("eu-central-1", str(server.make_url("")).rstrip("/")))
        yield made
        made.close()


@pytest.fixture
def away() -> Iterator[KmsSigner]:
    made = KmsSigner("prodaccess/audit", KEY_ID, AwsPlace("eu-central-1", "http://127.0.0.1:9"))
    yield made
    made.close()


async def test_it_signs_a_log(bench: Bench, kms: KmsServer, signer: KmsSigner) -> None:
    bench.signer = signer
    bench.new_notary()
    await bench.append(3)
    assert (await bench.notary.cover(2)).size == 3
    assert (await bench.last()).size == 3
    assert await signer.public_key() == kms.key.public_key().public_bytes_raw()


async def test_its_refusal_is_said_by_aws_own_name(kms: KmsServer, signer: KmsSigner) -> None:
    kms.error = "DisabledException"
    with pytest.raises(Unavailable, match="does not sign: DisabledException"):
        await signer.sign(b"text")
    kms.error = ""
    assert len(await signer.sign(b"text")) == 64


async def test_a_key_of_another_kind_is_refused(kms: KmsServer, signer: KmsSigner) -> None:
    kms.other_kind = True
    with pytest.raises(Unavailable, match="ECC_NIST_EDWARDS25519"):
        await signer.public_key()


async def test_an_unreachable_one_is_said(away: KmsSigner) -> None:
    with pytest.raises(Unavailable, match="EndpointConnectionError"):
        await away.sign(b"text")


def test_without_a_region_it_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(BadSetting, match="region"):
        KmsSigner("prodaccess/audit", KEY_ID, AwsPlace())


def test_botocore_documents_what_we_ask_for() -> None:
    model = get_session().get_service_model("kms")
    sign = model.operation_model("Sign").input_shape
    key = model.operation_model("GetPublicKey").output_shape
    assert sign is not None
    assert key is not None
    assert "ED25519_SHA_512" in sign.members["SigningAlgorithm"].enum
    assert "RAW" in sign.members["MessageType"].enum
    assert "ECC_NIST_EDWARDS25519" in key.members["KeySpec"].enum
