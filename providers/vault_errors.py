"""Vault's answers and silences in plain words: a definite no, or an unknown outcome.

ProviderRefused
└── VaultRefused     Vault said no; `status` and `said` for whoever can tell two noes apart
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    SSLError,
    TimeoutError,  # noqa: A004 (the base of both of urllib3's)
)

from access.errors import ProviderError, ProviderRefused, ProviderSilent

# Capabilities that an error text may quote: tokens of OpenBao and Vault, and lease ids.
_CAPABILITY = re.compile(r"\b(?:s\.[A-Za-z0-9]{24}|hv[sbr]\.[\w-]{20,})\b|[\w/-]+/creds/[\w./-]+")

_CAUSES = (
    ("Vault is sealed", "Vault is sealed: an operator must unseal it"),
    ("invalid role or secret ID", "Vault no longer takes prodaccess' own login: give it a new AppRole secret id"),
    ("SASL auth", "the database no longer takes Vault's own account: its password was changed elsewhere"),
    ("password authentication failed", "the database no longer takes Vault's own account"),
    ("42501", "Vault's own account in the database lacks a right (SQLSTATE 42501)"),
    ("2BP01", "the role's revocation statements do not let go of a user that owns something (SQLSTATE 2BP01)"),
    ("42704", "the role's revocation statements fail on a user that is already gone (SQLSTATE 42704)"),
    ("connection refused", "the database does not take Vault's connections"),
    ("failed to connect", "the database does not take Vault's connections"),
    ("i/o timeout", "the database does not answer Vault"),
    ("failed to find entry for connection", "the database's connection was removed from Vault"),
    ("internal error", "Vault answers “internal error”: most often, none of its audit devices can write"),
)


class VaultRefused(ProviderRefused):
    """A definite no of Vault's. `said` is for comparing and never for showing."""

    def __init__(self, text: str, status: int, said: str) -> None:
        super().__init__(text)
        self.status = status
        self.said = said


def explain(status: int, errors: Sequence[str]) -> ProviderError:
    """What a status of 400 or more means, with the errors Vault gave."""
    said = " ".join(errors)
    text = next((words for sign, words in _CAUSES if sign in said), None) or _plainly(status, said)
    if status < 500 or "Vault is sealed" in said:  # a sealed Vault does nothing at all
        return VaultRefused(text, status, said)
    return ProviderSilent(text)


def silence(error: HTTPError, timeout: float) -> ProviderError:
    """What it means that no answer came."""
    reason = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(reason, (NewConnectionError, ConnectTimeoutError, LocationValueError)):  # nothing was sent
        return ProviderRefused("Vault cannot be reached")
    if isinstance(reason, TimeoutError):
        return ProviderSilent(f"Vault did not answer within {timeout:g} s")
    if isinstance(reason, SSLError):
        return ProviderSilent("Vault's certificate was not accepted: check the configured CA")
    return ProviderSilent("the connection to Vault broke")


def _plainly(status: int, said: str) -> str:
    if status == 403:
        return "Vault refuses it: prodaccess' policy there does not allow this"
    if status == 429:
        return "Vault is asked too much at the moment"
    words = " ".join(_CAPABILITY.sub("…", said).split())
    return f"Vault answered {status}: {words[:160]}" if words else f"Vault answered {status}"
