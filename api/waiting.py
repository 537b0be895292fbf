"""Waiting on the log instead of asking again and again."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from audit.log import Feed

_Seen = TypeVar("_Seen")


async def until(
    feed: Feed, seconds: float, look: Callable[[], Awaitable[_Seen]], done: Callable[[_Seen], bool]
) -> _Seen:
    """What `look` sees once `done` accepts it, or after `seconds`. Looks again after each entry of the log."""
    deadline = time.monotonic() + seconds
    while True:
        head = await feed.head()  # before looking, so that nothing falls between the look and the wait
        seen = await look()
        left = deadline - time.monotonic()
        if done(seen) or left <= 0:
            return seen
        await feed.wait(head, left)
