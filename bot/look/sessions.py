"""What was done in a grant's sessions, counted: the thread tells a session in one message, however long it was."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from access.events import CommandRun, Event, FileTouched, QueryRun, SessionClosed, SessionCut, SessionOpened
from audit.log import Entry

Action = QueryRun | CommandRun | FileTouched
Told = SessionOpened | Action | SessionCut | SessionClosed
SESSION_TAGS = frozenset(
    kind.TAG for kind in (SessionOpened, QueryRun, CommandRun, FileTouched, SessionCut, SessionClosed)
)
ACTION_TAGS = frozenset({QueryRun.TAG, CommandRun.TAG, FileTouched.TAG})
ALONE = 8  # sessions of one grant with a message of their own; all that follow share one
_MOST_NAMED = 50  # objects that are kept by name
_QUOTED = 3  # flagged acts, the newest

_NAME = re.compile(r"PA-[1-9][0-9]{0,14}-[1-9][0-9]{0,8}\+?")

#: what is counted apart, in the order in which it is said; what a tool needs for itself comes last
_WORDS: Mapping[str, tuple[str, str]] = {
    "query": ("query", "queries"),
    "read": ("read", "reads"),
    "write": ("write", "writes"),
    "schema": ("schema change", "schema changes"),
    "command": ("command", "commands"),
    "forward": ("forwarding", "forwardings"),
    "file": ("file", "files"),
    "other": ("other statement", "other statements"),
}
_KINDS = {"": "query", "session": "other"}  # of statements
_BAD = ("refused", "failed")


@dataclass
class Tally:
    """One session, or several that share a message.

    What people typed is not in it, only where it stands: `quoted` are the newest flagged acts, by `seq`.
    """

    number: int
    opened: SessionOpened | None = None
    cut: SessionCut | None = None
    closed: SessionClosed | None = None
    closed_seq: int = -1
    last: datetime | None = None  # when the last act was over
    counts: dict[str, int] = field(default_factory=dict)
    read: dict[str, None] = field(default_factory=dict)  # in the order of first use
    written: dict[str, None] = field(default_factory=dict)
    unclear: int = 0  # acts that may have touched more than they name
    failed: int = 0
    flags: dict[str, int] = field(default_factory=dict)
    flagged: int = 0
    quoted: deque[int] = field(default_factory=lambda: deque(maxlen=_QUOTED))

    def learn(self, seq: int, event: Told) -> None:
        """What comes next of it."""
        match event:
            case SessionOpened():
                self.opened = event
            case SessionCut():
                self.cut = self.cut or event
            case SessionClosed():
                self.closed, self.closed_seq = event, seq
            case _:
                self._add(seq, event)

    def _add(self, seq: int, action: Action) -> None:
        word = _word(action)
        self.counts[word] = self.counts.get(word, 0) + 1
        self.last = action.at
        self.unclear += action.coverage != "full"
        self.failed += has_failed(action)
        for touch in action.touches:
            verb, _, what = touch.partition(" ")
            into = self.read if verb == "read" else self.written
            if len(into) < _MOST_NAMED:
                into[what] = None
        if flags := flags_of(action):
            self.flagged += 1
            self.quoted.append(seq)
            for flag in flags:
                self.flags[flag] = self.flags.get(flag, 0) + 1

    def in_words(self) -> str:
        """`12 reads, 2 writes and 1 file`."""
        counted = [(self.counts.get(kind, 0), *words) for kind, words in _WORDS.items()]
        said = [f"{count} {one if count == 1 else many}" for count, one, many in counted if count]
        return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "nothing was run"


def has_failed(action: Action) -> bool:
    """Whether it did not do what it was to do."""
    if isinstance(action, QueryRun):
        return action.outcome not in ("ok", "skipped", "unknown")
    outcome = str(getattr(action, "outcome", "ok"))
    return outcome.startswith(("exit ", "signal ")) or outcome in _BAD or bool(getattr(action, "exit_code", 0))


def flags_of(action: Action) -> tuple[str, ...]:
    """What makes it worth a second look."""
    return tuple(getattr(action, "flags", ()))


def _word(action: Action) -> str:
    if isinstance(action, FileTouched):
        return "file"
    kind = str(getattr(action, "kind", ""))
    if isinstance(action, CommandRun):
        return "forward" if kind == "forward" else "command"
    kind = _KINDS.get(kind, kind)
    return kind if kind in _WORDS else "other"


def number_of(session: str) -> int:
    """`PA-7-2` is the second of its grant; 0 where the id does not say."""
    number = session.rpartition("-")[2]
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def is_name(text: str) -> bool:
    """Whether it names a session, or all of a grant from one on: `PA-7-2`, `PA-7-9+`."""
    return _NAME.fullmatch(text) is not None


def session_key(ref: str, session: str) -> str:
    """The Notebook key of the message that tells of it."""
    number = number_of(session)
    return f"session:{ref}-{ALONE + 1}+" if number > ALONE else f"session:{session}"


def is_lead(session: str) -> bool:
    """Whether its opening makes a message."""
    return number_of(session) <= ALONE + 1


def count(found: dict[str, Tally], entries: Iterable[Entry]) -> None:
    """Add the entries that come next to the tallies, which are kept by the session's id."""
    for entry in entries:
        if isinstance(entry.event, Told):
            session = entry.event.session
            tally = found.get(session)
            if tally is None:
                tally = found[session] = Tally(number_of(session) or len(found) + 1)
            tally.learn(entry.seq, entry.event)


def together(tallies: Sequence[Tally]) -> Tally:
    """Of several at once: one tally; it is closed once all are, and of the last of them says how."""
    whole = Tally(tallies[0].number, tallies[0].opened)
    for tally in tallies:
        for mine, theirs in ((whole.counts, tally.counts), (whole.flags, tally.flags)):
            for name, many in theirs.items():
                mine[name] = mine.get(name, 0) + many
        whole.read |= tally.read
        whole.written |= tally.written
        whole.unclear += tally.unclear
        whole.failed += tally.failed
        whole.flagged += tally.flagged
        whole.last = max(filter(None, (whole.last, tally.last)), default=None)
    whole.quoted.extend(sorted(seq for tally in tallies for seq in tally.quoted))
    if all(tally.closed for tally in tallies):
        final = max(tallies, key=lambda tally: tally.closed_seq)
        whole.closed, whole.closed_seq = final.closed, final.closed_seq
    return whole


def of_message(sessions: Mapping[str, Tally], ref: str, session: str) -> list[Tally]:
    """Those that are told in the same message as this one, in order."""
    key = session_key(ref, session)
    return sorted(
        (tally for name, tally in sessions.items() if session_key(ref, name) == key), key=lambda tally: tally.number
    )


def event_session(event: Event) -> str:
    """The session that an entry is about, empty where it changes no session's message."""
    return event.session if isinstance(event, Told) else ""
