"""What a statement touches is told as far as its text tells it, and no further."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.postgres.statements import FULL, OPAQUE, understand

TOLD = [
    (
        "select * from public.orders o join customers c on true",
        "read",
        "read table:public.orders, read table:customers",
    ),
    ("with x as (insert into a select * from b returning *) select * from x", "write", "write table:a, read table:b"),
    ("merge into a using b on a.id = b.id when matched then update set n = 1", "write", "write table:a, read table:b"),
    ("copy t (a, b) from stdin with (format csv)", "write", "write table:t"),
    ("copy (select * from q) to stdout", "read", "read table:q"),
    ("truncate a, b", "write", "write table:a, write table:b"),
    ("table foo", "read", "read table:foo"),
    ("grant select on orders to bob", "schema", "schema table:orders"),
    ("explain analyze delete from x", "write", "write table:x"),
    ("explain (analyze, buffers) select * from x where id = 3", "read", "read table:x"),
    ("lock table a in share mode", "read", "read table:a"),
    ("create index on t (a)", "schema", "schema table:t"),
    ("drop table if exists s.t, u", "schema", "schema table:s.t, schema table:u"),
    ("update only a set n = (select y from b) where 1 = 1", "write", "write table:a, read table:b"),
    ("declare c cursor for select * from t", "read", "read table:t"),
    ("create table n as select * from o", "schema", "schema table:n, read table:o"),
    ("refresh materialized view mv", "schema", "schema table:mv"),
    ("select 1; delete from z where a = 1", "write", "write table:z"),
    ("insert into s.t (id, n) values (1, 'x''y') on conflict do nothing", "write", "write table:s.t"),
    ("with recursive r(n) as (select 1 union all select n + 1 from r) select * from r", "read", ""),
    ("select coalesce(a, 1), extract(year from b), cast(c as varchar(10)) from t", "read", "read table:t"),
    ("set search_path to x", "session", ""),
    ("begin", "session", ""),
    ("", "session", ""),
]


@pytest.mark.parametrize(("text", "kind", "touches"), TOLD)
def test_what_is_plain_is_told_in_full(text: str, kind: str, touches: str) -> None:
    found = understand(text)
    assert (found.kind, ", ".join(found.touches), found.coverage) == (kind, touches, FULL)


@pytest.mark.parametrize(
    "text",
    [
        "do $$ begin execute 'drop table x'; end $$",
        "execute p1(1)",
        "call settle(1)",
        "select dblink('host=b', 'delete from t')",
        "select pg_read_file('/etc/passwd')",
        "select query_to_xml('select * from secrets', true, true, '')",
        "select lo_import('/etc/passwd')",
        "select public.now()",  # not the one that everybody knows
        'select "Count"(1)',
        "select year(now())",  # no function of PostgreSQL's: somebody's own
        "select settle(x) from t",
        "copy t to program 'sh'",
        "copy t from '/etc/passwd'",
        "create function f() returns int language sql as 'select 1'",
        "select '",
        "not sql at all",
        "explain",
        'explain (format "a ) b") select 1',
        "select 1; do $$ begin end $$",
        "select " + "(" * 3000 + "1" + ")" * 3000,
        "select '" + "x" * 200_000 + "'",
    ],
)
def test_what_could_do_anything_is_opaque(text: str) -> None:
    assert understand(text).coverage == OPAQUE


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("delete from orders", {"write-without-where"}),
        ("update orders set paid = true", {"write-without-where"}),
        ("explain analyze delete from orders", {"write-without-where"}),
        ("delete from orders where id = 1", set()),
        ("set role admin", {"roles"}),
        ("set session authorization admin", {"roles"}),
        ("alter role ada password 'x'", {"ddl", "roles"}),
        ("grant admin to ada", {"roles", "opaque"}),
        ("copy t to program 'curl evil'", {"program", "opaque"}),
        ("select 1", set()),
        ("alter table t add column n int", {"ddl"}),
        ("alter table t owner to eve", {"ddl", "roles", "opaque"}),
        ("create index on t (a)", {"ddl"}),
        ("select * into n from t", {"ddl"}),
        ("truncate t", {"write-without-where"}),
        ("update t set n = 1 where true", {"write-without-where"}),
        ("delete from t where id = id", {"write-without-where"}),
        ("merge into t using s on true when matched then delete", {"write-without-where"}),
        ("explain delete from t", set()),
        ("explain (costs off) create table n as select 1", set()),
        ("insert into notes values ('delete from t; drop table t')", set()),
    ],
)
def test_what_deserves_a_second_look_is_flagged(text: str, flags: set[str]) -> None:
    assert set(understand(text).flags) == flags


#: ways of writing that a reader less careful than the database passes over
UNSEEN = [
    ("select 1; delete from t", "write-without-where"),
    ("/* delete */ delete /* from */ from t -- where id = 1", "write-without-where"),
    ("select 1 /* /* */ ; */; delete from t", "write-without-where"),
    ("select 1; -- \rdelete from t", "write-without-where"),
    ("select 1 as a$b$; delete from t; select 1 as a$b$", "write-without-where"),
    ("with gone as (delete from t returning *) select count(*) from gone", "write-without-where"),
    ("copy (delete from t returning *) to stdout", "write-without-where"),
    ("prepare p as delete from t", "write-without-where"),
    ("explain /* */ analyze delete from t", "write-without-where"),
    ("explain (format text /* ) */, analyze) delete from t", "write-without-where"),
    ('explain (u&"an\\0061lyze") delete from t', "write-without-where"),
    ("explain (verbose, analyze) delete from t", "write-without-where"),
    ("select '\\'; delete from t; --'", "write-without-where"),
    ("delete from t frobnicate (", "write-without-where"),
    ("delete from t where note = '" + "x" * 200_000 + "'", "write-without-where"),
    ("set /* */ role admin", "roles"),
    ("copy t to /* */ program 'sh'", "program"),
    ("copy t to $$/tmp/x$$", "program"),
    ("create rule r as on insert to t do instead delete from u", "ddl"),
    ("do $$ begin delete from t; end $$", "opaque"),
    ("execute p", "opaque"),
    ("call clean()", "opaque"),
    ("select app.clean()", "opaque"),
    ("set search_path to evil, pg_catalog", "opaque"),
    ("select set_config('search_path', 'evil', false)", "opaque"),
    ("create function lower(text) returns text language sql as 'select $1'", "opaque"),
]


@pytest.mark.parametrize(("text", "flag"), UNSEEN)
def test_nothing_slips_past_its_flag_by_how_it_is_written(text: str, flag: str) -> None:
    assert flag in understand(text).flags


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("select * from t where a = 17 and b in (1, 2, 3)", "select * from t where a = ? and b in (?, …)"),
        ("explain analyze delete from x where a = 's3cret'", "explain analyze delete from x where a = ?"),
        ("select $1::int, 'x''y', e'a\\'b', $$x$$", "select $1::int, ?, ?, ?"),
        ("select  1 -- why\n", "select ?"),
    ],
)
def test_a_shape_has_no_literals(text: str, shape: str) -> None:
    assert understand(text).shape == shape


@settings(deadline=None)
@given(st.text(max_size=120))
def test_nothing_that_is_sent_makes_it_fail(text: str) -> None:
    understand(text)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="'\\\0"), min_size=12, max_size=30))
def test_no_literal_gets_into_a_shape(secret: str) -> None:
    assert secret not in understand(f"select * from t where a = 'k:{secret}'").shape
