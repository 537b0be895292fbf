"""The workspace's time: real time plus what has been skipped."""

import asyncio
import time


class Clock:
    """Runs with the real clock and can be advanced, never turned back.

    Time to live (triggers, response URLs, retries) is counted here. The three seconds of an acknowledgement
    are counted in real time, because the app on the other side sleeps in real time.
    """

    def __init__(self) -> None:
        self.skipped = 0.0
        self._sleepers: set[asyncio.Event] = set()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.skipped

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("The clock only goes forward.")
        self.skipped += seconds
        for sleeper in self._sleepers:
            sleeper.set()

    async def sleep_until(self, moment: float) -> None:
        while (left := moment - self.now()) > 0:
            woken = asyncio.Event()
            self._sleepers.add(woken)
            try:
                async with asyncio.timeout(left):
                    await woken.wait()
            except TimeoutError:
                pass
            finally:
                self._sleepers.discard(woken)
