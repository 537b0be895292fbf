"""Groups that are kept elsewhere, in the log: a decision that rests on one can be judged again out of the entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.afterwards.replay import Report, replay
from access.errors import AccessError, Refused, Stale
from access.events import (
    ActRefused,
    ApprovalGiven,
    AskRefused,
    CredentialIntended,
    Event,
    MembersSeen,
    RequestApproved,
    RequestAsked,
    RequestDenied,
)
from access.evidence.knowing import Knowing
from access.evidence.looked import LARGEST, NotRecorded, digest, facts_of, lines, name_of, seen
from access.model import Cause, GrantState
from access.policy import Facts, Looked, NotLooked
from access.ports import Change
from audit.appending import LONGEST_BODY
from tests.groups import Groups
from tests.people import ADA, GRACE, LINUS, MARGARET, ManualClock
from tests.world import World

SRE, ON_CALL = "slack:S0SRE", "pagerduty:PI7DH85"
TEXT = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS, margaret: {slack: U0MARGARET, pagerduty: PMARGARET}}
groups: {engineers: [ada, grace, linus], sre: {slack: S0SRE}}
on_call: {orders: {pagerduty: PI7DH85}}
hours: {work: {days: [mon-fri], from: "08:00", to: "18:00", zone: UTC}}
freezes:
  - name: sale
    from: "2026-11-23T20:00:00+00:00"
    to: "2026-11-24T08:00:00+00:00"
    targets: all
    except: [on_call.orders]
    why: The sale.
targets:
  orders-db:
    roles:
      shell: {provider: memory, who: [sre], max: 1h, approve: {by: sre}}
      two: {provider: memory, who: [engineers], max: 1h, approve: {by: sre, count: 2}}
      late: {provider: memory, who: [engineers], max: 1h, approve: {stages: [{by: ada}, {by: on_call.orders}]}}
      quick:
        provider: memory
        rules:
          - {who: [sre], max: 30m, approve: nobody, hours: work}
          - {who: [sre], max: 2h, approve: {by: on_call.orders}}
"""


class Kept(Groups):
    """Each group with members of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.of = {SRE: {"U0LINUS", "U0ADA", "U0GRACE"}, ON_CALL: {"U0MARGARET"}}
        self.asked: list[tuple[str, bool]] = []

    async def members(self, group_ids, *, fresh=False):  # type: ignore[no-untyped-def]
        assert self.clock is not None
        now = self.clock.now()
        self.asked += [(group, fresh) for group in group_ids]
        return {
            group: NotLooked("Slack does not say.", now) if self.silent else Looked(frozenset(self.of[group]), now)
            for group in group_ids
        }


class Place(World):
    """A world with groups that are kept elsewhere."""

    groups: Kept


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    Place.groups = Kept()
    place = Place(tmp_path, TEXT)
    yield place
    place.close()


async def told(place: Place) -> list[Event]:
    return [entry.event for entry in await place.store.log.entries(-1, 10_000)]


async def report(place: Place, without: type[Event] | None = None) -> Report:
    policy = place.policies.policy
    entries = await place.store.log.entries(-1, 10_000)
    return replay([e for e in entries if without is None or not isinstance(e.event, without)], {policy.hash: policy})


async def refused(work) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(AccessError) as raised:
        await work
    return str(raised.value)


async def live(place: Place) -> None:
    """Everything that is decided, with groups, on-call, hours and a freeze."""
    device = await place.device()
    one = await place.asked(role="shell")
    await refused(place.broker.approve(one.id, MARGARET, one.digest))
    await place.broker.approve(one.id, ADA, one.digest)
    await place.grants.collect(1, device)
    two = await place.asked(role="shell", by=GRACE)
    await place.broker.deny(two.id, ADA, "not now")
    await place.asked(role="quick", duration=timedelta(minutes=30))  # nobody has to decide
    place.groups.silent = True
    await refused(place.asked(role="shell"))
    place.groups.silent = False
    three = await place.asked(role="late")
    await place.broker.approve(three.id, ADA, three.digest)
    place.groups.of[ON_CALL] = {"U0GRACE"}
    await refused(place.broker.approve(three.id, MARGARET, three.digest))
    await place.broker.approve(three.id, GRACE, three.digest)
    place.clock.pass_by(hours=5)  # 19:00, so the quick rule is closed
    four = await place.asked(role="quick", duration=timedelta(minutes=30))
    place.clock.pass_by(minutes=70)  # frozen, for all but who is on call
    await refused(place.asked(role="quick"))
    await refused(place.broker.approve(four.id, GRACE, four.digest))
    place.groups.of[SRE] = {"U0GRACE"}
    place.groups.of[ON_CALL] = {"U0GRACE", "U0MARGARET"}
    five = await place.asked(by=GRACE, role="quick")
    await place.broker.approve(five.id, MARGARET, five.digest)


async def test_every_decision_that_rested_on_groups_is_the_same_again(place: Place) -> None:
    await live(place)
    found = await report(place)
    assert (found.differences, found.skipped) == ((), ())
    kinds = (RequestAsked, AskRefused, ApprovalGiven, RequestApproved, RequestDenied, ActRefused, CredentialIntended)
    judged = [event for event in await told(place) if isinstance(event, kinds)]
    assert found.checked == len(judged)
    assert {type(event) for event in judged} == set(kinds)


async def test_who_is_in_a_group_is_written_once_for_each_content_and_before_its_decision(place: Place) -> None:
    await live(place)
    events = await told(place)
    known = [(event.group, event.people) for event in events if isinstance(event, MembersSeen)]
    assert len(known) == len(set(known)) == 5  # two of sre, three of on_call.orders
    names: set[str] = set()
    for event in events:
        if isinstance(event, MembersSeen):
            assert event.people == tuple(sorted(event.people))
            assert event.digest == digest(event.group, event.people)
            names.add(name_of(event))
        for line in getattr(event, "looked", ()):
            name, _, _ = line.rpartition(" ")
            assert name in names or name.endswith(" -")


async def test_another_process_tells_it_again_and_nothing_is_lost_by_that(place: Place) -> None:
    await place.asked(role="shell")
    await place.asked(role="shell")
    place.restart()
    await place.asked(role="shell")
    groups = [event.group for event in await told(place) if isinstance(event, MembersSeen)]
    assert groups == [ON_CALL, SRE, ON_CALL, SRE]
    assert not (await report(place)).skipped


async def test_what_could_not_be_written_is_told_with_the_next_decision(place: Place) -> None:
    knowing = place.broker.knowing
    facts = await knowing.facts({SRE})
    request = await place.asked(role="late")
    stale = replace(request, version=request.version - 1 or 7)
    with pytest.raises(Stale):
        await knowing.commit(place.store, Change(requests=(stale,)), facts)
    assert [event.group for event in knowing.with_members(Change(), facts).events if isinstance(event, MembersSeen)]


async def test_without_the_members_the_decision_is_skipped_and_says_so(place: Place) -> None:
    await place.asked(role="shell")
    found = await report(place, without=MembersSeen)
    assert [skipped.why for skipped in found.skipped] == [f"who was in {ON_CALL} is not among the entries"]


async def test_another_crowd_under_the_same_name_is_seen(place: Place) -> None:
    await place.asked(role="shell")
    policy, entries = place.policies.policy, await place.store.log.entries(-1, 10_000)
    altered = [
        replace(e, event=replace(e.event, people=("U0LINUS", "U0MALLORY"))) if isinstance(e.event, MembersSeen) else e
        for e in entries
    ]
    assert replay(altered, {policy.hash: policy}).skipped


async def test_a_group_that_no_entry_can_hold_gives_nothing_and_says_why(place: Place) -> None:
    place.groups.of[SRE] |= {f"U{number:010}" for number in range(6_000)}
    why = await refused(place.asked(role="shell"))
    assert "more than the audit log takes" in why
    assert "smaller group" in why
    place.groups.of[SRE] = {"U0LINUS", *(f"U{number:010}" for number in range(4_000))}
    await place.asked(role="shell")
    assert not (await report(place)).skipped
    assert LARGEST + 2_000 < LONGEST_BODY


async def test_one_who_left_the_group_between_two_votes_does_not_block_the_request(place: Place) -> None:
    request = await place.asked(role="two")
    await place.broker.approve(request.id, ADA, request.digest)
    place.groups.of[SRE] -= {"U0ADA"}
    place.groups.of[SRE] |= {"U0MARGARET"}
    await place.broker.approve(request.id, GRACE, request.digest)
    assert await place.store.grant(1) is None  # one of the two no longer counts
    await place.broker.approve(request.id, MARGARET, request.digest)
    approved = await place.last(RequestApproved)
    assert isinstance(approved, RequestApproved)
    assert set(approved.approvers) == {GRACE.id, MARGARET.id}
    assert (await place.grant(1)).state is GrantState.ACTIVE
    found = await report(place)
    assert (found.differences, found.skipped) == ((), ())


async def test_who_left_a_looked_up_group_loses_the_grant_at_the_next_look(place: Place) -> None:
    await place.opened(role="shell")
    place.groups.of[SRE] -= {LINUS.slack_id}
    await place.rights.check_all()
    ended = await place.grant(1)
    assert (ended.state, ended.cause) == (GrantState.REVOKED, Cause.LOST_RIGHT)


async def test_news_of_a_group_looks_only_at_what_rests_on_it(place: Place) -> None:
    await place.opened(role="shell")
    late = await place.asked(role="late")
    await place.broker.approve(late.id, ADA, late.digest)
    await place.broker.approve(late.id, MARGARET, late.digest)
    place.groups.of[SRE] -= {LINUS.slack_id}
    place.groups.asked.clear()
    await place.rights.check_group("slack:S0OTHERS")
    assert place.groups.asked == []
    await place.rights.check_group(SRE)
    assert [(await place.grant(n)).state for n in (1, 2)] == [GrantState.REVOKED, GrantState.ACTIVE]


async def test_a_silent_directory_ends_nothing_and_gives_nothing(place: Place) -> None:
    await place.opened(role="shell")
    place.groups.silent = True
    await place.rights.check_all()
    await place.rights.check_group(SRE)
    assert (await place.grant(1)).state is GrantState.ACTIVE
    place.clock.pass_by(seconds=2)
    with pytest.raises(Refused, match="Nobody can tell right now who is in sre"):
        await place.grants.collect(1, await place.device())


async def test_the_groups_are_asked_anew_where_access_is_given(place: Place) -> None:
    request, device = await place.asked(role="shell"), await place.device()
    assert (SRE, True) not in place.groups.asked
    place.groups.asked.clear()
    await place.broker.approve(request.id, ADA, request.digest)
    assert (SRE, True) in place.groups.asked
    place.groups.asked.clear()
    await place.grants.collect(1, device)
    assert (SRE, True) in place.groups.asked
    place.groups.asked.clear()
    await place.asked(role="quick", duration=timedelta(minutes=30))
    assert (SRE, True) in place.groups.asked  # nobody has to decide, so the asking gives it


# The lines themselves


def test_a_line_says_group_content_and_time(clock: ManualClock) -> None:
    now = clock.now()
    facts = Facts(now, {SRE: Looked(frozenset({"U2", "U1"}), now), ON_CALL: NotLooked("No answer.", now)})
    (unknown, known), (event,) = lines(facts), seen(facts, now, ())
    assert known == f"{SRE} {event.digest[:16]} 1795442400000000"
    assert unknown == f"{ON_CALL} - 1795442400000000"
    again = facts_of({SRE, ON_CALL}, (unknown, known), now, {name_of(event): event})
    assert again.members[SRE] == facts.members[SRE]
    assert isinstance(again.members[ON_CALL], NotLooked)


@pytest.mark.parametrize("line", ["", SRE, f"{SRE} 0123", f"{SRE} 0123 x", f"{SRE} 0123456789abcdef 1"])
def test_a_line_that_cannot_be_followed_stands_for_nothing(line: str, clock: ManualClock) -> None:
    with pytest.raises(NotRecorded):
        facts_of({SRE}, (line,), clock.now(), {})


async def test_without_a_directory_every_group_is_written_down_as_unknown(clock: ManualClock) -> None:
    facts = await Knowing(clock).facts({SRE})
    assert lines(facts) == (f"{SRE} - 1795442400000000",)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
