"""Very many touches are not all counted, and the answer says from where on they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from audit.search.projector import VERSION, write_rows
from audit.search.query import parse_query
from audit.search.reach import reach_of
from audit.search.rows import Row
from audit.search.tail import Tail
from audit.search.terms import Touch
from audit.search.touchers import MOST_TOUCHES, People, Touches, people_of
from tests.audit.search.book import NOW, Book, query
from tests.people import LEDGER

THING, PLACES, ENTRIES = "path:/etc/**", ("db", "web", "api"), 3_000
#: where in the log it is touched, of ten entries how many
SPREADS: dict[str, Callable[[int], int]] = {
    "evenly": lambda _: 10,
    "now and then": lambda _: 2,
    "in a burst long ago": lambda seq: 10 * (seq < 900),
    "in two bursts": lambda seq: 10 * (seq < 400 or 2_000 < seq < 2_400),
    "at last": lambda seq: 10 * (seq > 2_900),
}


def row(seq: int, often: int) -> Row:
    random = Random(seq)
    touches = (Touch(random.choice(("read", "write")), "path:/etc/shadow"),) if random.randrange(10) < often else ()
    who, place = f"p{random.randrange(9)}", random.choice(PLACES)
    return Row(
        seq, seq, "file", "", who, who, place, "", "", "", "", "", "full", "", frozenset({f"w{seq}"}), touches, ()
    )  # fmt: skip


def fill(book: Book, rows: list[Row]) -> None:
    book.run(lambda tx: write_rows(tx, rows))
    book.sql("UPDATE search_progress SET version = :version, seq = :seq", version=VERSION, seq=len(rows) - 1)
    book.sql("UPDATE ledger_frontier SET size = :size", size=len(rows))


def people(book: Book, most: int, said: str = "") -> People:
    asked = parse_query(f"{THING} {said}", NOW)
    return book.run(
        lambda tx: people_of(tx, asked, Touches(THING, PLACES, most), reach_of(tx, Tail(tx, LEDGER), asked))
    )


@pytest.mark.parametrize("spread", SPREADS)
def test_the_newest_are_counted_from_a_place_on(book: Book, spread: str) -> None:
    rows = [row(seq, SPREADS[spread](seq)) for seq in range(ENTRIES)]
    fill(book, rows)
    touching = [one for one in rows if one.touches]
    for most, said in ((10_000, ""), (len(touching), ""), (len(touching) - 1, ""), (300, "op:write"), (40, "")):
        meant = [one for one in touching if not said or one.touches[0].op == "write"]
        found = people(book, most, said)
        start = 0 if found.counted_from is None else found.counted_from
        counted = [one for one in meant if one.seq >= start]
        assert {(p.actor, p.target, p.op): p.count for p in found.lines} == Counter(
            (one.actor, one.target, one.touches[0].op) for one in counted
        )
        assert found.more == (found.counted_from is not None) == (len(meant) > most)
        assert min(len(meant), most) // 4 <= len(counted) <= most
        assert [p.last_seq for p in found.lines] == sorted((p.last_seq for p in found.lines), reverse=True)


def test_who_touched_says_where_its_counts_begin(book: Book) -> None:
    rows = [row(seq, 10) for seq in range(MOST_TOUCHES + 1)]
    fill(book, rows)
    touched = book.touched(THING)
    assert touched.counted_from is not None
    assert touched.more_people
    assert sum(one.count for one in touched.people) == len(rows) - touched.counted_from
    few = book.touched(f"{THING} op:write")
    assert (few.counted_from, few.more_people) == (None, False)
    assert sum(one.count for one in few.people) == sum(one.touches[0].op == "write" for one in rows)


def test_few_touches_are_counted_in_full_behind_the_index_too(book: Book) -> None:
    book.say(query("select 1", "read table:a.t"))
    book.index()
    book.say(query("select 1", "read table:a.t"))
    touched = book.touched("table:a.t")
    assert ([one.count for one in touched.people], touched.counted_from) == ([2], None)
