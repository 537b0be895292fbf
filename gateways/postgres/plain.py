"""The short way for what most clients do most of the time: one statement, then its answer, and nothing else meanwhile.

A statement that is alone in its bytes, while nothing else is under way, is recognised and written down in one step; so
is an answer that is whole and holds nothing unusual. What is recorded of them is what the long way makes of the same
bytes. Whatever is not recognised goes the long way, which can take over between the two. A connection on which nothing
else is said is carried: its statements pass without Python, until one of them is not plain.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, runtime_checkable

import msgspec

from audit.recording.writer import Recorder, RecorderFailed
from gateways.postgres import messages as m
from gateways.postgres.acts import Exchange
from gateways.postgres.conversation import Conversation
from gateways.postgres.lending import Lent
from gateways.postgres.loop import Carrier
from gateways.postgres.names import LETTERS, Given

try:
    from gateways.postgres._plain import Lane, grouped
    from gateways.postgres._plain import answer as told
    from gateways.postgres._plain import ask as said
except ImportError:  # not compiled here
    RECOGNISES = False
else:
    RECOGNISES = True

_LONGEST = 1000  # characters of a prepared statement; what is longer does not gain from this
_WELL_KNOWN = 1000  # names at once
_IN_A_ROW = 2  # plain answers, after which the next ones are expected to be plain, too
_GRANT = 256 << 10  # bytes that may be recorded before the disk is asked for more: some 600 statements


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Of an exchange that went well, `at` microseconds after the session's beginning."""

    of: Exchange
    at: int
    tag: str
    rows: int | None
    bytes_out: int


class Carried(Protocol):
    """What passes without Python."""

    def flush(self) -> None:
        """What waits is recorded. Raises OSError."""
        ...

    def told(self) -> bytes:
        """What is over since, a list of `Run` in JSON."""
        ...


class Left(msgspec.Struct):
    """How a connection is handed back. `n` statements were said by now, `ended`: a transaction has, since it rode.

    `asked` runs since `at`, if anything does; its answer will begin with `expects`. `bound` and `bound_n`: the last one
    with values, in a transaction that goes on; `queried`: the last simple query, if any. Of what the client has said,
    `said` is not plain, and `unsent` is recorded and not taken by the server; of what the server has, `answer` is not
    plain, and `untaken` was not by the client. What was not taken is as it goes out, sealed where there is TLS.
    `failed`: an errno of the recording; `torn`: one end takes nothing any more.
    """

    n: int
    at: int
    expects: int
    runs: bool
    state: str
    ended: bool
    asked: bytes
    bound: bytes
    bound_n: int
    queried: int
    said: bytes
    unsent: bytes
    answer: bytes
    untaken: bytes
    failed: int
    torn: bool


@runtime_checkable
class Tape(Protocol):
    """Where lines are kept that need no more looking at."""

    @property
    def recorder(self) -> Recorder: ...

    def asked_line(self, line: bytes, one: Exchange) -> None:
        """In the recording when this returns. Raises RecorderFailed."""
        ...

    def answered_lines(self, lines: bytes, answer: Answer) -> None: ...

    def carry(self, carried: Carried) -> None:
        """From now on it writes the recording itself. Raises RecorderFailed."""
        ...

    def carried_back(self, alone: Exchange | None) -> None:
        """And does not any more; `alone` runs, and was written down."""
        ...


class ShortWay:
    """Of one session."""

    def __init__(self, talk: Conversation, tape: Tape) -> None:
        self._talk = talk
        self._tape = tape
        self._recorder = tape.recorder
        self._names: dict[bytes, tuple[bytes, int, Given]] = {}  # what is certain while nothing goes the long way
        self._bound: Exchange | None = None  # by the last one, and never seen by the long way
        self._is_open = False
        self._words = b""
        self._in_a_row = 0
        self._lends = tape.recorder.lend(0) is not None
        self._carried: Lane | None = None

    @property
    def is_likely(self) -> bool:
        """Whether what comes next can be expected to be plain."""
        return self._lends and self._in_a_row >= _IN_A_ROW

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
        if given is None:
            talk.queried = n
        return True

    def answer(self, data: bytes) -> bool:
        """Whether that was all that the statement is answered."""
        talk = self._talk
        one = talk.alone
        if one is None:
            if self._is_open:  # it speaks without being asked
                self._close()
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
        self._in_a_row += 1
        return True

    def hand_over(self, carrier: Carrier, ends: tuple[Lent, Lent], back: Callable[[], None]) -> bool:
        """Let what comes pass by itself until `back` is called; False where nothing can. Raises RecorderFailed."""
        adder = self._recorder.lend(_GRANT)
        if adder is None:
            return False
        lane = self._carried
        if lane is None:
            lane = self._carried = Lane(adder, self._words, _MEANING, self._recorder.began)
            for name, (text, size, _) in self._names.items():
                lane.name(name, text, size)
        try:
            self._tape.carry(lane)
            carrier.ride(lane, ends, back, (self._talk.asked, self._talk.state, _GRANT))
        except (OSError, RecorderFailed) as error:
            self._tape.carried_back(None)
            self._recorder.lent_back(_GRANT)
            if isinstance(error, RecorderFailed):
                raise
            return False
        return True

    def take_back(self, carrier: Carrier, client: int) -> Left:
        """From here on it is asked again."""
        talk, lane = self._talk, self._carried
        assert lane is not None  # it was handed over
        left = Left(**carrier.leave(lane, client))
        talk.asked, talk.state, talk.queried = left.n, left.state, left.queried or talk.queried
        if left.ended:
            self._bound = None
            talk.no_portals()
        if left.bound:
            self._bound = self._exchange(left, left.bound_n, left.bound)
        talk.alone = self._exchange(left, left.n, left.asked) if left.runs else None
        self._tape.carried_back(talk.alone)
        self._recorder.lent_back(_GRANT)
        return left

    def _exchange(self, left: Left, n: int, data: bytes) -> Exchange:
        given = self._names[_name_in(data)][2] if data[:1] == b"B" else None
        return Exchange(n, left.at, data, given, left.expects)

    def _close(self) -> None:
        """From here on the long way, which is told what it has not seen."""
        self._is_open, self._in_a_row, self._carried = False, 0, None
        talk = self._talk
        bound, self._bound = self._bound, None
        if bound is not None and bound.given is not None and talk.state != "I":
            talk.bound(bound.n, bound.given, bound.asked.values)
        if talk.alone is not None:
            talk.join(talk.alone)

    def _learn(self, data: bytes) -> bool:
        """Whether it runs a statement whose text can be looked up for the next ones."""
        if data[:1] != b"B" or data[5:6] != b"\0" or len(self._names) >= _WELL_KNOWN:
            return False
        name = _name_in(data)
        if not name:  # taken away by the next query
            return False
        given = None if name in self._names else self._talk.certain(m.named(name))
        if given is None or len(given.text.text) > _LONGEST:
            return False
        if self._words and self._recorder.redaction.suspects(given.text.text):
            return False
        text = msgspec.json.encode(given.text.text)
        self._names[name] = (text, given.text.size, given)
        if self._carried is not None:
            self._carried.name(name, text, given.text.size)
        return True


def _name_in(bind: bytes) -> bytes:
    """Of the statement, where the portal has none."""
    return bind[6:].partition(b"\0")[0]


@lru_cache(maxsize=64)
def _listed(words: tuple[str, ...]) -> bytes:
    """Each behind its length, of long ones their beginning. Those that are no ASCII stand in no text that is."""
    return grouped(b"".join(bytes((len(word),)) + word.encode() for each in words if (word := each[:255]).isascii()))


_MEANING = _listed(LETTERS) if RECOGNISES else b""
