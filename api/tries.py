"""At most so many bad sign-in codes from one address."""

from __future__ import annotations

from collections import OrderedDict, deque

from api.problems import TooManyTries

TRIES = 10
PERIOD = 60  # seconds


class Tries:
    """Counts before the code is looked at, so that many tries at once do not slip through; a good one is given back."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, address: str, now: float) -> None:
        """Raises TooManyTries."""
        self._forget(now)
        made = self._made.setdefault(address, deque())
        while made and made[0] <= now - PERIOD:
            made.popleft()
        if len(made) >= TRIES:
            wait = int(made[0] + PERIOD - now) + 1
            raise TooManyTries(f"Too many wrong codes from {address}. Try again in {wait} seconds.", wait)
        made.append(now)
        self._made.move_to_end(address)

    def give_back(self, address: str) -> None:
        """The code was good."""
        made = self._made.get(address)
        if made:
            made.pop()

    def _forget(self, now: float) -> None:
        while self._made:
            made = next(iter(self._made.values()))
            if made and made[-1] > now - PERIOD:
                break
            self._made.popitem(last=False)
