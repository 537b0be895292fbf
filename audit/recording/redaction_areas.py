"""Where in a statement its texts and comments stand: only there is anything taken out of it. Pure.

Or whoever writes something like a secret into a comment could have what the statement does taken out, too. Where a
setting of the session decides what is a text, only what is one either way counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Span = tuple[int, int]

_WORDS = r"""
    (?P<comment>--[^\r\n]*+)|(?P<nested>/\*)
    |(?<![\w$])(?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff]\w*+)?\$)
    |(?:(?<![\w$])[eE](?P<escaped>'(?:[^'\\]|''|\\.)*+'?))
    |(?P<text>'(?:%s|'')*+'?)
    |"(?:[^"]|"")*+"?
"""
_USUAL = re.compile(_WORDS % "[^']", re.VERBOSE | re.DOTALL)
_WITH_ESCAPES = re.compile(_WORDS % r"[^'\\]|\\.", re.VERBOSE | re.DOTALL)  # standard_conforming_strings = off
_EDGE = re.compile(r"/\*|\*/")
_SKIPPED = re.compile(r"(?:\s++|--[^\r\n]*+)*+")
#: what a statement or the body of a function begins with; what begins otherwise is refused by the database as a whole
_BEGINS = re.compile(
    r"[(;<]|(?:abort|alter|analy[sz]e|assert|begin|call|case|checkpoint|close|cluster|comment|commit|continue|copy|create"
    r"|deallocate|declare|delete|discard|do|drop|end|execute|exit|explain|fetch|for|foreach|get|grant|if|import|insert"
    r"|listen|load|lock|loop|merge|move|notify|null|open|perform|prepare|raise|reassign|refresh|reindex|release|reset"
    r"|return|revoke|rollback|savepoint|security|select|set|show|start|table|truncate|unlisten|update|vacuum|values"
    r"|while|with)\b",
    re.IGNORECASE,
)


def taken_within(text: str, spans: Sequence[Span]) -> list[Span]:
    """What of these may be taken: no word of what the statement does. A number says nothing of that."""
    if not spans:
        return []
    numbers = [span for span in spans if text[slice(*span)].replace(".", "").isdigit()]
    return [*numbers, *_shared(_merged(spans), areas(text))]


def areas(text: str) -> list[Span]:
    """In order, and apart from each other."""
    if not _is_code(text):
        return [(0, len(text))]
    found = list(_read(text, _USUAL))
    if "\\'" not in text:
        return found
    both = _shared(found, list(_read(text, _WITH_ESCAPES)))
    return [(start, end - text.endswith("\\", start, end)) for start, end in both]  # it stays to be seen as unclear


def _is_code(text: str) -> bool:
    at, after = 0, -1
    while at != after:
        skipped = _SKIPPED.match(text, at)
        at = after = skipped.end() if skipped else at
        if text.startswith("/*", at):
            at = _end_of_comment(text, at + 2)
    return _BEGINS.match(text, at) is not None


def _read(text: str, words: re.Pattern[str]) -> Iterator[Span]:
    at = 0
    while (found := words.search(text, at)) is not None:
        at = found.end()
        if found["comment"]:
            yield found.start() + 2, at
        elif found["nested"]:
            begin, at = at, _end_of_comment(text, at)
            yield begin, at - 2 * text.endswith("*/", begin, at)
        elif found["dollar"]:
            close = text.find(found["dollar"], at)
            begin, end = at, len(text) if close < 0 else close
            at = min(len(text), end + len(found["dollar"]))
            yield from _body(text, begin, end)
        elif (kind := "text" if found["text"] else "escaped" if found["escaped"] else "") and at > found.start(
            kind
        ) + 1:
            begin, end = found.start(kind) + 1, at - text.endswith("'", 0, at)
            is_body = text[max(0, begin - 12) : begin - 1].rstrip().lower().endswith(("as", "do"))
            yield from _body(text, begin, end) if is_body else ((begin, end),)


def _body(text: str, begin: int, end: int) -> Iterator[Span]:
    """A function's own texts and comments; of any other text all."""
    inner = text[begin:end]
    if not _is_code(inner):
        yield begin, end
        return
    for start, stop in _read(inner, _USUAL):
        yield begin + start, begin + stop


def _end_of_comment(text: str, at: int) -> int:
    """PostgreSQL's comments stand in each other."""
    deep = 1
    while deep and (edge := _EDGE.search(text, at)) is not None:
        deep += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return len(text) if deep else at


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _shared(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What stands in both."""
    shared, n = [], 0
    for start, end in some:
        while n < len(others) and others[n][1] <= start:
            n += 1
        place = n
        while place < len(others) and others[place][0] < end:
            shared.append((max(start, others[place][0]), min(end, others[place][1])))
            place += 1
    return shared
