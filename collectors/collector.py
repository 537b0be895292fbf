"""What a collector is: something outside that takes messages, and says when it does not.

CollectorError                  a sentence for operators; holds no secret and no text of an entry
├── CollectorDown           no answer, or not now: the messages may have arrived or not
└── CollectorRefused        a definite no: somebody must look, at the other side
    └── SpecError           or at our own settings: they cannot be used
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class CollectorError(Exception):
    """Root of what a collector answers."""


class CollectorDown(CollectorError):
    """It may have arrived. `retry_after`: seconds that the other side asks us to wait, 0 when it did not say."""

    def __init__(self, why: str, *, retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class CollectorRefused(CollectorError):
    """It did not arrive, and the same messages will not as things are. Nothing is skipped."""


class SpecError(CollectorRefused):
    """A collector's line, or a file that it names, cannot be used; the sentence says what to change."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry on its way out. `body` is JSON in one line; `severity` is syslog's (RFC 5424, 0 to 7)."""

    seq: int
    ref: str
    tag: str
    leaf: str
    at: datetime
    severity: int
    body: bytes = field(repr=False)  # people's words stand in it


class Collector(Protocol):
    """`name` is for people and for the cursor: it holds no secret and stays the same over restarts."""

    name: str

    async def send(self, batch: Sequence[Message]) -> None:
        """All of it, in order; returns only when it has arrived. Raises CollectorDown, CollectorRefused."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
