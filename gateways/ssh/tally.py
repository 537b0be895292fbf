"""How many bytes passed, and their SHA-256. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any


@dataclass(slots=True)
class Tally:
    """`ordered` is False once something did not pass in its place: then there is no hash of the whole."""

    size: int = 0
    ordered: bool = True
    _hash: Any = field(default_factory=sha256)

    def take(self, data: bytes | memoryview) -> None:
        if self.ordered:
            self._hash.update(data)
        self.size += len(data)

    def take_at(self, offset: int, data: memoryview) -> None:
        """What belongs at this place of the whole."""
        self.ordered = self.ordered and offset == self.size
        self.take(data)

    def skip(self, size: int) -> None:
        """So many bytes passed unseen; fewer than none: they did not count."""
        self.ordered = False
        self.size += size

    @property
    def digest(self) -> str:
        """In hex."""
        return str(self._hash.hexdigest()) if self.ordered else ""
