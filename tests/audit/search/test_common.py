"""Common words are told by their bits, and nothing is found by them that is not there."""

from __future__ import annotations

from functools import cache, partial
from random import Random

from sqlalchemy import Connection

from audit.search import index
from audit.search.common import COMMON, are_common, bits_of, together
from audit.search.newest import Wanted, newest
from audit.search.projector import write_rows
from audit.search.rows import Row
from audit.search.tables import BLOCK
from tests.audit.search.book import Book

ENTRIES = BLOCK * 3 + 1_000
#: of how many entries each has one, and in which block it does not stand
OFTEN = {
    "all": (1, -1), "half": (2, -1), "some": (9, -1), "parted": (3, 1), "early": (7, 2), "scarce": (50, -1),
    "seldom": (300, -1), "rare": (9_000, -1),
}  # fmt: skip


@cache
def words_at(seq: int) -> frozenset[str]:
    random = Random(seq)
    here = {word for word, (often, gap) in OFTEN.items() if random.randrange(often) == 0 and gap != seq // BLOCK}
    return frozenset(here | ({"odd"} if seq % 2 else {"even"}))


def row(seq: int) -> Row:
    return Row(seq, seq, *("",) * 12, words_at(seq), (), ())


def fill(book: Book, entries: int) -> None:
    book.run(lambda tx: write_rows(tx, [row(seq) for seq in range(entries)]))


def expected(wanted: Wanted, limit: int) -> list[int]:
    def meant(seq: int) -> bool:
        words = words_at(seq)
        return all(words & set(group) for group in wanted.require) and not words & set(wanted.exclude)

    first, last = wanted.after or 0, ENTRIES if wanted.before is None else wanted.before
    places = range(min(wanted.high, last) - 1, max(wanted.low, first) - 1, -1)
    return [seq for seq in places if meant(seq)][:limit]


def question(random: Random) -> Wanted:
    words = (*OFTEN, "odd", "even", "nowhere")
    groups = [tuple(random.sample(words, random.choice((1, 1, 2, 3)))) for _ in range(random.choice((0, 1, 2, 2, 3)))]
    exclude = tuple(random.sample(words, random.choice((0, 0, 1, 2))))
    low, high = random.choice((0, 5_000, BLOCK)), random.choice((2 * BLOCK, 3 * BLOCK, 3 * BLOCK - 7, ENTRIES))
    after, before = random.choice((None, 6_000)), random.choice((None, 20_000))
    return Wanted(tuple(groups), exclude, low, high, after, before)


def test_the_answer_is_that_of_looking_at_every_entry(book: Book) -> None:
    fill(book, ENTRIES)
    random, by_bits = Random(5), 0
    for _ in range(25):
        wanted, limit = question(random), random.choice((1, 50, 500))
        found = book.run(lambda tx, w=wanted, n=limit: newest(tx, w, n))  # type: ignore[misc]
        assert (wanted, found) == (wanted, expected(wanted, limit))
        by_bits += book.run(partial(asked_by_bits, wanted=wanted))
    assert by_bits > 6, "else only the index was asked"
    assert book.run(never_together) == ([], ("nowhere",))


def asked_by_bits(tx: Connection, wanted: Wanted) -> bool:
    return bool(wanted.require) and are_common(tx, wanted.require, range(ENTRIES // BLOCK))


def never_together(tx: Connection) -> tuple[list[int], tuple[str, ...]]:
    """The entries, and what is left to ask the index for."""
    found = together(tx, (("odd", "nowhere"), ("even",)), (), range(3))
    return list(found.entries), found.others


def test_an_entry_whose_words_are_taken_out_has_no_bits(book: Book) -> None:
    fill(book, BLOCK)
    gone = [seq for seq in range(BLOCK) if "scarce" in words_at(seq)]
    book.run(lambda tx: index.strip(tx, gone[: -COMMON - 1], "(erased)"))
    assert book.run(partial(kept, word="scarce")) == {0: COMMON + 1}
    book.run(lambda tx: index.strip(tx, gone[-COMMON - 1 : -COMMON + 1], "(erased)"))
    assert book.run(partial(kept, word="scarce")) == {}, "it is no longer common"
    left = book.run(lambda tx: bits_of(index.words_of(tx, 0, BLOCK)))
    assert left == dict(book.sql("SELECT word, bits FROM search_common WHERE block = 0").all())


def kept(tx: Connection, word: str) -> dict[int, int]:
    rows = tx.exec_driver_sql(f"SELECT block, bits FROM search_common WHERE word = '{word}'").all()
    return {block: int.from_bytes(bits, "little").bit_count() for block, bits in rows}
