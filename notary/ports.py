"""What the notary needs from outside, as small Protocols; adapters match them by shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audit.checkpoint import Anchored, Checkpoint
from audit.merkle import Range

Consistency = Callable[[int, int], Awaitable[tuple[bytes, ...]]]
"""The consistency proof from an old size to a new one."""

Genuine = Callable[[str], bool]
"""Whether a text is a checkpoint of this log, signed by one of its keys."""


class Records(Protocol):
    """The log as the notary reads it, and where its checkpoints are kept.

    Every method raises Unavailable when the database does not answer, those that read the tree `TreeDamaged`.
    """

    async def bodies(self, start: int, end: int | None, limit: int) -> Sequence[bytes]:
        """Of at most `limit` entries from `start` on, before `end`, in order."""
        ...

    async def leaf(self, seq: int) -> bytes: ...

    async def checkpoint_range(self, size: int) -> Range: ...

    async def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]: ...

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]: ...

    async def named_keys(self) -> Sequence[bytes]:
        """The bodies of all entries that name a key of the log's, in order."""
        ...

    async def last_checkpoint(self) -> Checkpoint | None: ...

    async def checkpoint_covering(self, seq: int) -> Checkpoint | None:
        """The smallest that holds this entry."""
        ...

    async def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Raises Stale when there is one of that size."""
        ...

    async def save_anchored(self, anchored: Anchored) -> None:
        """Raises Stale when that is known."""
        ...


class Signer(Protocol):
    """Holds the log's Ed25519 key, or knows who does. `name` is the log's origin."""

    name: str

    async def public_key(self) -> bytes:
        """32 bytes. Raises Unavailable."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """64 bytes. Raises Unavailable."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Memory(Protocol):
    """Keeps the last checkpoint where whoever owns the database does not reach it. Raises Unavailable."""

    where: str

    async def last(self) -> str | None:
        """A note text."""
        ...

    async def keep(self, note: str) -> None: ...


class Published(Protocol):
    """Where a checkpoint stands now, and what the anchor gave for it."""

    @property
    def ref(self) -> str: ...

    @property
    def proof(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Place:
    """`Published` as a plain value."""

    ref: str
    proof: bytes


class Anchor(Protocol):
    """A place for checkpoints that whoever owns the database cannot reach."""

    name: str

    async def publish(self, note: str, consistency: Consistency) -> Published:
        """May be repeated for the same checkpoint. Raises Unavailable; Disagrees when another log was shown there."""
        ...

    async def newest(self, genuine: Genuine) -> str | None:
        """The genuine checkpoint of the largest size that it holds, None when it holds none or keeps none.

        Raises Unavailable; Disagrees when it holds checkpoints, but none that is genuine.
        """
        ...

    async def trouble(self) -> str:
        """Empty when well, else a sentence."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Outages(Protocol):
    """Who is told that an anchor takes no checkpoints, and when it does again: once each per outage."""

    async def failed(self, anchor: str, why: str) -> None: ...

    async def recovered(self, anchor: str, down_since: datetime) -> None: ...
