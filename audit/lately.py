"""What was done last in a request's sessions, for whoever watches them run."""

from __future__ import annotations

from collections.abc import Callable

from access.events import CommandRun, FileTouched, QueryRun
from audit.log import Entry, Feed

Act = QueryRun | CommandRun | FileTouched
ACTS = frozenset({QueryRun.TAG, CommandRun.TAG, FileTouched.TAG})
_PAGE = 200
_PAGES = 10  # looked through for the sessions that are wanted, while others of the grant do more


async def lately(feed: Feed, ref: str, most: int, wanted: Callable[[str], bool]) -> tuple[Entry, ...]:
    """The newest acts, in order, of the sessions that are `wanted`."""
    found: tuple[Entry, ...] = ()
    before: int | None = None
    for _ in range(_PAGES):
        page = await feed.last_of(ref, ACTS, _PAGE if before is not None else max(most, 1), before)
        found = (*(entry for entry in page if isinstance(entry.event, Act) and wanted(entry.event.session)), *found)
        if not page or len(found) >= most:
            break
        before = page[0].seq
    return found[-most:]
