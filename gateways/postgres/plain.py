"""The short way for what most clients do most of the time: one statement, then its answer, and nothing else meanwhile.

A statement that is alone in its bytes, while nothing else is under way, is recognised and written down in one step; so
is an answer that is whole and holds nothing unusual. What is recorded of them is what the long way makes of the same
bytes. Whatever is not recognised goes the long way, which can take over between the two.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol, runtime_checkable

import msgspec

from audit.recording.writer import Recorder
from gateways.postgres.acts import Exchange
from gateways.postgres.conversation import Conversation
from gateways.postgres.names import LETTERS, Given

try:
    from gateways.postgres._plain import answer as told
    from gateways.postgres._plain import ask as said
except ImportError:  # not compiled here
    RECOGNISES = False
else:
    RECOGNISES = True

_LONGEST = 1000  # characters of a prepared statement; what is longer does not gain from this
_WELL_KNOWN = 1000  # names at once


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Of an exchange that went well, `at` microseconds after the session's beginning."""

    of: Exchange
    at: int
    tag: str
    rows: int | None
    bytes_out: int


@runtime_checkable
class Tape(Protocol):
    """Where lines are kept that need no more looking at."""

    @property
    def recorder(self) -> Recorder: ...

    def asked_line(self, line: bytes, one: Exchange) -> None:
        """In the recording when this returns. Raises RecorderFailed."""
        ...

    def answered_lines(self, lines: bytes, answer: Answer) -> None: ...


class Lane:
    """Of one session."""

    def __init__(self, talk: Conversation, tape: Tape) -> None:
        self._talk = talk
        self._tape = tape
        self._recorder = tape.recorder
        self._names: dict[bytes, tuple[bytes, int, Given]] = {}  # what is certain while nothing goes the long way
        self._bound: Exchange | None = None  # by the last one, and never seen by the long way
        self._is_open = False
        self._words = b""

    def ask(self, data: bytes) -> bool:
        """Whether it is recorded, and can be forwarded. Raises RecorderFailed."""
        talk = self._talk
        if talk.alone is not None:
            self._close()
            return False
        if not self._is_open:
            if not talk.at_rest:
                return False
            self._is_open = True
            self._names.clear()
            self._words = _listed(self._recorder.redaction.words())
        at, n = self._recorder.at, talk.asked + 1
        found = said(data, n, at, self._names, self._words, _MEANING)
        if found is None and self._learn(data):
            found = said(data, n, at, self._names, self._words, _MEANING)
        if found is None:
            self._close()
            return False
        line, given, expects = found
        one = Exchange(n, at, data, given, expects)
        self._tape.asked_line(line, one)
        talk.asked, talk.alone = n, one
        return True

    def answer(self, data: bytes) -> bool:
        """Whether that was all that the statement is answered."""
        talk = self._talk
        one = talk.alone
        if one is None:
            return False
        at = self._recorder.at
        found = told(data, one.n, at, one.expects)
        if found is None:
            self._close()
            return False
        lines, tag, rows, bytes_out, state = found
        if state == "I" and talk.state != "I":
            self._bound = None
            talk.no_portals()
        elif one.given is not None:
            self._bound = one
        talk.alone, talk.state = None, state
        self._tape.answered_lines(lines, Answer(one, at, tag, rows, bytes_out))
        return True

    def _close(self) -> None:
        """From here on the long way, which is told what it has not seen."""
        self._is_open = False
        talk = self._talk
        bound, self._bound = self._bound, None
        if bound is not None and bound.given is not None and talk.state != "I":
            talk.bound(bound.given, bound.asked.values)
        if talk.alone is not None:
            talk.join(talk.alone)

    def _learn(self, data: bytes) -> bool:
        """Whether it runs a statement whose text can be looked up for the next ones."""
        if data[:1] != b"B" or data[5:6] != b"\0" or len(self._names) >= _WELL_KNOWN:
            return False
        name = data[6:].partition(b"\0")[0]
        given = None if name in self._names else self._talk.certain(name.decode("utf-8", "replace"))
        if given is None or len(given.text.text) > _LONGEST:
            return False
        if self._words and self._recorder.redaction.suspects(given.text.text):
            return False
        self._names[name] = (msgspec.json.encode(given.text.text), given.text.size, given)
        return True


@lru_cache(maxsize=64)
def _listed(words: tuple[str, ...]) -> bytes:
    """Each behind its length, of long ones their beginning. Those that are no ASCII stand in no text that is."""
    return b"".join(bytes((len(word),)) + word.encode() for word in (each[:255] for each in words) if word.isascii())


_MEANING = _listed(LETTERS)
