"""Vault's answers become plain words, and what they quote of tokens and leases does not get through."""

from __future__ import annotations

import pytest
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from access.errors import ProviderRefused, ProviderSilent
from providers.vault_errors import VaultRefused, explain, silence


@pytest.mark.parametrize(
    ("status", "error", "kind", "words"),
    [
        (503, "Vault is sealed", VaultRefused, "Vault is sealed: an operator must unseal it"),
        (503, "no healthy upstream", ProviderSilent, "Vault answered 503: no healthy upstream"),
        (400, "invalid role or secret ID", VaultRefused, "Vault no longer takes prodaccess' own login"),
        (500, "internal error", ProviderSilent, "none of its audit devices can write"),
        (
            400,
            "failed to revoke entry: resp: nil err: dial tcp 10.0.0.1:5432: connect: connection refused",
            VaultRefused,
            "the database does not take Vault's connections",
        ),
        (
            500,
            'ERROR: permission denied to set parameter "log_statement" (SQLSTATE 42501)',
            ProviderSilent,
            "Vault's own account in the database lacks a right (SQLSTATE 42501)",
        ),
        (403, "1 error occurred:\n\t* permission denied\n\n", VaultRefused, "prodaccess' policy"),
        (429, "request path rate limit quota exceeded", VaultRefused, "asked too much"),
        (404, "", VaultRefused, "Vault answered 404"),
        (400, "unknown  role:\n nope", VaultRefused, "Vault answered 400: unknown role: nope"),
        (502, "<html>", ProviderSilent, "Vault answered 502"),
    ],
)
def test_answers_are_told_apart(status: int, error: str, kind: type[Exception], words: str) -> None:
    explained = explain(status, [error] if error else [])
    assert type(explained) is kind
    assert words in str(explained)


@pytest.mark.parametrize(
    "capability",
    [
        "s.UzOzc1kqLucMajGgbiRNrJQT",
        "hvs.CAESIJ1qFz7hQ0mP3vX8yT2wL5nB9dR4kE6sU0aG",
        "pa-db/creds/orders-read/kkSvPhWNMFlgvbeBSUUKOyne",
    ],
)
def test_capabilities_are_cut_out(capability: str) -> None:
    text = str(explain(400, [f"failed on {capability}, sorry"]))
    assert capability not in text
    assert text == "Vault answered 400: failed on …, sorry"


def test_a_long_answer_is_cut() -> None:
    assert len(str(explain(400, ["x" * 5000]))) < 200


def _pool() -> HTTPConnectionPool:
    return HTTPConnectionPool("127.0.0.1", 1, timeout=2, retries=False)


def test_a_connection_that_broke_is_a_silence() -> None:
    assert isinstance(silence(ReadTimeoutError(_pool(), "/", "x"), 10), ProviderSilent)
    assert isinstance(silence(ProtocolError("reset by peer"), 10), ProviderSilent)
    assert isinstance(silence(MaxRetryError(_pool(), "/", SSLError("bad certificate")), 10), ProviderSilent)
    assert str(silence(ReadTimeoutError(_pool(), "/", "x"), 0.5)) == "Vault did not answer within 0.5 s"


def test_a_connection_that_was_never_made_is_a_definite_no() -> None:
    with pytest.raises(NewConnectionError) as refused:
        _pool().urlopen("GET", "/")
    assert isinstance(silence(refused.value, 2), ProviderRefused)
    assert isinstance(silence(MaxRetryError(_pool(), "/", ConnectTimeoutError("x")), 2), ProviderRefused)
