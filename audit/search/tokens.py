"""Texts as the words they are found by: one function for what is indexed and for what is asked.

A word is a run of letters, digits, `_` and the marks that paths, hosts, flags and addresses are made of, in lower
case: `public.orders_main`, `/etc/shadow`, `--force`. It is found whole and by each of its parts. Two neighbouring
words are also indexed as one pair, so that a phrase is looked up like a word and needs no positions.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import sha256
from itertools import chain, pairwise

LONGEST_TEXT = 65_536  # characters of one text that are indexed
LONGEST_WORD = 120  # characters of a word that count
JOINT = "\u00a0"  # stands inside tokens where people write a space; no word contains it
_DEEPEST = 8  # beginnings and endings per word, from either side
_MOST_DERIVED = 250_000  # characters of pairs, beginnings and endings per entry: a tsvector holds a megabyte

_MARKS = "./:@%+~#*-"
_SAFE = f"_{_MARKS}"
_WORD = re.compile(rf"[\w\u0300-\u036f{re.escape(_MARKS)}]+")
_SPLITS = tuple(re.compile(rf"[{re.escape(marks)}]+") for marks in ("/:@%+~#*", "./:@%+~#*", _MARKS))
_BEFORE, _AFTER = ":@%+#*", "./:@%+~#*-"  # marks that belong to the sentence when they stand there


def words_of(text: str) -> list[str]:
    """The whole words, in order."""
    return [word for run in _WORD.findall(lower(text[:LONGEST_TEXT])) if (word := _trimmed(run))]


def lower(text: str) -> str:
    """In lower case, and in the one form (NFC) in which equal letters are equal bytes."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.lower())


def tokens_of(words: list[str]) -> set[str]:
    """Everything that a text of these words is found by."""
    found: set[str] = set()
    for word in words:
        found.update(pieces(word))
    room = _MOST_DERIVED
    for token in chain.from_iterable((pairs(words), *map(ends, words))):
        room -= len(token)
        if room < 0:
            break
        found.add(token)
    return found


def pairs(words: list[str]) -> list[str]:
    """Each two neighbours as one token."""
    return [f"{a[:LONGEST_WORD]}{JOINT}{b[:LONGEST_WORD]}" for a, b in pairwise(words)]


@lru_cache(65_536)
def pieces(word: str) -> tuple[str, ...]:
    """The word and its components: `/etc/a-b.conf` gives itself, `etc`, `a-b.conf`, `a-b`, `conf`, `a`, `b`."""
    found = [word, *word.split("/"), *(piece for split in _SPLITS for piece in split.split(word))]
    return tuple({piece for run in found if (piece := _trimmed(run)[:LONGEST_WORD])})


@lru_cache(65_536)
def ends(word: str) -> tuple[str, ...]:
    """What a dotted or slashed word begins and ends with: `/etc/ssh/x` has `/etc`, `/etc/ssh`, `etc/ssh/x`, `ssh/x`."""
    found: list[str] = []
    if "/" not in word and "." not in word:
        return ()
    for mark, run in ((mark, run) for mark in "/." for run in {word, *_SPLITS[0].split(word)}):
        cuts = [place for place, letter in enumerate(run) if letter == mark]
        found += [run[:cut] for cut in cuts[:_DEEPEST]] + [run[cut + 1 :] for cut in cuts[-_DEEPEST:]]
    return tuple({_trimmed(end)[:LONGEST_WORD] for end in found} - {""})


@lru_cache(65_536)
def label(value: str) -> str:
    """A name or number as part of a token, where nothing is taken apart: lower case, marks and spaces made safe."""
    safe = "".join(c if c.isalnum() or c in _SAFE else JOINT for c in lower(value.strip()))
    return (
        safe if len(safe) <= LONGEST_WORD else f"{safe[: LONGEST_WORD - 17]}~{sha256(safe.encode()).hexdigest()[:16]}"
    )


@lru_cache(65_536)
def _trimmed(run: str) -> str:
    word = run.lstrip(_BEFORE).rstrip(_AFTER)
    return word if any(c.isalnum() or c == "_" for c in word) else ""
