"""The words of a request, in forgiving order."""

from __future__ import annotations

import re
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.duration import in_words, looks_like_duration, short
from cli.words import AskWords, read_words, ticket_in

TARGETS = st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True).filter(lambda word: not looks_like_duration(word))
DURATIONS = st.sampled_from(["30m", "1h", "1h30m", "90min", "2 hours", "1d"])
TICKETS = st.from_regex(r"[A-Z][A-Z0-9]{1,5}-[0-9]{1,5}", fullmatch=True)
REASONS = st.lists(st.from_regex(r"[a-z]{3,9}", fullmatch=True), min_size=1, max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (
            ["orders-db", "1h", "OPS-412", "refunds", "stuck"],
            AskWords("orders-db", "", "1h", "OPS-412", "refunds stuck"),
        ),
        (["1h", "orders-db/write", "refunds stuck"], AskWords("orders-db", "write", "1h", "", "refunds stuck")),
        (["orders", "2", "hours", "x"], AskWords("orders", "", "2 hours", "", "x")),
        (["orders", "ops-412", "x"], AskWords("orders", "", "", "OPS-412", "x")),
        (["orders", "stuck", "for", "2h"], AskWords("orders", "", "", "", "stuck for 2h")),
        (["orders", "see", "OPS-1,", "stuck"], AskWords("orders", "", "", "OPS-1", "see OPS-1, stuck")),
        (["orders", "https://t.example/browse/OPS-9", "x"], AskWords("orders", "", "", "OPS-9", "x")),
        (["orders", "OPS-1", "like OPS-2"], AskWords("orders", "", "", "OPS-1", "like OPS-2")),
        (["orders", "30m since noon"], AskWords("orders", "", "", "", "30m since noon")),
        (["refunds are stuck"], AskWords(reason="refunds are stuck")),
        ([], AskWords()),
        (["", " "], AskWords()),
    ],
)
def test_examples(typed: list[str], read: AskWords) -> None:
    assert read_words(typed) == read


@given(TARGETS, DURATIONS, TICKETS, REASONS)
def test_any_order_before_the_reason_reads_the_same(target: str, duration: str, ticket: str, reason: str) -> None:
    wanted = AskWords(target, "", duration, ticket, reason)
    for order in permutations([target, duration, ticket]):
        assert read_words([*order, reason]) == wanted
        assert read_words(" ".join([*order, reason]).split()) == wanted


@given(st.lists(st.text(max_size=30), max_size=8))
def test_nothing_typed_breaks_it_or_gets_lost(typed: list[str]) -> None:
    found = read_words(typed)
    everything = "".join("".join(typed).split()).upper()
    for part in (found.target, found.duration, found.reason):
        assert "".join(part.split()).upper() in everything
    assert not re.search(r"\s", found.target)
    assert ticket_in(found.ticket) == found.ticket


@given(st.integers(min_value=0, max_value=10**7))
def test_durations_in_words_and_short(seconds: int) -> None:
    assert in_words(seconds)
    assert len(short(seconds)) <= 6
    assert looks_like_duration(in_words(seconds)) == looks_like_duration(short(seconds)) is True
