"""Where common words stand: one bit for each entry of a block, so that words that are seldom together cost little.

An index of words walks through all hits of the rarer one, and common words have millions. Their bits are a fraction
of that. A word is common in a block, or not; what is not common, the index finds fast.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import and_, or_

from sqlalchemy import ColumnElement, Connection, LargeBinary, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import SQLModel

from audit.search.tables import BLOCK, SearchCommon
from audit.statement import inserting

COMMON = BLOCK // 64  # entries of a block in which a common word stands, at least
_BYTES = BLOCK // 8
_AT_ONCE = 500  # words of one question
_TABLE = SQLModel.metadata.tables["search_common"]
_INSERT = inserting(SearchCommon)


@dataclass(frozen=True, slots=True)
class Together:
    """The entries, newest first, in which one common token of every group stands; `others` are the tokens by which
    yet others may be meant."""

    entries: Iterator[int]
    others: tuple[str, ...]


def bits_of(entries: Iterable[tuple[int, Collection[str]]]) -> dict[str, bytes]:
    """Of all entries of one block, with their words: the common ones. The first entry is the lowest bit."""
    places: dict[str, list[int]] = defaultdict(list)
    for seq, words in entries:
        for word in words:
            places[word].append(seq % BLOCK)
    return {word: _packed(found) for word, found in places.items() if len(found) >= COMMON}


def keep(tx: Connection, block: int, bits: Mapping[str, bytes]) -> None:
    """In a database where the block is not there yet."""
    if rows := [{"word": word, "block": block, "bits": value} for word, value in sorted(bits.items())]:
        _INSERT.run_many(tx, rows)


def forget(tx: Connection, seq: int, words: Sequence[str]) -> None:
    """An entry no longer has these words."""
    of, bit = _TABLE.c, ~(1 << seq % BLOCK)
    for i in range(0, len(words), _AT_ONCE):
        this = (of.block == seq // BLOCK, of.word.in_(words[i : i + _AT_ONCE]))
        for word, old in tx.execute(select(of.word, of.bits).where(*this)).all():
            left, here = int.from_bytes(old, "little") & bit, (of.block == seq // BLOCK, of.word == word)
            if left.bit_count() < COMMON:
                tx.execute(_TABLE.delete().where(*here))
            else:
                tx.execute(_TABLE.update().where(*here).values(bits=left.to_bytes(_BYTES, "little")))


def are_common(tx: Connection, groups: Sequence[Sequence[str]], blocks: range) -> bool:
    """Whether of every group one token at least is common somewhere, so that the index alone may be slow."""
    of, tokens = _TABLE.c, set(chain.from_iterable(groups))
    known = set(tx.execute(select(of.word).where(of.word.in_(tokens), *_within(blocks)).distinct()).scalars())
    return all(known & set(group) for group in groups)


def together(tx: Connection, groups: Sequence[Sequence[str]], exclude: Sequence[str], blocks: range) -> Together:
    """In whole blocks."""
    tokens = set(chain.from_iterable(groups))
    bits: dict[str, bytearray] = defaultdict(lambda: bytearray(len(blocks) * _BYTES))
    counts = Counter[str]()
    for word, block, some in _stored(tx, {*tokens, *exclude}, blocks):
        place = (block - blocks.start) * _BYTES
        bits[word][place : place + _BYTES] = some
        counts[word] += 1
    known = {word: int.from_bytes(its, "little") for word, its in bits.items()}
    both = reduce(and_, (_any(known, group) for group in groups)) & ~_any(known, exclude)
    others = tuple(sorted(token for token in tokens if counts[token] < len(blocks)))
    return Together(_entries(both.to_bytes(len(blocks) * _BYTES, "little"), blocks), others)


def _stored(tx: Connection, words: Collection[str], blocks: range) -> Iterator[tuple[str, int, bytes]]:
    """PostgreSQL's client takes longer for a thousand rows than the server does; so they come as one for each word."""
    of, which = _TABLE.c, (_TABLE.c.word.in_(words), *_within(blocks))
    if tx.dialect.name == "sqlite":
        yield from tx.execute(select(of.word, of.block, of.bits).where(*which)).all()
        return
    joined = aggregate_order_by(literal(b"", LargeBinary), of.block)
    asked = select(of.word, func.array_agg(aggregate_order_by(of.block, of.block)), func.string_agg(of.bits, joined))
    for word, places, bits in tx.execute(asked.where(*which).group_by(of.word)).all():
        for i, block in enumerate(places):
            yield word, block, bits[i * _BYTES : (i + 1) * _BYTES]


def _within(blocks: range) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _TABLE.c.block >= blocks.start, _TABLE.c.block < blocks.stop


def _entries(bits: bytes, blocks: range) -> Iterator[int]:
    for block in reversed(blocks):
        place = (block - blocks.start) * _BYTES
        left = int.from_bytes(bits[place : place + _BYTES], "little")
        while left:
            highest = left.bit_length() - 1
            yield block * BLOCK + highest
            left ^= 1 << highest


def _any(bits: Mapping[str, int], words: Iterable[str]) -> int:
    return reduce(or_, (bits.get(word, 0) for word in words), 0)


def _packed(places: Iterable[int]) -> bytes:
    bits = bytearray(_BYTES)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)
