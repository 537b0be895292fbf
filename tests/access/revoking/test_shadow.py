"""What is kept of a grant is what ends it; in little memory, due when it is, and never older than it was."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from access.model import Grant, GrantState
from access.revoking.keeping import grant_of, kept
from access.revoking.shadow import Shadow
from benchmarks.revoke_load import a_grant

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def active(number: int, minutes: int = 60, **changes: object) -> Grant:
    grant = a_grant(number, NOW, NOW + timedelta(minutes=minutes))
    uses = {"role": "orders-read", "host": "db-3", "dbname": "orders"}
    return replace(grant, version=3, uses=uses, **changes)  # type: ignore[arg-type]


def test_what_it_takes_to_end_a_grant_is_kept_and_no_words_are() -> None:
    grant = active(7, effective_by=None, warned_at=None)
    back = grant_of(kept(grant))
    assert back == replace(grant, reason="", ticket="", request_id="")
    assert b"refunds" not in kept(grant).own
    ending = active(8, state=GrantState.REVOKING, attempts=2, ending_since=NOW, due_at=NOW + HOUR / 2)
    assert grant_of(kept(ending)).due_at == NOW + HOUR / 2
    assert grant_of(kept(ending)).state is GrantState.REVOKING


def test_each_is_due_once_and_in_order() -> None:
    shadow = Shadow()
    shadow.keep(active(number, minutes) for number, minutes in ((1, 30), (2, 10), (3, 20), (4, 90)))
    shadow.keep([active(2, 10)])  # seen twice
    assert [grant.number for grant in shadow.due(NOW + HOUR)] == [2, 3, 1]
    assert shadow.due(NOW + HOUR) == ()
    shadow.later(3, NOW + HOUR)
    assert [grant.number for grant in shadow.due(NOW + HOUR)] == [3]


def test_a_later_end_replaces_the_earlier_and_an_older_row_does_not() -> None:
    shadow = Shadow()
    shadow.keep([active(1, 10)])
    shadow.keep([replace(active(1, 30), version=5)])
    shadow.keep([active(1, 10)])  # read before, and come late
    assert shadow.due(NOW + timedelta(minutes=20)) == ()
    assert [grant.version for grant in shadow.due(NOW + HOUR)] == [5]


def test_only_what_something_can_hang_on_is_kept() -> None:
    shadow = Shadow()
    shadow.keep([active(1, state=GrantState.ISSUING), active(2, handles=()), active(3)])
    assert [shadow.knows(number) for number in (1, 2, 3)] == [False, False, True]
    shadow.keep([active(3, state=GrantState.REVOKED, due_at=None)])
    assert len(shadow) == 0


def test_it_holds_no_more_than_it_may() -> None:
    shadow = Shadow(most=10)
    shadow.keep(active(number) for number in range(1, 16))
    assert (len(shadow), shadow.left_out, shadow.has_room) == (10, 5, False)
    shadow.drop(range(1, 4))
    assert shadow.has_room


def test_a_hundred_take_a_hundred_kilobytes_however_often_they_change() -> None:
    grants = [active(number) for number in range(100)]
    tracemalloc.start()
    shadow = Shadow()
    for _ in range(4):
        shadow.keep(grants)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 100_000
