"""Asking the log: on both engines, through the index and behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy import text as sql

from access.errors import BadInput
from access.events import AskRefused, LogQuiet, RequestDenied
from access.model import Person
from audit.search.facts import facts_of
from audit.search.index import among
from audit.search.query import accepts, parse_query
from audit.search.rows import Row, Subjects, row_of
from audit.search.tables import ZONE
from audit.search.tail import Tail
from audit.search.touchers import MOST_PEOPLE
from tests.audit.search.book import NOW, Book, active, asked, command, ended, file, issued, opened, query
from tests.people import ADA, GRACE, LEDGER, LINUS

DAY = timedelta(days=1)
STORY = (
    asked("PA-1"),  # 0
    asked("PA-2", by=ADA, target="web", ticket="OPS-99", reason="disk full"),
    active("PA-1", NOW + timedelta(minutes=1)),
    opened("s1", ref="PA-1"),
    query("SELECT * FROM public.orders WHERE id = 4711", "read table:public.orders"),
    query("UPDATE public.refunds SET paid = true FROM public.orders o", "write table:public.refunds",
          "read table:public.orders"),
    query("DO $$ BEGIN PERFORM fix(); END $$", coverage="opaque"),
    command("sudo cat /etc/shadow", "read path:/etc/shadow"),
    command("bash fix.sh", coverage="opaque"),
    file("write path:/etc/ssh/sshd_config"),
    file("read path:/var/log/nginx/access.log", host="use1-web-2"),
    RequestDenied(at=NOW, ref="PA-3", by=GRACE, reason="refunds are not stuck", rule="orders-db/read"),
    AskRefused(at=NOW, by=LINUS, target="orders-db", role="write", duration=DAY, reason="", ticket="", policy_hash="p",
               rule="r", why="no rule"),
    LogQuiet(at=NOW + timedelta(minutes=5)),
    ended("PA-1", NOW + timedelta(minutes=61)),  # 14
)  # fmt: skip

QUESTIONS = [
    ("", [14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
    ("actor:ada", [10, 9, 8, 7, 1]),
    ("actor:T0ACME/U0LINUS type:db.query", [6, 5, 4]),
    ("ref:PA-2", [10, 9, 8, 7, 1]),
    ("ticket:OPS-412", [14, 6, 5, 4, 3, 2, 0]),
    ("ticket:OPS-*", [14, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
    ("OPS-412", [14, 6, 5, 4, 3, 2, 0]),
    ("target:web", [10, 9, 8, 7, 1]),
    ("table:public.orders", [5, 4]),
    ("table:public.*", [5, 4]),
    ("table:orders", [5, 4]),
    ("table:public.orders op:write", []),
    ("table:public.refunds op:write", [5]),
    ("op:write", [9, 5]),
    ("path:/etc/**", [9, 7]),
    ("path:/etc/shadow", [7]),
    ("path:/etc/** op:write", [9]),
    ("host:use1-*", [10, 9, 8, 7, 6, 5, 4, 3]),
    ("host:use1-db-003", [6, 5, 4, 3]),
    ("host:use1-web-2", [10]),
    ("session:s1", [6, 5, 4, 3]),
    ("coverage:opaque", [8, 6]),
    ("coverage:opaque -actor:ada", [6]),
    ("type:request.*", [11, 1, 0]),
    ("stuck", [11, 0]),
    ('"refunds stuck"', [0]),
    ('"refunds stuck since the deploy"', [0]),
    ('"stuck since deploy"', []),
    ("stuck -denied -deploy", [11]),
    ("-actor:ada -actor:linus", [14, 13, 11, 2]),
    ("shadow", [7]),
    ("/etc", [7]),
    ('"from public.orders"', [5, 4]),
    ("4711", [4]),
    ("sudo /etc/shadow", [7]),
    ("orders", [11, 5, 4, 1, 0]),  # the rule is `orders-db/read`
    ("nosuchword", []),
    ("shadow 4711", []),
]


@pytest.mark.parametrize("indexed", [15, 7, 0], ids=["indexed", "half indexed", "not indexed"])
def test_what_is_asked_is_found_newest_first(book: Book, indexed: int) -> None:
    book.say(*STORY[:indexed]) if indexed else None
    book.index(limit=4)
    book.say(*STORY[indexed:]) if indexed < len(STORY) else None
    for text, expected in QUESTIONS:
        assert (text, book.seqs(text)) == (text, expected)
    looked = book.find("stuck").looked
    assert (looked.indexed_to, looked.head, looked.missed) == (indexed - 1, 14, None)


def test_a_hit_is_a_line_of_an_answer(book: Book) -> None:
    book.say(*STORY)
    book.index()
    (hit,) = book.find("4711").hits
    assert (hit.seq, hit.at, hit.type, hit.ref, hit.actor) == (4, NOW, "db.query", "PA-1", "linus")
    assert (hit.target, hit.role, hit.ticket, hit.session, hit.host) == (
        "orders-db", "read", "OPS-412", "s1", "use1-db-003",
    )  # fmt: skip
    assert (hit.op, hit.coverage, hit.text) == ("read", "full", "SELECT * FROM public.orders WHERE id = 4711")


def test_an_answer_says_that_there_is_more(book: Book) -> None:
    book.say(*(query(f"select {n}") for n in range(60)))
    book.index()
    book.say(query("select 60"))
    found = book.find("select", limit=50)
    assert ([hit.seq for hit in found.hits], found.more, found.count) == (list(range(60, 10, -1)), True, "50+")
    exact = book.find("select", limit=61)
    assert (len(exact.hits), exact.more, exact.count) == (61, False, "61")


def test_a_gap_too_long_to_read_is_said(book: Book) -> None:
    book.say(*STORY)
    book.index()
    book.say(*(query(f"needle {n}") for n in range(10)))
    tail = book.run(lambda tx: Tail(tx, LEDGER, length=4))
    assert [row.seq for row in tail.rows] == [24, 23, 22, 21]
    assert tail.looked.missed == (15, 20)


def test_times_bound_by_when_it_happened_not_by_when_it_was_written(book: Book) -> None:
    """A late entry tells of last month; the zones still find it."""
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for day in range(12):
        book.say(*(query(f"tick {day}", at=first + timedelta(days=day, seconds=n)) for n in range(ZONE // 8)))
    (late,) = book.say(query("tick late", at=first - DAY * 20), query("tick now", at=first + DAY * 12))[:1]
    book.index()
    assert book.seqs("tick before:2025-12-31") == [late]
    assert book.seqs("tick after:2026-01-13") == [late + 1]
    third = book.seqs("after:2026-01-03 before:2026-01-04", limit=1000)
    assert third == list(range(3 * ZONE // 8 - 1, 2 * ZONE // 8 - 1, -1))
    assert book.seqs("tick after:2026-01-12 before:2026-01-13T00:00:00Z late") == []
    assert book.seqs("after:2027-01-01") == book.seqs("before:2020-01-01") == []


def test_the_index_means_what_the_definition_means(book: Book) -> None:
    """For each question the index's answer is exactly the entries that `accepts` takes."""
    book.say(*STORY)
    book.index()
    subjects = Subjects()
    rows: list[Row] = [row_of(facts_of(seq, event), subjects) for seq, event in enumerate(STORY)]
    for text, _ in QUESTIONS:
        meant = [row.seq for row in reversed(rows) if accepts(parse_query(text, NOW), row)]
        assert (text, book.seqs(text)) == (text, meant)


def test_far_back_and_through_every_window(book: Book) -> None:
    """Words that stand only far behind the newest entries, which PostgreSQL asks its index for in windows."""
    book.say(*(query(f"common {'rare' if n in (3, 500) else ''} {'mid' if n % 97 == 0 else ''}") for n in range(600)))
    for _ in range(12):
        book.say(*(query("common filler") for _ in range(500)))
    book.index()
    for text, expected in {
        "rare": [500, 3],
        "mid": [582, 485, 388, 291, 194, 97, 0],
        "common": list(range(6599, 6549, -1)),
        "rare common": [500, 3],
        "common -filler": list(range(599, 549, -1)),
        "-filler": list(range(599, 549, -1)),
        "-filler -mid -rare before:2026-12-01": [n for n in range(599, 0, -1) if n % 97 and n != 500][:50],
    }.items():
        assert (text, book.seqs(text)) == (text, expected)


# Who touched


def test_who_touched_for_certain_and_who_may_have(book: Book) -> None:
    book.say(*STORY)
    book.index()
    touched = book.touched("table:public.orders")
    assert [hit.seq for hit in touched.definite] == [5, 4]
    assert [hit.seq for hit in touched.possible] == [6]  # opaque, at the target where this table is
    assert touched.places == ("orders-db",)
    assert [(p.actor, p.op, p.count, p.last_seq) for p in touched.people] == [("linus", "read", 2, 5)]
    written = book.touched("table:public.orders op:write")
    assert (written.definite, [hit.seq for hit in written.possible], written.people) == ((), [6], ())


def test_who_touched_a_place_or_a_host(book: Book) -> None:
    book.say(*STORY)
    book.index()
    touched = book.touched("path:/etc/**")
    assert ([h.seq for h in touched.definite], [h.seq for h in touched.possible]) == ([9, 7], [8])
    assert {(p.actor, p.op) for p in touched.people} == {("ada", "read"), ("ada", "write")}
    assert [hit.seq for hit in book.touched("host:use1-web-1").definite] == [9, 8, 7]
    assert [(p.actor, p.op) for p in book.touched("host:use1-db-003").people] == [("linus", "connect")]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_table_named_without_its_schema_may_be_the_one_that_is_meant(book: Book, indexed: bool) -> None:
    """Which schema it was in, the session's search path said; only another schema's name rules it out."""
    book.say(
        opened("s1", ref="PA-1"),
        query("UPDATE invoices SET paid = true", "write table:invoices"),  # 1
        query("UPDATE archive.invoices SET paid = true", "write table:archive.invoices"),
        query("SELECT * FROM public.invoices", "read table:public.invoices"),  # 3
        query("SELECT * FROM invoices", "read table:invoices"),  # 4
    )
    book.index() if indexed else None
    touched = book.touched("table:public.invoices")
    assert ([hit.seq for hit in touched.definite], [hit.seq for hit in touched.possible]) == ([3], [4, 1])
    assert touched.places == ("orders-db",)
    assert [hit.seq for hit in book.touched("table:public.invoices op:write").possible] == [1]
    assert [hit.seq for hit in book.touched("table:public.invoices", limit=1).possible] == [4]
    assert [hit.seq for hit in book.touched("table:invoices").definite] == [4, 3, 2, 1]


def test_who_touched_what_nobody_has_named(book: Book) -> None:
    """It may be anywhere, so everything opaque may have touched it."""
    book.say(*STORY)
    book.index()
    touched = book.touched("table:secret.table")
    assert (touched.definite, [hit.seq for hit in touched.possible], touched.places) == ((), [8, 6], ())
    assert book.touched("table:secret.table target:web").possible[0].seq == 8
    assert book.touched("table:secret.table before:2026-11-01").possible == ()


@pytest.mark.parametrize("indexed", [True, False])
def test_credentials_that_nobody_recorded_are_counted_where_they_could_be_used(book: Book, indexed: bool) -> None:
    book.say(asked("PA-1"), active("PA-1", NOW), issued("PA-1", NOW), opened("s1", ref="PA-1"))  # recorded
    book.say(asked("PA-2", by=ADA), active("PA-2", NOW), issued("PA-2", NOW, by=ADA))
    book.say(ended("PA-2", NOW + DAY))
    book.say(asked("PA-3", target="web"), active("PA-3", NOW), issued("PA-3", NOW), issued("PA-3", NOW + DAY * 3))
    book.index() if indexed else None
    for question, refs in {
        "table:public.orders": ["PA-3", "PA-3", "PA-2"],
        "table:public.orders op:write coverage:full delete": ["PA-3", "PA-3", "PA-2"],  # cannot be told of a credential
        "table:public.orders target:orders-db": ["PA-2"],
        "table:public.orders actor:linus": ["PA-3", "PA-3"],
        "table:public.orders ref:PA-1": [],
        f"table:public.orders before:{(NOW + DAY).isoformat()}": ["PA-3", "PA-2"],
        f"table:public.orders after:{(NOW + DAY / 2).isoformat()}": ["PA-3", "PA-3", "PA-2"],  # issued before, in force
        f"table:public.orders after:{(NOW + DAY * 2).isoformat()}": ["PA-3", "PA-3"],
        f"table:public.orders before:{NOW.isoformat()}": [],
    }.items():
        touched = book.touched(question)
        assert (question, [hit.ref for hit in touched.credentials]) == (question, refs)
        assert touched.unrecorded == len(refs)
    book.say(query("select 1", "read table:public.orders", ref="PA-1"))
    assert [hit.ref for hit in book.touched("table:public.orders").credentials] == ["PA-2"], "known to be at orders-db"
    limited = book.touched("table:x.y", limit=1)
    assert (len(limited.credentials), limited.unrecorded) == (1, 3)


@pytest.mark.parametrize("indexed", [4, 1, -1])
def test_people_are_counted_within_the_times(book: Book, indexed: int) -> None:
    for day in range(5):
        who = ADA if day % 2 else LINUS
        book.say(query("select 1", "read table:a.t", by=who, at=NOW + DAY * day, session=f"s{day}"))
        if day == indexed:
            book.index()
    touched = book.touched(f"table:a.t after:{(NOW + DAY).isoformat()} before:{(NOW + DAY * 4).isoformat()}")
    assert [(p.actor, p.count, p.first, p.last) for p in touched.people] == [
        ("ada", 2, NOW + DAY, NOW + DAY * 3), ("linus", 1, NOW + DAY * 2, NOW + DAY * 2),
    ]  # fmt: skip


def test_very_many_people_are_cut_off_and_that_is_said(book: Book) -> None:
    people = [Person(f"T0ACME/U{n}", f"p{n}", f"U{n}") for n in range(MOST_PEOPLE + 1)]
    book.say(*(query("select 1", "read table:a.t", by=who) for who in people[:-1]))
    book.index()
    assert (len(book.touched("table:a.t").people), book.touched("table:a.t").more_people) == (MOST_PEOPLE, False)
    book.say(query("select 1", "read table:a.t", by=people[-1]), query("select 1", "read table:a.t", by=people[0]))
    for _ in ("behind the index", "indexed"):
        touched = book.touched("table:a.t")
        assert (len(touched.people), touched.more_people) == (MOST_PEOPLE, True)
        assert [(p.actor, p.count) for p in touched.people[:2]] == [("p0", 2), (f"p{MOST_PEOPLE}", 1)]
        book.index()


@pytest.mark.parametrize("text", ["actor:ada", "table:a.b table:c.d", "host:use1-*", "orders"])
def test_who_touched_needs_one_object(book: Book, text: str) -> None:
    with pytest.raises(BadInput, match="Name one object"):
        book.touched(text)


# Who had access


def test_who_had_access_at_a_time(book: Book) -> None:
    hour = timedelta(hours=1)
    book.say(
        asked("PA-1"), asked("PA-2", by=ADA), asked("PA-3", target="web"), active("PA-1", NOW), active("PA-3", NOW)
    )
    book.index()
    book.say(active("PA-2", NOW + hour), ended("PA-1", NOW + hour * 2))
    for _ in ("behind the index", "indexed"):
        assert book.holders("orders-db", NOW - hour).accesses == ()
        assert [a.ref for a in book.holders("orders-db", NOW).accesses] == ["PA-1"]
        both = book.holders("orders-db", NOW + hour).accesses
        assert [(a.ref, a.person, a.role, a.ticket) for a in both] == [
            ("PA-2", "ada", "read", "OPS-412"), ("PA-1", "linus", "read", "OPS-412"),
        ]  # fmt: skip
        assert (both[1].opened_at, both[1].expires_at, both[1].ended_at) == (NOW, NOW + hour, NOW + hour * 2)
        assert [a.ref for a in book.holders("orders-db", NOW + hour * 2).accesses] == ["PA-2"]
        book.index()


def test_one_parameter_names_many_values_whatever_is_in_them(book: Book) -> None:
    texts = ["PA-1", "", 'a "quoted" \\ one', "{a,b}", "NULL", "two\nlines", "ü 🧾", "'"]
    for values, kind in ((texts, "text"), ([0, 7, 2**62], "bigint")):
        found = [book.run(partial(is_among, values=values, kind=kind, one=one)) for one in (*values, type(values[0])())]
        assert found == [True] * (len(values) + 1)
        assert not book.run(partial(is_among, values=[], kind=kind, one=values[0]))
    assert not book.run(partial(is_among, values=texts, kind="text", one="a"))


def is_among(tx: Connection, values: list[Any], kind: str, one: object) -> bool:
    named, bound = among(tx, values, kind)
    return bool(tx.execute(sql(f"SELECT CAST(:one AS {kind}) {named}"), {"one": one, "values": bound}).scalar_one())
