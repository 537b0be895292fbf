"""The policy at work: what the broker, the grants and the replay make of its judgments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.afterwards.replay import replay
from access.ending.rights import Rights
from access.errors import Refused, TooLate
from access.events import ApprovalGiven, RequestApproved, RequestAsked
from access.model import GrantState, RequestState
from access.policy import Looked, NotLooked
from tests.people import ADA, GRACE, LINUS, MARGARET, ManualClock
from tests.world import World

TEXT = """
version: 1
people: {ada: [U0ADA, U0ADA2], grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
groups: {engineers: [ada, grace, linus], orders-owners: [ada, grace], sre: {slack: S0SRE}}
hours: {work: {days: [mon-fri], from: "08:00", to: "18:00", zone: UTC}}
targets:
  orders-db:
    roles:
      read:
        provider: memory
        rules:
          - {who: [engineers], max: 30m, approve: nobody, hours: work}
          - {who: [engineers], max: 4h, approve: {by: [orders-owners], count: 2}}
      write:
        provider: memory
        who: [engineers]
        max: 1h
        approve: {stages: [{by: orders-owners}, {by: margaret, after: 10m}, {by: [linus, margaret]}]}
      notes: {provider: memory, who: [engineers], max: 1h, approve: {by: engineers, own_request: yes}}
      shell: {provider: memory, who: [sre], max: 1h, approve: {by: sre}}
"""
SRE = "slack:S0SRE"


class Groups:
    """`access.ports.Memberships`, kept by hand."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.sre, self.silent = clock, {"U0LINUS", "U0ADA"}, False
        self.fresh: list[bool] = []

    async def members(self, group_ids: Iterable[str], *, fresh: bool = False) -> Mapping[str, Looked | NotLooked]:
        now = self.clock.now()
        self.fresh.append(fresh)
        answer = NotLooked("Slack does not answer.", now) if self.silent else Looked(frozenset(self.sre), now)
        return dict.fromkeys(group_ids, answer)


class Place(World):
    """A world with groups that are kept elsewhere."""

    def _build(self) -> None:
        super()._build()
        self.groups = Groups(self.clock)
        custody = replace(self.grants.custody, memberships=self.groups)
        self.grants, self.endings = replace(self.grants, custody=custody), replace(self.endings, custody=custody)
        self.rights = Rights(custody, self.endings)
        self.broker = replace(self.broker, grants=self.grants, endings=self.endings)


@pytest.fixture
def place(tmp_path: Path) -> Iterable[Place]:
    place = Place(tmp_path, TEXT)
    yield place
    place.close()


async def replayed(place: Place) -> None:
    """Every decision so far is the same again."""
    policy = place.policies.policy
    report = replay(await place.store.log.entries(-1, 10_000), {policy.hash: policy})
    assert (report.differences, report.skipped) == ((), ())


async def test_where_nobody_needs_to_decide_it_opens_at_once(place: Place) -> None:
    request = await place.asked(duration=timedelta(minutes=30), key="once")
    assert (request.state, request.approvals_needed, request.decided_by) == (RequestState.APPROVED, 0, None)
    assert (await place.grant(1)).state is GrantState.ACTIVE
    assert await place.last(RequestApproved) == replace(await place.last(RequestApproved), by=None, approvers=())
    assert (await place.asked(duration=timedelta(minutes=30), key="once")).number == 1
    await place.grants.collect(1, await place.device())
    await replayed(place)


async def test_the_rule_that_fits_the_terms_decides(place: Place) -> None:
    request = await place.asked(duration=timedelta(hours=2))
    assert (request.rule, request.approvals_needed) == ("orders-db/read#2", 2)
    await place.broker.approve(request.id, ADA, request.digest)
    await place.broker.approve(request.id, GRACE, request.digest)
    assert (await place.grant(1)).expires_at - place.clock.now() == timedelta(hours=2)
    await replayed(place)


async def test_asked_in_the_night_the_strict_rule_decides(place: Place) -> None:
    place.clock.pass_by(hours=8)
    request = await place.asked(duration=timedelta(minutes=30))
    assert (request.rule, request.state) == ("orders-db/read#2", RequestState.PENDING)
    await replayed(place)


async def test_stages_are_settled_by_different_people_and_only_the_first_is_called(place: Place) -> None:
    request = await place.asked(role="write")
    asked = await place.last(RequestAsked)
    assert isinstance(asked, RequestAsked)
    assert (asked.deciders, asked.approvals_needed) == (("U0ADA", "U0GRACE"), 2)
    await place.broker.approve(request.id, ADA, request.digest)
    with pytest.raises(TooLate, match="it waits for others"):
        await place.broker.approve(request.id, GRACE, request.digest)
    await place.broker.approve(request.id, MARGARET, request.digest)
    given = await place.last(ApprovalGiven)
    assert isinstance(given, ApprovalGiven)
    assert (given.count, given.needed, given.counted) == (2, 2, (ADA.id, MARGARET.id))
    assert (await place.grant(1)).state is GrantState.ACTIVE
    await replayed(place)


async def test_a_stage_whose_approver_left_is_settled_by_another(place: Place) -> None:
    request = await place.asked(role="write")
    await place.broker.approve(request.id, ADA, request.digest)
    place.people.gone.add(ADA.id)
    await place.broker.approve(request.id, MARGARET, request.digest)
    assert await place.store.grant(1) is None
    await place.broker.approve(request.id, GRACE, request.digest)
    assert (await place.grant(1)).state is GrantState.ACTIVE
    await replayed(place)


async def test_ones_own_request_where_the_rule_says_so_in_so_many_words(place: Place) -> None:
    request = await place.asked(role="notes")
    await place.broker.approve(request.id, LINUS, request.digest)
    assert (await place.grant(1)).state is GrantState.ACTIVE
    await replayed(place)


async def test_a_group_kept_elsewhere_is_asked_anew_at_the_vote_and_at_the_credential(place: Place) -> None:
    request = await place.asked(role="shell")
    place.groups.fresh.clear()
    await place.broker.approve(request.id, ADA, request.digest)
    assert place.groups.fresh == [True]
    place.clock.pass_by(minutes=1)
    await place.grants.collect(1, await place.device())
    assert place.groups.fresh[-1] is True
    await replayed(place)


async def test_who_left_the_group_neither_decides_nor_keeps(place: Place) -> None:
    request = await place.asked(role="shell")
    place.groups.sre -= {"U0ADA"}
    with pytest.raises(Refused):
        await place.broker.approve(request.id, ADA, request.digest)
    place.groups.sre |= {"U0ADA"}
    await place.broker.approve(request.id, ADA, request.digest)
    place.groups.sre -= {"U0LINUS"}
    await place.rights.check_all()
    assert (await place.grant(1)).state is not GrantState.ACTIVE
    await replayed(place)


async def test_a_silent_directory_gives_nothing_and_ends_nothing(place: Place) -> None:
    request, device = await place.asked(role="shell"), await place.device()
    place.groups.silent = True
    with pytest.raises(Refused, match="Nobody can tell right now who is in sre"):
        await place.asked(role="shell")
    with pytest.raises(Refused, match="Nobody can tell right now"):
        await place.broker.approve(request.id, ADA, request.digest)
    place.groups.silent = False
    await place.broker.approve(request.id, ADA, request.digest)
    place.groups.silent = True
    place.clock.pass_by(minutes=1)
    await place.rights.check_all()
    assert (await place.grant(1)).state is GrantState.ACTIVE
    with pytest.raises(Refused, match="no longer gives this"):
        await place.grants.collect(1, device)
    await replayed(place)
