"""What was done in a grant's sessions, counted: the thread tells a session in two lines, however long it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from access.events import CommandRun, Event, FileTouched, QueryRun, SessionOpened

Action = QueryRun | CommandRun | FileTouched
SESSION_TAGS = frozenset({SessionOpened.TAG, QueryRun.TAG, CommandRun.TAG, FileTouched.TAG})
_KINDS: tuple[tuple[type[Event], str, str], ...] = (
    (QueryRun, "query", "queries"),
    (CommandRun, "command", "commands"),
    (FileTouched, "file", "files"),
)


@dataclass
class Tally:
    """One session: its number within the request, what was run, and which objects that named."""

    number: int
    counts: dict[type[Event], int] = field(default_factory=dict)
    read: dict[str, None] = field(default_factory=dict)  # in the order of first use
    written: dict[str, None] = field(default_factory=dict)
    unclear: int = 0  # actions that may have touched more than they name

    def add(self, action: Action) -> None:
        self.counts[type(action)] = self.counts.get(type(action), 0) + 1
        self.unclear += action.coverage != "full"
        for touch in action.touches:
            verb, _, what = touch.partition(" ")
            (self.read if verb == "read" else self.written)[what] = None

    def in_words(self) -> str:
        """`12 queries and 1 file`."""
        counted = [(self.counts.get(kind, 0), one, many) for kind, one, many in _KINDS]
        said = [f"{count} {one if count == 1 else many}" for count, one, many in counted if count]
        return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "nothing was run"


def tallies(events: Iterable[Event]) -> dict[str, Tally]:
    """By the session's id, in the order in which they were opened."""
    found: dict[str, Tally] = {}
    count(found, events)
    return found


def count(found: dict[str, Tally], events: Iterable[Event]) -> None:
    """Add the events that come next."""
    for event in events:
        if isinstance(event, SessionOpened | Action):
            tally = found.setdefault(event.session, Tally(len(found) + 1))
            if isinstance(event, Action):
                tally.add(event)
