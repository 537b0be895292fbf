"""How often somebody was refused lately. A refusal is written down, so refusals must not be endless."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

PERIOD = timedelta(hours=1)


class Pace:
    """Counts per person, in this process alone: requests themselves are counted by the store."""

    def __init__(self) -> None:
        self._refused: dict[str, deque[datetime]] = {}

    def refused(self, person_id: str, now: datetime) -> int:
        """How often within the last hour."""
        for known in list(self._refused):
            self._forget(known, now)
        return len(self._refused.get(person_id, ()))

    def note(self, person_id: str, now: datetime) -> None:
        """Refused once more."""
        self._refused.setdefault(person_id, deque()).append(now)

    def counts(self, person_id: str, most: int, now: datetime) -> bool:
        """Whether one more is to be written down; if so, it is counted."""
        if self.refused(person_id, now) >= most:
            return False
        self.note(person_id, now)
        return True

    def _forget(self, person_id: str, now: datetime) -> None:
        moments = self._refused[person_id]
        while moments and moments[0] <= now - PERIOD:
            moments.popleft()
        if not moments:
            del self._refused[person_id]
