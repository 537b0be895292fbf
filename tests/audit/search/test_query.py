"""The query language: what it means, and what it says when it is not understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import BadInput
from audit.search.query import LONGEST, Query, parse_query
from audit.search.tokens import JOINT
from tests.audit.search.book import NOW


def parse(text: str) -> Query:
    return parse_query(text, NOW)


def test_everything_at_once() -> None:
    query = parse(
        "actor:ada table:public.orders path:/etc/** op:write ticket:OPS-* target:orders-db ref:PA-7 after:2026-11-01 "
        'before:2026-11-03T12:00+02:00 coverage:opaque host:use1-db-* session:s1 "stuck since monday" deploy -test'
    )
    assert query.require[:10] == (
        ("a=ada",), ("=table:public.orders",), ("=path:/etc/**",), ("o=write",), ("k=ops-*",), ("t=orders-db",),
        ("r=pa-7",), ("c=opaque",), ("h=use1-db-*",), ("s=s1",),
    )  # fmt: skip
    assert query.require[10:12] == ((f"stuck{JOINT}since",), (f"since{JOINT}monday",))
    assert query.phrases == (("stuck", "since", "monday"),)
    assert query.require[12][0] == "deploy"
    assert "k=deploy" in query.require[12]  # a bare word may name a ticket, too
    assert query.exclude[0] == "test"
    assert (query.objects, query.ops, query.host) == (("table:public.orders", "path:/etc/**"), ("write",), "use1-db-*")
    assert query.after == datetime(2026, 11, 1, tzinfo=UTC)
    assert query.before == datetime(2026, 11, 3, 10, 0, tzinfo=UTC)


def test_nothing_asked_is_everything() -> None:
    assert parse("  ") == Query("")


def test_kinds_are_matched_when_the_query_is_read() -> None:
    assert set(parse("type:credential.*").require[0]) == {
        "y=credential.intended", "y=credential.issued", "y=credential.aborted", "y=credential.died",
    }  # fmt: skip
    assert parse("type:db.query").require == (("y=db.query",),)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("path:/etc/", "path:/etc/**"),
        ("ref:7", "ref:PA-7"),
        ("ACTOR:Ada", "actor:ada"),
        ('table:"public.orders"', "table:public.orders"),
        ("id=5", '"id 5"'),
    ],
)
def test_two_ways_to_say_one_thing(text: str, same: str) -> None:
    assert parse(text).require == parse(same).require


def test_times() -> None:
    assert parse("last:7d").after == NOW - timedelta(days=7)
    assert parse("last:90m last:2d").after == NOW - timedelta(minutes=90)  # all of it must hold
    assert parse("after:2026-11-01 after:2026-11-02").after == datetime(2026, 11, 2, tzinfo=UTC)
    assert parse("before:2026-11-01T03:12Z").before == datetime(2026, 11, 1, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("actr:ada", "Did you mean `actor:`"),
        ("word actr:ada", "(at character 6)"),
        ("localhost:5432", 'put it in quotes: "localhost:5432"'),
        ("type:credential.isued", "Did you mean `type:credential.issued`"),
        ("type:nonsense", "no kind of entry `nonsense`"),
        ("coverage:none", "full, partial, opaque"),
        ("path:/etc/*.conf", "Did you mean `path:/etc/**`"),
        ("path:/**", "names one path"),
        ("table:orders*", "Did you mean `table:orders.*`"),
        ("ticket:OPS*", "ends in a star after one of -"),
        ("ticket:O*-1", "ends in a star after one of -"),
        ("actor:ad*", "is given whole"),
        ("sel*ct", "A star works in names"),
        ("after:yesterday", "2026-11-01"),
        ("before:0001-01-01T00:00+23:00", "takes a day or a time"),
        ("last:week", "last:7d"),
        ("after:2026-11-02 before:2026-11-02", "Nothing lies between"),
        ("-after:2026-11-02", "cannot be left out"),
        ('"open', "not closed"),
        ('wo"rd"', "in the middle of a word"),
        ('"a"b', "comes a space"),
        ("actor:", "must follow `actor:`"),
        ("-", "nothing to look for"),
        ('""', "nothing to look for"),
        ("🧾", "no letter or digit"),
        ('-"a b c"', "a phrase of two"),
        ("x" * (LONGEST + 1), "at most 500 characters; this has 501"),
        ("a " * 21, "at most 20 parts"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadInput) as raised:
        parse(text)
    assert said in str(raised.value)
    assert raised.value.field == "query"


@given(st.text(st.sampled_from('ab"-:*/. =0') | st.characters(), max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        query = parse(text)
    except BadInput as error:
        assert str(error)
        return
    for token in (*query.exclude, *(token for group in query.require for token in group)):
        assert token
        assert not set(token) & set(" '\"\\\0")
