"""Whether somebody touches a table, or files of a directory, for the first time: asked when it is told to the log.

It is asked once for each thing of a session. What failed was not touched, and is flagged again when it is tried again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace

from access.events import CommandRun, Event, FileTouched, QueryRun
from access.ports import Change, SessionStore
from access.sessions.flags import FIRST, in_order
from access.sessions.model import Seen
from gateways.live import Live

_AT_ONCE = 500  # things of one look-up
_PATH = "path:"


async def with_first(live: Live, change: Change, sessions: SessionStore) -> Change:
    """The same, with what is done for the first time flagged and remembered. Raises Unavailable."""
    if FIRST not in live.watch.flag:
        return change
    touched = {thing for event in change.events for thing in _things(event)} - live.touched
    ordered = sorted(touched)
    for at in range(0, len(ordered), _AT_ONCE):
        some = ordered[at : at + _AT_ONCE]
        live.touched |= await sessions.seen(live.session.requester.id, live.session.target, some)
    new, events = set[str](), list[Event]()
    for event in change.events:
        first = set(_things(event)) - live.touched - new
        events.append(_flagged(event) if first else event)
        if getattr(event, "outcome", "") == "ok":
            new |= first
    seen = tuple(Seen(live.session.requester.id, live.session.target, thing) for thing in sorted(new))
    return replace(change, events=tuple(events), seen=seen)


def _things(event: Event) -> Iterator[str]:
    """Of a file its directory: each of many files is no surprise."""
    if isinstance(event, QueryRun | CommandRun | FileTouched):
        for touch in event.touches:
            thing = touch.partition(" ")[2]
            path = thing.removeprefix(_PATH)
            yield thing if path == thing else _PATH + posixpath.dirname(path)


def _flagged(event: Event) -> Event:
    assert isinstance(event, QueryRun | CommandRun | FileTouched)
    return replace(event, flags=in_order({*event.flags, FIRST}))
