"""A witness without a key, and what tests that stand inside the gate need to get through it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from access.errors import Unavailable
from access.events import CredentialIntended, CredentialIssued
from access.gate import Covered, Intent
from access.model import Receipt
from access.ports import Issued, Released

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class Head(Protocol):
    """The end of a log."""

    async def head(self) -> int: ...


class MemoryWitness:
    """`access.ports.Witness` that covers whatever is durable, and signs nothing."""

    def __init__(self, log: Head) -> None:
        self.log = log

    async def cover(self, seq: int) -> Covered:
        head = await self.log.head()
        if head < seq:
            raise Unavailable(f"Entry {seq} is not there; the log ends at {head}.")
        return Covered(seq, head + 1)


def an_intent(ref: str = "PA-7", n: int = 1, seq: int = 0) -> Intent:
    """What an issuer asks for, for a test that calls it without a broker."""
    return Intent.of(Receipt((seq,), (CredentialIntended(
        at=NOW, ref=ref, n=n, attempt=1, host="thinkpad", address="127.0.0.1", policy_hash="",
    ),)))  # fmt: skip


def released(issued: Issued, intent: Intent) -> Released:
    """The credential beyond the gate, as though it had been recorded and signed."""
    seq = intent.seq + 1
    receipt = Receipt((seq,), (an_issuing(intent, issued.public_id),))
    secret = issued.secret.open(receipt, Covered(seq, seq + 1))
    return Released(issued.public_id, issued.locator, issued.not_after, secret, issued.hints)


def an_issuing(intent: Intent, public_id: str) -> CredentialIssued:
    """The record that opens what was issued for this intent."""
    return CredentialIssued(
        at=NOW, ref=intent.ref, n=intent.n, public_id=public_id, not_after=NOW, host="thinkpad", address="127.0.0.1"
    )
