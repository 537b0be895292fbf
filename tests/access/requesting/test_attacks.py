"""Ways around the rules that somebody has tried: what gives no access twice, escapes no review and floods nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from access.afterwards.replay import replay
from access.errors import AccessError, Refused
from access.events import AskRefused, GlassBroken, RequestAsked
from access.model import Grant, GrantState, Person, RequestState
from access.policy import Looked
from access.policy.policy import MOST_CALLED
from access.ports import Ticket, TicketSystemSilent
from access.requesting.extending import More
from prodaccess.policies.file import parse_policy
from tests.breaking import POLICY_WITH_GLASS, broken, ended, with_glass
from tests.groups import Groups
from tests.people import ADA, LINUS, POLICY, ask, person
from tests.tickets.desk import Desk
from tests.world import Policies, World

AUTO = f"""{POLICY_WITH_GLASS.rstrip()}
      quick: {{provider: memory, who: [engineers], max: 30m, approve: nobody, ticket: {{system: jira}}}}
      either:
        provider: memory
        rules:
          - {{who: [engineers], max: 1h, approvers: [orders-owners], ticket: {{system: jira, pattern: "OPS-[0-9]+"}}}}
          - {{who: [engineers], max: 1h, approve: nobody, ticket: {{system: jira, pattern: "[A-Z]+-[0-9]+"}}}}
"""


class Faltering(Desk):
    """Silent at one of its questions."""

    silent_at = 0

    async def look(self, key: str, by: Person, *, fresh: bool = False) -> Ticket:
        self.silent_at -= 1
        if self.silent_at == 0:
            raise TicketSystemSilent("Jira did not answer in time.")
        return await super().look(key, by, fresh=fresh)


class Place(World):
    """A world with a ticket system."""

    desk: Faltering


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    Place.desk = Faltering()
    Place.tickets = {"jira": Place.desk}
    place = Place(tmp_path, AUTO)
    place.desk.clock = place.clock
    yield place
    place.close()


# The same ask once more


async def left_half_way(place: Place) -> None:
    """Nobody has to decide it, and the ticket system fell silent before it was opened."""
    place.desk.silent_at = 2
    with pytest.raises(AccessError, match="did not answer"):
        await asked_quickly(place)
    assert (await place.request(1)).state is RequestState.PENDING


async def asked_quickly(place: Place) -> Grant | None:
    await place.asked(role="quick", duration=timedelta(minutes=20), key="the same key each time")
    return await place.store.grant(1)


async def test_an_ask_repeated_by_its_key_is_opened_for_whoever_may_still_have_it(place: Place) -> None:
    await left_half_way(place)
    place.clock.pass_by(minutes=5)
    assert await asked_quickly(place) is not None


@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_an_ask_repeated_by_its_key_gives_nothing_to_whoever_has_left(place: Place, how: str) -> None:
    await left_half_way(place)
    getattr(place.people, how).add(LINUS.id)
    place.clock.pass_by(minutes=5)
    with pytest.raises(AccessError, match=r"deactivated|does not say who"):
        await asked_quickly(place)
    assert await place.store.grant(1) is None


async def test_an_ask_repeated_by_its_key_goes_around_no_review(place: Place) -> None:
    await left_half_way(place)
    await ended(place, await broken(place))
    place.clock.pass_by(minutes=5)
    with pytest.raises(Refused, match="has not been reviewed yet"):
        await asked_quickly(place)
    assert await place.store.grant(1) is None


async def test_an_ask_repeated_by_its_key_is_not_opened_after_it_lapsed(place: Place) -> None:
    await left_half_way(place)
    place.clock.pass_by(hours=2)  # and no sweep has come by
    assert await asked_quickly(place) is None


# Reviews


async def test_more_time_under_a_rule_that_wants_a_review_brings_the_review(world: World) -> None:
    longer = POLICY.replace("max: 4h, default: 1h", "max: 4h, default: 1h, total: 8h")
    world.policies.policy = Policies(longer).policy
    await world.opened()
    world.policies.policy = Policies(longer.replace("total: 8h", "total: 8h, review: yes")).policy
    more = await world.broker.extend(1, LINUS, More(timedelta(hours=1), "still at it", "k" * 16))
    await world.broker.approve(more.id, ADA, more.digest)
    await world.broker.end(1, LINUS)
    assert await world.store.review(1) is not None


@pytest.mark.parametrize(
    "accounts", ["linus: [U0LINUS2, U0LINUS]", "linus: [U0LINUS, U0LINUS2]"], ids=["first", "second"]
)
async def test_an_account_that_joins_a_person_leaves_no_broken_glass_behind(world: World, accounts: str) -> None:
    other = "U0LINUS" if accounts.startswith("linus: [U0LINUS2") else "U0LINUS2"
    before = POLICY_WITH_GLASS.replace("linus: U0LINUS", f"linus: {other}")
    with_glass(world, before)
    taker = person(other, world.policies.policy)
    await ended(world, await broken(world, taker), taker)
    with_glass(world, POLICY_WITH_GLASS.replace("linus: U0LINUS", accounts))
    for account in ("U0LINUS", "U0LINUS2"):
        now = person(account, world.policies.policy)
        with pytest.raises(Refused, match="has not been reviewed yet"):
            await world.asked(now)
        with pytest.raises(Refused, match="has not been reviewed yet"):
            await broken(world, now)
    policies = {p.hash: p for p in (parse_policy(before), world.policies.policy)}
    assert replay(await world.store.log.entries(-1, 10_000), policies).differences == ()


# Break-glass


async def test_whoever_was_not_offered_it_is_refused_and_never_given_it(world: World) -> None:
    with_glass(world)
    refused = await world.broker.glass.refuse(ask(ADA, role="write", duration=timedelta(minutes=10)))
    assert "cannot break the glass" in str(refused)
    assert isinstance(await world.last(AskRefused), AskRefused)
    with pytest.raises(AccessError, match="just changed"):
        await world.broker.glass.refuse(ask(LINUS, role="write", duration=timedelta(minutes=10)))
    assert await world.store.grant(1) is None


async def test_a_broken_glass_prolongs_nothing(world: World) -> None:
    with_glass(world)
    await world.opened(role="read")
    request = await broken(world, extends=1)
    assert (request.ref, request.extends, (await world.grant(2)).glass) == ("PA-2", None, True)


# Tickets


async def test_a_ticket_that_was_moved_does_not_bring_another_rule(place: Place) -> None:
    place.desk.moved["OLD-1"] = "OPS-412"
    with pytest.raises(Refused, match="OLD-1 is OPS-412 now") as raised:
        await place.asked(role="either", ticket="OLD-1")
    assert raised.value.field == "ticket"
    assert await place.store.request(1) is None
    policy = place.policies.policy
    assert replay(await place.store.log.entries(-1, 10_000), {policy.hash: policy}).differences == ()


# Floods and crowds


async def test_refused_acts_do_not_fill_the_log(world: World) -> None:
    with_glass(world)
    await ended(world, await broken(world))
    request = await world.asked(ADA)
    for _ in range(30):
        with pytest.raises(Refused):
            await world.broker.reviews.close(1, LINUS)
        with pytest.raises(Refused):
            await world.broker.approve(request.id, ADA, request.digest)
    tags = [*await world.tags("PA-1"), *await world.tags(request.ref)]
    most = world.policies.policy.most_per_hour
    assert tags.count("act.refused") == 2 * most  # of each of the two
    world.clock.pass_by(hours=1, seconds=1)
    with pytest.raises(Refused):
        await world.broker.reviews.close(1, LINUS)
    assert (await world.tags("PA-1")).count("act.refused") == most + 1


CROWDED = (
    POLICY_WITH_GLASS.replace("groups: {", "groups: {one: {slack: S01}, two: {slack: S02}, ")
    .replace("approvers: [orders-owners, margaret]", "approvers: [orders-owners, margaret, one, two]")
    .replace("approvers: [orders-owners], max: 4h", "approvers: [orders-owners, one, two], review: yes, max: 4h")
)


class Crowd(Groups):
    """Four thousand people in every group."""

    async def members(self, group_ids: Collection[str], *, fresh: bool = False) -> Mapping[str, Looked]:  # type: ignore[override]
        assert self.clock is not None
        now = self.clock.now()
        return {group: Looked(frozenset(f"U{group[-1]}{n:09d}" for n in range(4_000)), now) for group in group_ids}


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[World]:
    class Town(World):
        groups = Crowd()

    made = Town(tmp_path, CROWDED)
    yield made
    made.close()


async def test_eight_thousand_approvers_hinder_neither_asking_nor_ending(crowded: World) -> None:
    await crowded.opened()
    asked = await crowded.last(RequestAsked)
    assert isinstance(asked, RequestAsked)
    assert len(asked.deciders) == MOST_CALLED
    crowded.clock.pass_by(hours=1)
    await crowded.sweep()
    assert (await crowded.grant(1)).state is GrantState.REVOKED
    crowded.clock.pass_by(days=1)
    await crowded.sweep()
    review = await crowded.store.review(1)
    assert review is not None
    assert review.reminders == 1
    policy = crowded.policies.policy
    report = replay(await crowded.store.log.entries(-1, 10_000), {policy.hash: policy})
    assert (report.differences, report.skipped) == ((), ())


async def test_eight_thousand_reviewers_hinder_no_emergency(crowded: World) -> None:
    await ended(crowded, await broken(crowded))
    told = await crowded.last(GlassBroken)
    assert isinstance(told, GlassBroken)
    assert len(told.told) == MOST_CALLED
    with pytest.raises(Refused, match="7983 more"):
        await crowded.asked()
    with pytest.raises(Refused, match="Nobody reviews"):
        await crowded.broker.reviews.close(1, LINUS)
    stranger = person("U0NOBODY")
    with pytest.raises(Refused, match="7983 more"):
        await crowded.broker.reviews.close(1, stranger)
