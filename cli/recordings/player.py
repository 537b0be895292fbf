"""A recorded terminal, played: in its own time or faster, without pauses, from one command or error to the next."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..exits import Usage
from ..output import safe, say
from .screen import RESET, Screen

TERMINAL = "Terminal "  # how a comment begins that says what another one is
FAILED = "✗ "  # how a mark begins that says that something failed
KEYS = "space: pause · c: next command · e: next error · /: search · + -: speed · q: quit"


@dataclass(frozen=True)
class Event:
    """`at` in seconds since the beginning; `code` as in asciicast: o, m, r, x."""

    at: float
    code: str
    data: str


@dataclass(frozen=True)
class Cast:
    """`trouble`: what is wrong with the recording, where something is. `terminals`: a line for each it could show."""

    header: dict[str, Any]
    events: list[Event]
    trouble: tuple[str, ...] = ()
    terminals: tuple[str, ...] = ()


def read_cast(lines: Iterable[bytes]) -> Cast:
    """An asciicast v3. Raises Usage."""
    header: dict[str, Any] = {}
    events: list[Event] = []
    said: list[str] = []
    at = 0.0
    for line in lines:
        if line.startswith(b"#"):
            said.append(line[1:].decode("utf-8", "replace").strip())
        elif not header:
            header = json.loads(line)
        elif line.strip():
            interval, code, data = json.loads(line)
            at += interval
            events.append(Event(at, code, data))
    if header.get("version") != 3:
        raise Usage("This is no recording of a terminal.")
    terminals = tuple(text for text in said if text.startswith(TERMINAL))
    return Cast(header, events, tuple(text for text in said if text not in terminals), terminals)


@dataclass
class Wish:
    """`idle`: seconds that a pause lasts at most; None: as long as it was. `search`: where to begin."""

    speed: float = 1.0
    idle: float | None = None
    search: str = ""


@dataclass
class Player:
    """`key` gives what was typed within so many seconds, or nothing; `write` draws."""

    cast: Cast
    wish: Wish
    key: Callable[[float], str]
    write: Callable[[str], None]
    ask: Callable[[], str] = lambda: ""
    _screen: Screen = field(default_factory=Screen)
    _next: int = 0
    _paused: bool = False

    def play(self) -> None:
        """To its end, or until somebody has seen enough."""
        if self.wish.search and not self._skip_to(self._holds(self.wish.search)):
            raise Usage(f"“{safe(self.wish.search)}” was never shown.")
        while self._next < len(self.cast.events):
            if not self._wait():
                return
            if not self._paused:
                self._show()

    def _wait(self) -> bool:
        """Until the next event is due, or a key was typed; False: enough was seen."""
        while self._paused or (left := self._left()) > 0:
            typed = self.key(3600.0 if self._paused else left)
            if not typed:
                return True
            if not self._obey(typed):
                return False
            if self._next >= len(self.cast.events):
                return True
        return True

    def _left(self) -> float:
        """Seconds until the next event; a pause begins anew after each key."""
        before = self.cast.events[self._next - 1].at if self._next else 0.0
        gap = self.cast.events[self._next].at - before
        return (gap if self.wish.idle is None else min(gap, self.wish.idle)) / self.wish.speed

    def _obey(self, typed: str) -> bool:
        if typed == "q":
            return False
        if typed == " ":
            self._paused = not self._paused
        elif typed in "+-":
            self.wish.speed = min(max(self.wish.speed * (2 if typed == "+" else 0.5), 1 / 16), 1024)
        elif typed == "c":
            self._skip_to(lambda event: event.code == "m" and not event.data.startswith(FAILED))
        elif typed == "e":
            self._skip_to(lambda event: event.code == "m" and event.data.startswith(FAILED))
        elif typed == "/" and (text := self.ask()):
            self._skip_to(self._holds(text))
        return True

    def _holds(self, text: str) -> Callable[[Event], bool]:
        wanted = text.casefold()
        return lambda event: event.code in "om" and wanted in event.data.casefold()

    def _skip_to(self, is_it: Callable[[Event], bool]) -> bool:
        """Draw everything up to there at once; False, and nothing, where it does not come any more."""
        events = self.cast.events
        place = next((place for place in range(self._next, len(events)) if is_it(events[place])), None)
        while place is not None and self._next <= place:
            self._show()
        return place is not None

    def _show(self) -> None:
        event = self.cast.events[self._next]
        self._next += 1
        if event.code == "o":
            self.write(self._screen.harmless(event.data))


def play(cast: Cast, wish: Wish) -> None:
    """On this terminal."""
    from .keys import Keys

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    for sentence in cast.terminals:
        say(safe(sentence))
    if cast.terminals:
        say("Another one: --terminal N")
    with Keys() as keys:
        if keys.there:
            say(KEYS)
        try:
            Player(cast, wish, keys.typed if keys.there else _sleep, write, keys.line).play()
        finally:
            write(RESET)
    for sentence in cast.trouble:
        say(safe(sentence))


def _sleep(seconds: float) -> str:
    time.sleep(seconds)
    return ""
