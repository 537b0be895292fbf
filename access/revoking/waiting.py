"""Ends that their provider has not proven, waiting to be tried again. Whatever it proves shows that it is back.

Then those that wait for it are tried at once, and do not wait out a pause that was meant for a provider that is away.
One that fails all the same has a trouble of its own: so often it is not woken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

REST = 15.0  # seconds between two times that one is woken
_LOOK = 1.0  # seconds between two looks at all that wait for one provider


def _nobody(_: Sequence[int]) -> Sequence[int]:
    """Where the rows alone bring them back."""
    return ()


class Waiting:
    """Of this process alone: each has its share of the grants, and notices by itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.wake: Callable[[Sequence[int]], Sequence[int]] = _nobody  # is told whom to try now; says who is free
        self._clock = clock
        self._waiting: dict[str, dict[int, float]] = {}  # by provider: when each may be woken
        self._proved_at: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}

    def now(self) -> float:
        """What `failed` wants to know of a try's beginning."""
        return self._clock()

    def failed(self, provider: str, number: int, began: float) -> None:
        """Once it may be tried again: a try that began at that time has proven nothing."""
        mine, now = self._waiting.setdefault(provider, {}), self._clock()
        mine.setdefault(number, -math.inf)
        if self._proved_at.get(provider, -math.inf) > began:
            self._wake(mine, [number], now)

    def proved(self, provider: str, number: int) -> None:
        """It is over."""
        now, mine = self._clock(), self._waiting.get(provider)
        self._proved_at[provider] = now
        if mine is None:
            return
        mine.pop(number, None)
        if not mine:
            del self._waiting[provider]
        elif now >= self._looked_at.get(provider, -math.inf) + _LOOK:
            self._looked_at[provider] = now
            self._wake(mine, list(mine), now)

    def forget(self, provider: str, number: int) -> None:
        """Somebody else has ended it."""
        self._waiting.get(provider, {}).pop(number, None)

    def _wake(self, mine: dict[int, float], numbers: Sequence[int], now: float) -> None:
        ready = [number for number in numbers if mine[number] <= now]
        if ready:
            mine |= dict.fromkeys(self.wake(ready), now + REST)
