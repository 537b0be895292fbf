"""What stands at an issuer against what grants account for: found where it is one, and never because of a race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from access.ending.reconciling import GRACE, Kind, Known, Piece, Survey, compare, expected, surveyor_of
from access.model import Grant, GrantState, Lease
from benchmarks.revoke_load import a_grant
from providers.memory import MemoryProvider
from tests.people import ManualClock

CLOCK = ManualClock()
NOW, LONG_AGO = CLOCK.now(), CLOCK.now() - timedelta(hours=1)
HOUR = timedelta(hours=1)
MEMORY = MemoryProvider(CLOCK)


def known(*grants: Grant) -> Known:
    made = Known(NOW)
    for grant in grants:
        made.add(grant, MEMORY)
    return made


def lease(locator: str, **changes: object) -> Piece:
    return replace(Piece(Kind.LEASE, locator, locator, since=LONG_AGO), **changes)


def whys(survey: Survey, *grants: Grant) -> list[str]:
    return [stray.why for stray in compare(survey, known(*grants)).strays]


def test_the_twin_is_one_that_can_be_asked() -> None:
    assert surveyor_of(MEMORY) is MEMORY
    assert surveyor_of(CLOCK) is None


def test_what_a_grant_has_on_record_is_no_stray_however_it_stands() -> None:
    for state in (GrantState.ISSUING, GrantState.QUARANTINE, GrantState.ACTIVE, GrantState.REVOKING):
        grant = replace(a_grant(7, LONG_AGO, NOW + HOUR), state=state)
        pieces = (lease("lease-7"), Piece(Kind.TOKEN, "t", "handle-7", bears=7, since=LONG_AGO))
        assert whys(Survey(pieces), grant) == []


def test_a_token_in_its_last_minute_waits_for_its_end_and_is_no_stray() -> None:
    """Once its grant has ended at its deadline, its token gives way to other ends."""
    soon, later = NOW + timedelta(seconds=59), NOW + timedelta(seconds=61)
    tokens = [Piece(Kind.TOKEN, "t", str(until), bears=9, since=LONG_AGO, until=until) for until in (soon, later)]
    assert [stray.piece.until for stray in compare(Survey(tuple(tokens)), known()).strays] == [later]
    overdue = lease("x", until=NOW - HOUR)  # a lease that its issuer cannot end
    assert whys(Survey((overdue,))) == ["no open grant accounts for it"]


def test_what_nothing_accounts_for_is_one_and_says_why() -> None:
    grant = a_grant(7, LONG_AGO, NOW + HOUR)
    pieces = (lease("x"), lease("y", bears=7), lease("z", bears=9))
    assert whys(Survey(pieces), grant) == [
        "no open grant accounts for it", "PA-7 is open and has nothing like it on record",
        "PA-9 has ended, or is not known here",
    ]  # fmt: skip


def test_what_may_just_be_being_issued_is_left_in_peace() -> None:
    young = lease("x", since=NOW - GRACE + timedelta(seconds=1))
    assert whys(Survey((young,))) == []
    assert whys(Survey((replace(young, since=NOW - GRACE),))) == ["no open grant accounts for it"]


def test_what_shuts_out_an_open_grant_or_nobody_any_more_is_found() -> None:
    grant = a_grant(7, LONG_AGO, NOW + HOUR)
    deny = Piece(Kind.DENY, "d", "d", bears=7, until=NOW + HOUR)
    assert whys(Survey((deny,)), grant) == ["PA-7 is open, and this shuts it out"]
    assert whys(Survey((deny,)), replace(grant, state=GrantState.REVOKING)) == []
    assert whys(Survey((replace(deny, until=NOW),))) == ["everything that it shuts out has ended by itself"]


def test_a_credential_that_should_live_and_does_not_is_missing() -> None:
    grant = a_grant(7, LONG_AGO, NOW + HOUR)
    assert compare(Survey((), frozenset({"lease-7"})), known(grant)).missing == ()
    assert compare(Survey((), frozenset()), known(grant)).missing == ((7, 1),)
    assert compare(Survey((), None), known(grant)).missing == ()  # it cannot say who lives


def test_what_ends_by_itself_or_was_given_up_is_not_missed() -> None:
    grant = a_grant(7, LONG_AGO, NOW + HOUR)
    (one,) = grant.leases
    for changes in (
        {"not_after": NOW}, {"gone_at": NOW}, {"aborted_at": NOW}, {"public_id": ""},
    ):  # fmt: skip
        assert not list(expected(replace(grant, leases=(replace(one, **changes),)), NOW))  # type: ignore[arg-type]
    assert not list(expected(replace(grant, state=GrantState.REVOKING), NOW))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(list(GrantState)), st.integers(0, 3)), max_size=6),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4), st.integers(0, 200)), max_size=12),
)
def test_never_a_stray_that_an_open_grant_has_and_never_one_too_young(
    made: list[tuple[GrantState, int]], found: list[tuple[int, int, int]]
) -> None:
    grants = [_grant(number, state, leases) for number, (state, leases) in enumerate(made)]
    is_open = [g for g in grants if g.state not in (GrantState.REVOKED, GrantState.FAILED)]
    pieces = {f"{number}/{n}": _aged(f"{number}/{n}", age) for number, n, age in found}
    recorded = {each.locator for grant in is_open for each in grant.leases}
    strays = {s.piece.locator for s in compare(Survey(tuple(pieces.values())), known(*is_open)).strays}
    old = {locator for locator, piece in pieces.items() if piece.since is None or piece.since <= NOW - GRACE}
    assert strays == old - recorded


def _grant(number: int, state: GrantState, leases: int) -> Grant:
    grant = a_grant(number, LONG_AGO, NOW + HOUR)
    made: Sequence[Lease] = [replace(grant.leases[0], n=n, locator=f"{number}/{n}") for n in range(leases)]
    return replace(grant, state=state, handles=(), leases=tuple(made))


def _aged(locator: str, seconds: int) -> Piece:
    ages: Mapping[bool, Piece] = {True: lease(locator, since=None), False: lease(locator)}
    return ages[seconds == 0] if seconds == 0 else lease(locator, since=NOW - timedelta(seconds=seconds))
