"""What somebody writes so that it is read differently here and in the database."""

from __future__ import annotations

import pytest

from gateways.postgres.risks import read_alike
from gateways.postgres.statements import understand


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ('prepare "x as select 1 --" as delete from t', "write-without-where"),
        ("explain (analyze, verbose /* ) select 1 -- */) delete from t", "write-without-where"),
        ('declare "x cursor for select 1 --" cursor for select f()', "opaque"),
        ("set schema 'evil'", "opaque"),
        ("set local schema 'evil'", "opaque"),
        ('set U&"search\\005fpath" = evil', "opaque"),
        ('set U&"r\\006fle" = postgres', "roles"),
        ("reset role", "roles"),
        ("set session_authorization = 'x'", "roles"),
        ("select set_config('role', 'postgres', false)", "roles"),
        ("select pg_catalog.set_config('ro' || 'le', 'postgres', false)", "roles"),
        ("update pg_settings set setting = 'evil' where name like 'search%'", "opaque"),
        ("update pg_settings set setting = 'postgres' where name = 'role'", "roles"),
        ("delete from t where user is not null", "write-without-where"),
        ("delete from t where current_role is not null", "write-without-where"),
        ("select '\\'' , 1 into x from t --'", "ddl"),
        ("reset all /*;'*/; delete from t; --'", "write-without-where"),
        ("prepare a as " * 1000 + "delete from t", "write-without-where"),
        ("prepare a" + " " * 90_000 + "delete from t", "write-without-where"),
    ],
)
def test_it_is_flagged_all_the_same(text: str, flag: str) -> None:
    assert flag in understand(text).flags


@pytest.mark.parametrize(
    "text",
    [
        'DECLARE "_c" NO SCROLL CURSOR WITHOUT HOLD FOR select * from t',
        "explain (verbose, costs off) delete from t",
        "select 1; select ';' as \"delete\" -- ; delete",
        'delete from t where "user" = 1',
        "select name from pg_settings",
    ],
)
def test_what_is_harmless_is_not(text: str) -> None:
    assert understand(text).flags == frozenset()


def test_a_word_in_a_string_does_not_stand_for_one_outside() -> None:
    from sqlglot import tokenize

    tokens = tokenize("select 'delete' ; select 'a'", read="postgres")
    assert not read_alike("select 'delete' ; delete from t", tokens)
    assert read_alike("select 'delete' ; select 'a'", tokens)
