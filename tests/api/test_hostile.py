"""Calls that no honest terminal makes: each gets a problem, in words, and costs next to nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.server.proof import b64
from tests.api.serving import Api
from tests.people import LINUS


def a_proof(key: str, header: str | None = None, **claims: Any) -> str:
    """A proof whose claims, or whole header, are as given; the signature holds."""
    private = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(key + "="))
    x = b64(private.public_key().public_bytes_raw())
    head = header or json.dumps({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}})
    signed = f"{b64(head.encode())}.{b64(claims.pop('raw', None) or json.dumps(claims).encode())}"
    return f"{signed}.{b64(private.sign(signed.encode()))}"


async def test_a_line_break_in_a_reason_is_ordinary(api: Api) -> None:
    terminal = await api.sign_in()
    ask = {"target": "orders-db", "reason": "one\n\ttwo", "ticket": "OPS-1", "key": "k" * 16}
    assert (await terminal.call("POST", "/v1/requests", ask)).status == 201


async def with_proof(api: Api, proof: str, token: str) -> Any:
    return await api.send("GET", "/v1/me", b"", {"Authorization": f"DPoP {token}", "DPoP": proof})


@pytest.mark.parametrize(
    "iat",
    [10**400, -(10**400), 1e308, float("inf"), float("nan"), True, "1", None, [], 10**15],
    ids=lambda iat: repr(iat)[:12],
)
async def test_a_time_out_of_this_world_is_refused_in_words(
    api: Api, iat: Any, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = await api.sign_in()
    good = {
        "htm": "GET", "htu": f"{api.url}/v1/me", "jti": "x" * 22, "ath": _hash(terminal.token), "bh": _hash(""),
    }  # fmt: skip
    answer = await with_proof(api, a_proof(terminal.key, **good, iat=iat), terminal.token)
    assert answer.status == 401, answer.text
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("where", ["header", "claims"])
@pytest.mark.parametrize("shape", ["[" * 20_000, '{"a":' * 5_000, '"\\ud800"', "1" * 5000, "{", "null", "[]"])
async def test_a_proof_nested_beyond_reason_is_refused_in_words(
    api: Api, where: str, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = await api.sign_in()
    proof = a_proof(terminal.key, shape) if where == "header" else a_proof(terminal.key, raw=shape.encode())
    answer = await with_proof(api, proof, terminal.token)
    assert answer.status == 401, answer.text
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800"])
@pytest.mark.parametrize("field", ["reason", "ticket", "target", "role", "key", "duration"])
async def test_text_that_no_database_takes_is_the_callers_mistake(
    api: Api, field: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = await api.sign_in()
    ask = {"target": "orders-db", "duration": "1h", "reason": "x", "ticket": "OPS-1", "key": "k" * 16}
    answer = await terminal.call("POST", "/v1/requests", {**ask, field: text * 16 if field == "key" else text})
    assert answer.kind == "bad-input"
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_a_terminals_name_is_text_too(api: Api, text: str) -> None:
    code = await api.world.sign_ins.start(LINUS)
    terminal = await api.sign_in()
    answer = await api.log_in(code, terminal.public_key, text)
    assert answer.status == 400, answer.text


def _hash(text: str) -> str:
    return b64(hashlib.sha256(text.encode()).digest())
