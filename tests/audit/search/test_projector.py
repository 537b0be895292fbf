"""The projections follow the log: idempotent, resumable, derivable again, and without a word of what was erased."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import Connection

from access.errors import Unavailable
from access.events import CATALOGUE, Event
from audit.log import Ledger
from audit.payloads import PayloadKey
from audit.search.facts import Facts
from audit.search.newest import Wanted, newest
from audit.search.projector import VERSION, Progress, Projector, forget, project, write_rows
from audit.search.recheck import _differences, recheck
from audit.search.rows import Subjects, row_of
from audit.search.tables import PARTITION
from store.log import SqlLog
from tests.audit.search.book import NOW, Book, active, asked, command, ended, file, issued, opened, query
from tests.audit.search.test_find import STORY
from tests.people import ADA, LEDGER, LINUS

TABLES = (
    "search_entry", "search_touch", "search_credential", "search_grant", "search_session", "search_zone",
    "search_common",
)  # fmt: skip


def contents(book: Book) -> dict[str, list[tuple[object, ...]]]:
    return (
        {name: sorted(map(tuple, book.sql(f"SELECT * FROM {name}"))) for name in TABLES}
        if book.is_sqlite
        else {
            name: sorted(map(repr, book.run(lambda tx, n=name: tx.exec_driver_sql(f"SELECT * FROM {n}").all())))
            for name in TABLES
        }
    )


def test_the_size_of_a_batch_makes_no_difference(book: Book) -> None:
    book.say(*STORY)
    book.index(limit=1)
    one_by_one = contents(book)
    assert book.recheck() is None
    book.rebuild()
    assert contents(book) == one_by_one
    assert book.recheck() is None


def test_a_batch_that_fails_leaves_nothing_and_is_done_again(book: Book) -> None:
    book.say(*STORY)
    book.index(limit=5)
    before = contents(book)
    book.say(query("after the crash"))

    class Crash(Exception):
        pass

    def crash(tx: Connection) -> None:
        project(tx, LEDGER)
        raise Crash

    with pytest.raises(Crash):
        book.run(crash)
    assert contents(book) == before
    assert book.index() == len(STORY)
    assert book.run(lambda tx: project(tx, LEDGER)) == Progress(len(STORY), more=False)
    assert book.recheck() is None


def test_what_another_version_derived_is_derived_again(book: Book) -> None:
    book.say(*STORY)
    book.index()
    book.sql("UPDATE search_progress SET version = :old", old=VERSION - 1)
    assert book.seqs("shadow") == [7]  # from the log itself, as nothing counts as indexed
    assert book.find("shadow").looked.indexed_to == -1
    book.index()
    assert book.find("shadow").looked.indexed_to == len(STORY) - 1
    assert book.recheck() is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Newer(Event):
    """A kind that this version does not know; taken out of the catalogue after it was written."""

    TAG: ClassVar[str] = "newer.kind"
    target: str
    what: str
    many: tuple[str, ...]


def test_an_entry_of_an_unknown_kind_is_indexed_by_what_it_says(book: Book) -> None:
    CATALOGUE[Newer.TAG] = Newer
    try:
        book.say(
            asked("PA-1"), Newer(at=NOW, by=ADA, ref="PA-1", target="moon", what="Lunar landing", many=("one", "two"))
        )
    finally:
        del CATALOGUE[Newer.TAG]
    book.say(query("select 1"))
    for _ in ("behind the index", "indexed"):
        assert book.seqs("lunar actor:ada target:moon ticket:OPS-412 two") == [1]
        assert book.seqs("select") == [2]
        book.index()
    assert book.recheck() is None


def test_texts_that_databases_dislike(book: Book) -> None:
    nasty = "nul \0 quote ' \" back\\slash \u2028 🧾 ﷽ ı İ ß %s :name {0} \ud7ff"
    book.say(
        asked(reason=nasty, ticket="O'R\0-1", target="t\\n'"),
        query(nasty, "read table:we\0ird.'t'"),
        query("x" * 60_000),
    )
    book.say(query(" ".join(f"/a{n}/b.c" for n in range(5_000))))
    book.index()
    assert book.recheck() is None
    assert book.seqs("back slash") == book.seqs('"nul quote"') == [1, 0]
    assert book.seqs('"/a4999/b.c"') == [3]
    assert "\0" not in book.find("slash").hits[0].text


def test_following_the_log(book: Book) -> None:
    class Feed:
        """Says at once that there is more, until told to stop."""

        def __init__(self) -> None:
            self.waits: list[int] = []

        async def wait(self, after: int, timeout: float) -> bool:
            self.waits.append(after)
            if len(self.waits) == 3:
                raise asyncio.CancelledError
            book.say(query(f"later {after}"))
            return True

    class Projections:
        failures = 1

        async def project(self, limit: int) -> Progress:
            if self.failures:
                self.failures -= 1
                raise Unavailable("Not now.")
            return book.run(lambda tx: project(tx, LEDGER, limit))

    book.say(*(query(f"n {n}") for n in range(401)))
    feed = Feed()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Projector(Projections(), feed).run())  # type: ignore[arg-type]
    assert feed.waits == [400, 401, 402]
    assert book.find("later").looked.indexed_to == 402


def test_the_log_grows_beyond_a_partition(book: Book) -> None:
    def grow(tx: Connection) -> list[int]:
        seqs = range(PARTITION - 3, PARTITION + 3)
        rows = [row_of(Facts(seq, seq, "x", "", None, {"why": f"word {seq % 2}"}), Subjects()) for seq in seqs]
        write_rows(tx, rows[:2])
        write_rows(tx, rows[2:])
        return newest(tx, Wanted((("word",), ("1",)), (), 0, 2 * PARTITION), 50)

    assert book.run(grow) == [PARTITION + 1, PARTITION - 1, PARTITION - 3]
    if not book.is_sqlite:
        options = "SELECT reloptions FROM pg_class WHERE relname LIKE 'search_entry%words%' AND relkind = 'i'"
        assert [sorted(row[0]) for row in book.sql(options)] == [["fastupdate=on", "gin_pending_list_limit=1024"]] * 2


# Erasing


def test_erasing_takes_the_words_out_and_leaves_the_rest(book: Book) -> None:
    book.say(asked(reason="my brother's zanzibar"), query("select zanzibar", "read table:a.b"), query("zanzibar again"))
    book.index()
    assert book.seqs("zanzibar") == [2, 1, 0]
    book.erase(0)
    book.erase(1)
    for _ in ("forgotten", "derived again"):
        assert book.seqs("zanzibar") == [2]
        assert book.seqs("ticket:OPS-412") == [2, 1, 0]
        assert book.seqs("table:a.b") == [1]
        assert [hit.text for hit in book.find("ref:PA-1").hits] == ["zanzibar again", "(erased)", "(erased)"]
        assert book.recheck() is None
        book.rebuild()


def test_erasing_what_is_not_indexed_yet(book: Book) -> None:
    book.say(query("early zanzibar"))
    book.index()
    book.say(query("late zanzibar"))
    book.erase(1)
    assert book.seqs("zanzibar") == [0]
    book.index()
    assert book.seqs("zanzibar") == [0]


def test_no_trace_of_an_erased_word_is_left_on_disk(book: Book) -> None:
    if not book.is_sqlite:
        pytest.skip("PostgreSQL's vacuum takes it")
    book.say(*(query(f"filler {n}") for n in range(700)), query("the zanzibarian secret"), *STORY)
    book.index(limit=50)
    path = book.database.engine.url.database
    assert path is not None

    def on_disk() -> bool:
        book.database.engine.dispose()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(path, "rb") as file:  # noqa: PTH123
            return b"zanzibarian" in file.read()

    assert on_disk()
    book.erase(700)
    book.index()
    assert not on_disk()
    assert book.seqs("filler", limit=1000) == list(range(699, -1, -1))
    assert book.recheck() is None


def test_a_batch_in_flight_and_an_erasure_wait_for_each_other(fresh_database: str) -> None:
    """On PostgreSQL: the batch has read the text; the erasure must still find its row."""
    book = Book(fresh_database)
    book.say(query("zanzibar"))

    async def both() -> None:
        read, go = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def batch(tx: Connection) -> None:
            project(tx, LEDGER)
            loop.call_soon_threadsafe(read.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(20)

        writing = asyncio.ensure_future(book.database.write(batch))
        await read.wait()
        erasing = asyncio.ensure_future(asyncio.to_thread(book.erase, 0))
        await asyncio.sleep(0.2)
        assert not erasing.done()
        go.set()
        await asyncio.gather(writing, erasing)

    asyncio.run(both())
    assert book.seqs("zanzibar") == []
    assert book.recheck() is None
    book.close()


async def test_erased_words_leave_the_index_while_the_log_is_busy(book: Book) -> None:
    """There is always a next entry, and so never a batch without one."""
    if not book.is_sqlite:
        pytest.skip("PostgreSQL's vacuum takes it")
    log = SqlLog(book.database, LEDGER)
    book.say(*(query(f"filler {n}") for n in range(300)), query("the zanzibarian secret"))
    while (await log.project(50)).more:
        pass
    book.erase(300)
    for n in range(20):
        book.say(query(f"busy {n}"))
        assert (await log.project(50)).seq == 301 + n
    assert not _somewhere(book, b"zanzibarian")
    assert book.recheck() is None


async def test_erased_words_do_not_stay_in_the_write_ahead_file(book: Book) -> None:
    if not book.is_sqlite:
        pytest.skip("PostgreSQL's vacuum takes it")
    log = SqlLog(book.database, LEDGER)
    book.say(query("the zanzibarian secret"))
    while (await log.project(50)).more:
        pass
    reading = book.database.engine.connect().execution_options(prodaccess_begin="BEGIN")
    reading.exec_driver_sql("SELECT count(*) FROM search_entry").one()
    book.erase(0)
    while (await log.project(50)).more:
        pass
    assert _somewhere(book, b"zanzibarian"), "whoever reads an older state holds it up"
    reading.close()
    await log.project(50)
    assert not _somewhere(book, b"zanzibarian")


def _somewhere(book: Book, word: bytes) -> bool:
    path = Path(str(book.database.engine.url.database))
    return any(word in file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


# Checking


def test_checking_quotes_nobodys_words(book: Book) -> None:
    """As with another key than the texts were sealed by."""
    book.say(query("select zanzibar"), asked(reason="my brother's zanzibar"))
    book.index()
    stranger = Ledger(LEDGER.origin, PayloadKey(b"x" * 32))
    told = book.run(lambda tx: list(_differences(tx, stranger)))
    assert len(told) >= 4
    assert "zanzibar" not in str(told)
    assert "brother" not in str(told)


def test_checking_writes_nothing(book: Book) -> None:
    book.say(*STORY)
    book.index()

    def check(tx: Connection) -> str | None:
        if book.is_sqlite:
            with sqlite3.connect(str(book.database.engine.url.database), timeout=0.1) as other:
                other.execute("BEGIN IMMEDIATE")  # somebody else is writing meanwhile
                found = recheck(tx, LEDGER)
            other.close()
            return found
        tx.exec_driver_sql("SET TRANSACTION READ ONLY")
        return recheck(tx, LEDGER)

    assert book.database.transact(check, write=False) is None


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        ("UPDATE search_entry SET actor = 'nobody' WHERE seq = 4", "search_entry 4: actor is 'nobody'"),
        ("UPDATE search_entry SET at = at + 1 WHERE seq = 9", "search_entry 9: at"),
        ("DELETE FROM search_entry WHERE seq = 7", "search_entry has no 7"),
        ("DELETE FROM search_touch WHERE seq = 5 AND object = 'table:orders'", "search_touch of entry 5"),
        ("UPDATE search_touch SET actor = 'nobody' WHERE seq = 7", "search_touch of entry 7"),
        ("INSERT INTO search_touch SELECT 'path:/x', target, seq, op, at, actor_id, actor FROM search_touch"
         " WHERE seq = 7 AND object = 'path:/etc/**'", "search_touch has"),
        ("DELETE FROM search_credential", "search_credential 15 is not as in the ledger"),
        ("UPDATE search_credential SET about = replace(about, 'ada', 'eve')", "search_credential 15"),
        ("INSERT INTO search_credential SELECT 14, at, ref, about FROM search_credential", "search_credential 14"),
        ("INSERT INTO search_credential SELECT 16, at, ref, about FROM search_credential", "search_credential has 2"),
        ("UPDATE search_grant SET ended_at = NULL", "search_grant PA-1"),
        ("DELETE FROM search_session", "search_session s1"),
        ("UPDATE search_zone SET first_at = first_at + 1", "search_zone 0"),
        ("UPDATE search_progress SET seq = 99", "the ledger ends at 15"),
    ],
)  # fmt: skip
def test_whatever_was_changed_is_named(book: Book, tampering: str, said: str) -> None:
    book.say(*STORY, issued("PA-2", NOW + timedelta(hours=2), by=ADA))
    book.index()
    book.sql(tampering)
    assert said in str(book.recheck())
    book.rebuild()
    assert book.recheck() is None


def test_words_taken_out_of_the_row_or_only_out_of_its_index_are_missed(book: Book) -> None:
    book.say(*STORY)
    book.index()
    if book.is_sqlite:
        book.sql("UPDATE search_entry SET words = replace(words, ' shadow ', ' ') WHERE seq = 7")
    else:
        book.sql("UPDATE search_entry SET words = ts_delete(words, 'shadow') WHERE seq = 7")
    assert "search_entry 7: its words differ from the ledger's" in str(book.recheck())
    book.rebuild()
    if book.is_sqlite:
        (words,) = book.sql("SELECT words FROM search_entry WHERE seq = 7").one()
        delete = "INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', 7, :words)"
        book.sql(delete, words=words)
        assert "search_words" in str(book.recheck())


def test_what_is_derived_of_a_grant_and_a_session_reaches_later_entries(book: Book) -> None:
    book.say(asked("PA-5", target="db", ticket="OPS-5"), active("PA-5", NOW), opened("s9", ref="PA-5", host="h-1"))
    book.index()
    book.say(query("select 1", ref="PA-5", session="s9", target=""), ended("PA-5", NOW + timedelta(hours=1)))
    book.index()
    hit = book.find("select").hits[0]
    assert (hit.target, hit.ticket, hit.host, hit.role) == ("orders-db", "OPS-5", "h-1", "read")
    assert book.seqs("ticket:OPS-5") == [4, 3, 2, 1, 0]


def test_forgetting_twice_is_forgetting_once(book: Book) -> None:
    book.say(command("rm zanzibar", by=LINUS), file("read path:/a/b"))
    book.index()
    for _ in range(2):
        book.erase(0)
        book.run(lambda tx: forget(tx, [0]))
    assert book.seqs("zanzibar") == []
    book.index()
    assert book.recheck() is None
