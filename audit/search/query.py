"""The query language: `actor:ada table:public.orders op:write after:2026-11-01 "exact phrase" word -word`.

Everything said must hold. A value in quotes may hold spaces; a star stands for the rest of a name, after one of its
separators; `-` in front leaves out. Days are UTC days: `after:` from their beginning, `before:` up to it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from access.errors import BadInput
from access.events import CATALOGUE
from audit.canonical import micros
from audit.search.rows import Row
from audit.search.terms import COVERAGES, FIELDS, OBJECTS, object_label, object_term, ranges, term
from audit.search.tokens import LONGEST_WORD, label, pairs, words_of

LONGEST = 500  # characters
MOST_PARTS = 20
_TIMES = ("after", "before", "last")
KEYS = (*FIELDS, *OBJECTS, *_TIMES)
_PART = re.compile(
    r'(?P<not>-)?(?:(?P<key>[A-Za-z_]+):(?!//))?(?:"(?P<quoted>[^"]*)(?P<end>"?)|(?P<bare>[^\s"]+)|(?=\s|$))'
)
_LAST = re.compile(r"(\d{1,4})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WORD_FIELDS = ("actor", "target", "ticket", "ref", "host")  # what a bare word may name, too


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. Of each tuple in `require` one token must be there; none of `exclude` may be."""

    text: str
    require: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()  # of three words and more; their pairs are required already
    objects: tuple[str, ...] = ()  # `table:public.orders`, `path:/etc/**`
    ops: tuple[str, ...] = ()
    host: str = ""
    after: datetime | None = None  # from here on
    before: datetime | None = None  # up to here, but not at it


def accepts(query: Query, row: Row) -> bool:
    """Whether an entry is meant: the definition that the index only speeds up."""
    return (
        all(any(token in row.words for token in group) for group in query.require)
        and not any(token in row.words for token in query.exclude)
        and all(any(contains(words, phrase) for words in row.said) for phrase in query.phrases)
        and all(_touched(row, thing, op) for thing in query.objects for op in query.ops)
        and within(query, row.at)
    )


def parse_query(text: str, now: datetime) -> Query:
    """Raises BadInput, which says where and what may have been meant."""
    if len(text) > LONGEST:
        raise BadInput(f"A query has at most {LONGEST} characters; this has {len(text)}.", field="query")
    query, place, count = Query(text.strip()), 0, 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        part = _read(text, place)
        query = _with(query, part, now)
        place, count = part.end, count + 1
        if count > MOST_PARTS:
            raise BadInput(f"A query has at most {MOST_PARTS} parts.", field="query")
    if query.after and query.before and query.after >= query.before:
        raise BadInput("Nothing lies between these times: `after:` is not earlier than `before:`.", field="query")
    return query


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a query and where it stands (characters from 0)."""

    key: str
    value: str
    negated: bool
    quoted: bool
    start: int
    end: int

    def wrong(self, why: str) -> BadInput:
        return BadInput(f"{why} (at character {self.start + 1})", field="query")


def _read(text: str, place: int) -> _Part:
    found = _PART.match(text, place)
    assert found is not None, "the pattern matches at every place that is no space"
    quoted = found["quoted"] is not None
    value = found["quoted"] if quoted else (found["bare"] or "")
    key = (found["key"] or "").lower()
    part = _Part(key, value.strip(), bool(found["not"]), quoted, place, found.end())
    if quoted and not found["end"]:
        raise part.wrong("A quote is not closed.")
    if found.end() < len(text) and not text[found.end()].isspace():
        raise part.wrong("After a quote comes a space." if quoted else "A quote begins in the middle of a word.")
    if not part.value:
        raise part.wrong(f"Something must follow `{key}:`." if key else "There is nothing to look for here.")
    return part


def _with(query: Query, part: _Part, now: datetime) -> Query:
    if not part.key:
        return _with_words(query, part)
    if part.key not in KEYS:
        raise part.wrong(_unknown(part))
    if part.key in _TIMES:
        return _with_time(query, part, now)
    if part.key in OBJECTS:
        return _with_object(query, part)
    tokens = _MAKERS.get(part.key, _name)(part)
    if part.negated:
        return replace(query, exclude=(*query.exclude, *tokens))
    query = replace(query, require=(*query.require, tokens))
    if part.key == "op":
        return replace(query, ops=(*query.ops, label(part.value)))
    return replace(query, host=part.value) if part.key == "host" else query


# Words and phrases


def _with_words(query: Query, part: _Part) -> Query:
    words = words_of(part.value)
    if not words:
        raise part.wrong(f"`{part.value}` holds no letter or digit to look for.")
    if "*" in part.value and not part.quoted:
        raise part.wrong("A star works in names, like `host:use1-*`, not in words.")
    tokens = _any_of(words[0], part) if len(words) == 1 else tuple(pairs(words))
    if part.negated:
        if len(words) > 2:
            raise part.wrong("What is left out is a word, or a phrase of two.")
        return replace(query, exclude=(*query.exclude, *tokens))
    if len(words) == 1:
        return replace(query, require=(*query.require, tokens))
    phrases = (*query.phrases, tuple(words)) if len(words) > 2 else query.phrases
    return replace(query, require=(*query.require, *((token,) for token in tokens)), phrases=phrases)


def _any_of(word: str, part: _Part) -> tuple[str, ...]:
    """A word stands in a text, or, where it is not quoted, names somebody or something."""
    names = () if part.quoted else tuple(term(name, part.value) for name in _WORD_FIELDS)
    return (word[:LONGEST_WORD], *names)


def contains(words: list[str], phrase: tuple[str, ...]) -> bool:
    """Whether the words of a phrase stand side by side."""
    size = len(phrase)
    return any(tuple(words[i : i + size]) == phrase for i in range(len(words) - size + 1))


# Names


def _name(part: _Part) -> tuple[str, ...]:
    separators = FIELDS[part.key][1]
    if "*" in part.value and not (
        part.value.count("*") == 1 and part.value.endswith("*") and part.value[-2:-1] in separators and separators
    ):
        where = f"ends in a star after one of {' '.join(separators)}" if separators else "is given whole"
        raise part.wrong(f"`{part.key}:` {where}.")
    return (term(part.key, part.value),)


def _type(part: _Part) -> tuple[str, ...]:
    value = part.value.lower()
    found = tuple(tag for tag in CATALOGUE if fnmatchcase(tag, value))
    if not found:
        raise part.wrong(f"There is no kind of entry `{part.value}`.{_nearest(value, CATALOGUE, 'type:')}")
    return tuple(term("type", tag) for tag in found)


def _coverage(part: _Part) -> tuple[str, ...]:
    if part.value.lower() not in COVERAGES:
        raise part.wrong(f"`coverage:` is one of {', '.join(COVERAGES)}.")
    return (term("coverage", part.value),)


def _ref(part: _Part) -> tuple[str, ...]:
    value = part.value if not part.value.isdigit() else f"PA-{part.value}"
    return (term("ref", value),)


_MAKERS: dict[str, Callable[[_Part], tuple[str, ...]]] = {"type": _type, "coverage": _coverage, "ref": _ref}


def _with_object(query: Query, part: _Part) -> Query:
    thing = object_label(part.key, part.value)
    body, star, _ = thing.partition("*")
    ending = "/**" if part.key == "path" else ".*"
    if star and not (thing.endswith(ending) and "*" not in thing[: -len(ending)] and len(body) > len(part.key) + 2):
        likely = f"{part.key}:{part.value.split('*')[0].rstrip('/.') or 'NAME'}{ending}"
        raise part.wrong(f"`{part.key}:` names one {part.key}, or all in one place. Did you mean `{likely}`?")
    token = object_term(thing)
    if part.negated:
        return replace(query, exclude=(*query.exclude, token))
    return replace(query, require=(*query.require, (token,)), objects=(*query.objects, thing))


def _touched(row: Row, thing: str, op: str) -> bool:
    return any(touch.op == op and thing in ranges(touch.object) for touch in row.touches)


# Times


def _with_time(query: Query, part: _Part, now: datetime) -> Query:
    if part.negated:
        raise part.wrong(f"`{part.key}:` cannot be left out: use the other one of `after:` and `before:`.")
    if part.key == "before":
        moment = _moment(part)
        return replace(query, before=moment if query.before is None else min(moment, query.before))
    moment = _moment(part) if part.key == "after" else _ago(part, now)
    return replace(query, after=moment if query.after is None else max(moment, query.after))


def _moment(part: _Part) -> datetime:
    try:
        moment = datetime.fromisoformat(part.value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise part.wrong(f"`{part.key}:` takes a day or a time, like 2026-11-01 or 2026-11-01T03:12.") from None


def _ago(part: _Part, now: datetime) -> datetime:
    found = _LAST.fullmatch(part.value.lower())
    if found is None:
        raise part.wrong("`last:` takes a number and m, h, d or w, like last:7d.")
    return now - timedelta(**{_UNITS[found[2]]: int(found[1])})


def within(query: Query, at: int) -> bool:
    """Whether a time, in microseconds, is among those that are asked for."""
    return (query.after is None or micros(query.after) <= at) and (query.before is None or at < micros(query.before))


# What may have been meant


def _unknown(part: _Part) -> str:
    hint = _nearest(part.key, KEYS, "", ":") or f" It can be one of {', '.join(KEYS)}."
    return f'There is no `{part.key}:`.{hint} To look for the text itself, put it in quotes: "{part.key}:{part.value}".'


def _nearest(value: str, known: object, before: str, after: str = "") -> str:
    found = difflib.get_close_matches(value, list(known), 1, 0.6)  # type: ignore[call-overload]
    return f" Did you mean `{before}{found[0]}{after}`?" if found else ""
