"""Keeping a shadow true: filled from the table, page by page, then by what the log says has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from access.ports import Store
from access.revoking.shadow import Shadow

PAGE = 250  # grants that one look reads at most while it fills
BEGINNING = (0, 0)


@dataclass(frozen=True, slots=True)
class Moves:
    """What was written to the log: up to which entry, the versions of the open grants in it, and who has ended."""

    head: int
    open: Mapping[int, int]
    ended: frozenset[int] = frozenset()


class Changes(Protocol):
    """What a shadow follows. It answers within a second or raises Unavailable: whoever asks wants to know that, too."""

    async def since(self, after: int | None) -> Moves:
        """Of the entries behind `after`; with None only where the log stands."""
        ...

    async def open_grants(self, place: tuple[int, int], limit: int) -> tuple[tuple[int, int], ...]:
        """`due_at` in microseconds and number of those behind that place, the nearest first."""
        ...


@dataclass
class Following:
    """`look` is one step; a process makes four of them a second."""

    store: Store
    changes: Changes
    shadow: Shadow
    _after: int | None = None
    _place: tuple[int, int] | None = BEGINNING  # how far it is filled; None: all of it
    _moved: Mapping[int, int] = field(default_factory=dict)  # at the last look

    @property
    def is_filled(self) -> bool:
        """Whether there is nothing that is known to be missing."""
        return self._after is not None and self._place is None and not self._moved

    async def look(self) -> None:
        """Raises Unavailable; the next one goes on where this one stopped."""
        moves = await self.changes.since(self._after)
        self.shadow.drop(moves.ended)
        # A look later: of what we wrote ourselves, or what has ended by then, nothing needs to be read.
        moved = {number: version for number, version in self._moved.items() if number not in moves.ended}
        await self._read([number for number, version in moved.items() if not self.shadow.knows(number, version)])
        self._after, self._moved = moves.head, moves.open
        if self._place is not None:
            await self._fill(self._place)
        elif self.shadow.left_out and self.shadow.has_room:
            self.shadow.left_out, self._place = 0, BEGINNING

    async def _fill(self, place: tuple[int, int]) -> None:
        page = await self.changes.open_grants(place, PAGE)
        await self._read([number for _, number in page if not self.shadow.knows(number)])
        self._place = page[-1] if len(page) == PAGE and not self.shadow.left_out else None

    async def _read(self, numbers: list[int]) -> None:
        if numbers:
            self.shadow.keep((await self.store.grants_by_number(numbers)).values())
