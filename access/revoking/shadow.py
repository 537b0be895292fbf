"""The deadlines of all grants in memory, with what it takes to end them while the database does not answer.

It is filled from the table, then follows what this process writes and what the log says that others wrote. It knows
only grants that something can hang on: those with a handle that are active or ending.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from access.model import Grant, GrantState
from access.ports import Change
from access.revoking.keeping import Kept, grant_of, kept, micros

MOST = 100_000  # grants; a grant that does not fit is ended by the database's word alone
_TO_END = (GrantState.ACTIVE, GrantState.REVOKING)


class Shadow:
    """What is known of each grant, and which is due next."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[int, Kept] = {}
        self._heap: list[tuple[int, int]] = []  # due and number; an entry that no longer fits its grant is passed over
        self.left_out = 0  # since it was last filled
        self.wrote_at = -math.inf  # when the database last took something from this process, in monotonic seconds

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def has_room(self) -> bool:
        """Enough to be worth filling it again."""
        return len(self._kept) < self._most * 0.9

    def keep(self, grants: Iterable[Grant]) -> None:
        """As they stand in the store. What is known to be newer stays."""
        for grant in grants:
            self._keep(grant)

    def drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._kept.pop(number, None)

    def wrote(self, change: Change) -> None:
        """What this process has just written: nobody needs to be asked about it."""
        self.wrote_at = time.monotonic()
        for grant in change.grants:
            known = self._kept.get(grant.number)
            if grant.state not in _TO_END:
                self._kept.pop(grant.number, None)
            elif known is not None and grant.state is GrantState.REVOKING and not (change.handles or change.leases):
                # One of thousands at this moment: what it takes to end it is the same as before.
                due = micros(grant.due_at or grant.expires_at)
                self._put(grant.number, known._replace(due=due, version=grant.version + 1, is_ending=True))
            else:
                self._keep(_after(grant, change))

    def knows(self, number: int, version: int = 0) -> bool:
        """At this version or a newer one."""
        known = self._kept.get(number)
        return known is not None and known.version >= version

    def get(self, number: int) -> Grant | None:
        """As far as it is needed to end it."""
        known = self._kept.get(number)
        return None if known is None else grant_of(known)

    def later(self, number: int, at: datetime) -> None:
        """It is due once more."""
        if (known := self._kept.get(number)) is not None:
            self._put(number, known._replace(due=micros(at)))

    def due(self, now: datetime) -> tuple[Grant, ...]:
        """Those whose moment has come since the last time, the first first."""
        found, until = dict[int, Grant](), micros(now)
        while self._heap and self._heap[0][0] <= until:
            due, number = heapq.heappop(self._heap)
            known = self._kept.get(number)
            if known is not None and known.due == due and number not in found:
                found[number] = grant_of(known)
        return tuple(found.values())

    def _keep(self, grant: Grant) -> None:
        known = self._kept.get(grant.number)
        if grant.state not in _TO_END or not grant.handles:
            self._kept.pop(grant.number, None)
        elif known is None and len(self._kept) >= self._most:
            self.left_out += 1
        elif known is None or known.version <= grant.version:
            self._put(grant.number, kept(grant))

    def _put(self, number: int, known: Kept) -> None:
        self._kept[number] = known
        heapq.heappush(self._heap, (known.due, number))
        if len(self._heap) > 2 * len(self._kept) + 1000:
            self._heap = [(each.due, number) for number, each in self._kept.items()]
            heapq.heapify(self._heap)


def _after(grant: Grant, change: Change) -> Grant:
    """As it stands once this is written."""
    handles = {h.attempt: h for h in (*grant.handles, *change.handles) if h.grant == grant.number}
    leases = {x.n: x for x in (*grant.leases, *change.leases) if x.grant == grant.number}
    return replace(grant, handles=tuple(handles.values()), leases=tuple(leases.values()), version=grant.version + 1)
