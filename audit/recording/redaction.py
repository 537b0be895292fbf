"""Secrets taken out of what is kept for people to search and read; what is forwarded is never touched.

A recording that is not kept raw goes through here before it is written, and everything does before it is in the log.
Whatever is too much to be looked through is taken out as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from audit.recording.redaction_areas import Span, taken_within
from audit.recording.redaction_rules import COMMANDS, QUOTED, RULES, Rule
from audit.recording.redaction_sql import Said, secret_places

MASK = "[redacted]"
_MOST_PLACES = 4_000  # of one text, at which something may stand
_RUN = re.compile(r"\$\(|`")
_LONGEST_REST = 4_096  # characters of a secret in a stream
_TAIL = 320  # characters of a stream that are looked at again with what follows
#: what is rare in statements, and stands in the words that are looked for: one character is found faster than a word
_SIGNS = ("-", ":", ".", "gh", "z", "x", "j", "k", "wd", "ss", "ia", "ecr", "tif", "rer", "thub")
_AS_IF = "A" * 24 + "@"  # what could follow: a piece that ends like this may end within a secret


@dataclass(frozen=True, slots=True)
class Redacted:
    """A statement without its secrets, and from how many places they were taken."""

    text: str
    values: tuple[str, ...]
    count: int


@dataclass
class Redaction:
    """Of one session, in the order in which things happen in it. `raw`: its recording keeps what was said."""

    more: tuple[Rule, ...] = ()
    raw: bool = False
    _tainted: set[str] = field(default_factory=set)  # names of statements whose values are secret
    _words: tuple[tuple[str, list[str]], ...] = ()  # that a secret has near it, by a sign within them

    def __post_init__(self) -> None:
        self._sql_rules, self._line_rules = (*RULES, *self.more), (*COMMANDS, *self.more)
        words = sorted({word for rule in self._sql_rules for word in rule.near}, key=len)
        signs: dict[str, list[str]] = {}
        for n, word in enumerate(words):
            if not any(part in word for part in words[:n]):
                signs.setdefault(next((sign for sign in _SIGNS if sign in word), ""), []).append(word)
        self._words = tuple(signs.items())
        self._all = tuple(word for near in signs.values() for word in near)

    def sql(self, text: str, values: Sequence[str] = (), *, exact: bool = True) -> Redacted:
        """A statement and the values that go with it. Not `exact`: it may be another text that they go with."""
        if not self.suspects(text, values):
            return Redacted(text, tuple(values), 0)
        low = _lower(text)
        found = secret_places(text, Said(self._tainted, exact))
        spans = taken_within(text, [*found.spans, *_spans(text, low, self._sql_rules)])
        masked, count = _masked(text, spans)
        kept = []
        for n, value in enumerate(values, 1):
            kept_value, more = (MASK, int(value != MASK)) if found.takes(n) else self.line(value, self._sql_rules)
            kept.append(kept_value)
            count += more
        return Redacted(masked, tuple(kept), count)

    def suspects(self, text: str, values: Sequence[str] = ()) -> bool:
        """Whether a statement has to be looked at at all. Asked of each, so that it takes a microsecond and no more."""
        low = ("\0".join((text, *values)) if values else text).lower()
        for sign, words in self._words:
            if sign in low:
                for word in words:
                    if word in low:
                        return True
        return bool(self._tainted) and "execute" in low

    def words(self) -> tuple[str, ...]:
        """In lower case: a statement that holds none of them is not suspect now."""
        if self.raw:
            return ()
        return (*self._all, "execute") if self._tainted else self._all

    def line(self, text: str, rules: Sequence[Rule] | None = None) -> tuple[str, int]:
        """A command line or another text, and from how many places something was taken."""
        if rules is not None:
            return _masked(text, list(_spans(text, _lower(text), rules)))
        spans = _spans(text, _lower(text), self._line_rules)
        return _masked(text, [(start, end) for start, end in spans if not _runs(text, start, end)])

    def stream(self) -> Stream:
        return Stream((*RULES, *self.more))


@dataclass
class Stream:
    """Output that comes in pieces, cut anywhere: what began as a secret in one piece is taken out of the next, too."""

    rules: tuple[Rule, ...]
    count: int = 0
    _tail: str = ""
    _rest: re.Pattern[str] | None = None
    _left: int = 0

    def feed(self, data: bytes) -> bytes:
        """The same without its secrets. Bytes that are no text pass as they are."""
        text = self._after_rest(data.decode("latin-1"))
        if not text:
            return b""
        window, begin = self._tail + text, len(self._tail)
        spans = []
        for rule, start, end in _places(window + _AS_IF, (window + _AS_IF).lower(), self.rules):
            if end > len(window) > start:
                self._rest, self._left = QUOTED.get(window[start - 1 : start], rule.rest), _LONGEST_REST
            if min(end, len(window)) > max(start, begin):
                spans.append((max(start, begin) - begin, min(end, len(window)) - begin))
        self._tail = window[-_TAIL:]
        masked, count = _masked(text, spans)
        self.count += count
        return masked.encode("latin-1")

    def _after_rest(self, text: str) -> str:
        """What of it does not belong to a secret that is taken out already."""
        if self._rest is None:
            return text
        found = self._rest.match(text)
        own = min(found.end() if found else 0, self._left)
        self._left -= own
        if own < len(text) or not self._left:
            self._rest, self._tail = None, ""
        return text[own:]


def _lower(text: str) -> str:
    """As long as it was: one letter alone becomes two in lower case."""
    low = text.lower()
    return low if len(low) == len(text) else text.replace("\u0130", "I").lower()


def _spans(text: str, low: str, rules: Sequence[Rule]) -> Iterator[Span]:
    return ((start, end) for _, start, end in _places(text, low, rules))


def _places(text: str, low: str, rules: Sequence[Rule]) -> Iterator[tuple[Rule, int, int]]:
    places = 0
    for rule in rules:
        for word in rule.near:
            at = low.find(word)
            while at >= 0:
                places += 1
                if places > _MOST_PLACES:
                    yield rule, at, len(text)
                    return
                found = rule.at(text, at)
                if found is not None:
                    yield rule, *found
                at = low.find(word, at + len(word) if found is None else max(found[1], at + len(word)))


def _runs(text: str, start: int, end: int) -> bool:
    """Between double quotes a shell runs what stands in these: that is no secret, and must not be hidden as one."""
    return text[start - 1 : start] == '"' and _RUN.search(text, start, end) is not None


def _masked(text: str, spans: Sequence[Span]) -> tuple[str, int]:
    """Overlapping ones are one; what is masked already is no new place."""
    parts, count, done = [], 0, 0
    for start, end in sorted(spans):
        if end <= done or start == end or text[start:end] == MASK:
            continue
        if start >= done:
            parts += [text[done:start], MASK]
            count += 1
        done = end
    return "".join((*parts, text[done:])) if parts else text, count
