"""Whatever somebody may type of a text finds it: whole words, components of paths and names, phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import BadInput
from audit.search.facts import Facts
from audit.search.query import accepts, parse_query
from audit.search.rows import Row, Subjects, row_of
from audit.search.tokens import JOINT, LONGEST_TEXT, tokens_of, words_of
from tests.audit.search.book import NOW


def a_row(text: str) -> Row:
    return row_of(Facts(0, 0, "db.query", "", None, {"text": text}), Subjects())


def finds(query: str, text: str) -> bool:
    return accepts(parse_query(query, NOW), a_row(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("public.orders_main", {"public.orders_main", "orders_main", "public"}),
        ("/etc/shadow", {"/etc/shadow", "/etc", "etc", "shadow", "etc/shadow"}),
        ("rm -rf --no-preserve-root", {"rm", "-rf", "rf", "--no-preserve-root"}),
        ("name='O''Brien' AND id::text = 4711;", {"name", "o", "brien", "and", "id::text", "id", "text", "4711"}),
        ("psql postgres://ada@db.example.com:5432/orders?x=1", {"db.example.com", "5432", "ada", "orders", "postgres"}),
        ("Straße GRÖSSE", {"straße", "größe" if "GRÖSSE".lower() == "größe" else "grösse"}),
        ("wait... done! (see /var/log/.)", {"wait", "done", "see", "/var/log", "log"}),
    ],
)
def test_what_a_text_is_found_by(text: str, expected: set[str]) -> None:
    assert expected <= tokens_of(words_of(text))


def test_letters_that_look_equal_are_equal() -> None:
    assert words_of("Rückerstattung") == words_of("Ru\u0308ckerstattung") == ["rückerstattung"]


@pytest.mark.parametrize("text", ["", "   ", "-- ; * / ()", "…", "\0", "🧾"])
def test_nothing_to_look_for(text: str) -> None:
    assert words_of(text) == []


identifiers = st.from_regex(r"[^\W\d]\w{0,12}", fullmatch=True)
plain = st.text(st.sampled_from("abcxyz019_ÄßñиД漢ı"), min_size=1, max_size=8)


@given(st.lists(identifiers | plain, min_size=1, max_size=6), st.text(max_size=20), st.text(max_size=20), st.data())
def test_any_identifier_of_a_text_finds_it(names: list[str], before: str, after: str, data: st.DataObject) -> None:
    separator = data.draw(st.sampled_from([".", "/", " ", ", ", "=", "::", "@", "('"]))
    text = f"{before} {separator.join(names)} {after}"
    name = data.draw(st.sampled_from(names))
    assert finds(f'"{name}"', text)


components = st.text(st.sampled_from("abz09_.-+~é"), min_size=1, max_size=8).filter(
    lambda c: any(x.isalnum() or x == "_" for x in c)
)


@given(st.lists(components, min_size=1, max_size=7), st.data())
def test_any_component_or_range_of_a_path_finds_it(parts: list[str], data: st.DataObject) -> None:
    text = f"cat '/{'/'.join(parts)}' | wc"
    start = data.draw(st.integers(0, len(parts) - 1))
    assert finds(f'"{parts[start]}"', text)
    assert finds(f'"/{"/".join(parts[: start + 1])}"', text)
    assert finds(f'"{"/".join(parts[start:])}"', text)


@given(st.lists(plain, min_size=1, max_size=8), st.data())
def test_any_run_of_words_finds_its_text(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    assert finds(f'"{" ".join(words[start:end])}"', "say: " + " ".join(words) + ".")


@pytest.mark.parametrize("phrase", ["b a", "a b c", "a d", "c a b", "b c a d"])
def test_words_in_another_order_are_another_phrase(phrase: str) -> None:
    text = "a b x b c, a b; c d"
    assert finds(f'"{phrase}"', text) == (f" {phrase} " in " a b x b c a b c d ")


def test_a_phrase_does_not_reach_from_one_text_into_another() -> None:
    row = row_of(Facts(0, 0, "x", "", None, {"reason": "one two", "why": "three four"}), Subjects())
    assert accepts(parse_query('"one two"', NOW), row)
    assert not accepts(parse_query('"two three"', NOW), row)


def test_part_of_an_identifier_is_not_looked_for() -> None:
    assert not finds("orders", "select 1 from orders_main")


@given(st.text(max_size=200))
def test_no_word_looks_like_a_term_or_breaks_the_index(text: str) -> None:
    for token in tokens_of(words_of(text)):
        assert "=" not in token
        assert not set(token) & set(" '\"\\\0\t\r\n")


@pytest.mark.parametrize("unit", ["a.b/c ", "x/", "ü.", "word ", "/a/bb/ccc/dddd "])
def test_a_very_long_text_stays_within_what_a_database_takes(unit: str) -> None:
    text = "".join(f"{unit}{n}" for n in range(LONGEST_TEXT // len(unit)))
    tokens = tokens_of(words_of(text))
    assert sum(len(token.encode()) for token in tokens) < 1_048_575
    assert max(len(token.encode()) for token in tokens) <= 2046
    assert any(JOINT in token for token in tokens) == (" " in unit)


def test_a_quote_alone_is_no_query() -> None:
    with pytest.raises(BadInput):
        parse_query('"', NOW)
