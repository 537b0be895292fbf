"""Access without approval: for named people, short, loud, reviewed; also while Slack does not answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.errors import BadInput, Refused, TooLate, Unavailable
from access.events import AskRefused, GlassBroken, RequestApproved, RequestAsked, ReviewOpened
from access.model import BREAK_GLASS, Cause, GrantState, RequestState, ReviewState
from access.ports import Change
from access.requesting.glass import read_names
from tests.breaking import POLICY_WITH_GLASS, POLICY_WITH_SRE, broken, ended, with_glass
from tests.groups import Groups
from tests.people import ADA, GRACE, LINUS, MARGARET, STRANGER
from tests.world import Policies, World, all_at_once


@pytest.fixture(autouse=True)
def _glass(world: World) -> None:
    with_glass(world)


async def test_named_people_have_it_at_once_for_a_short_time_and_it_is_reviewed(world: World) -> None:
    request = await broken(world)
    grant, review = await world.grant(1), await world.store.review(1)
    assert (request.state, request.votes, request.due_at) == (RequestState.APPROVED, (), None)
    assert (grant.state, grant.glass, grant.review) == (GrantState.ACTIVE, True, True)
    assert grant.expires_at == world.clock.now() + timedelta(minutes=10)
    assert review is not None
    assert (review.state, review.why, review.requester) == (ReviewState.OPEN, BREAK_GLASS, LINUS)
    assert await world.tags("PA-1") == [
        "request.asked", "glass.broken", "request.approved", "review.opened", "grant.active"
    ]  # fmt: skip
    credential = await world.grants.collect(1, await world.device())
    secret = credential.issued.secret.reveal()
    assert world.provider.login(secret["username"], secret["password"])


async def test_all_who_could_have_decided_and_the_admins_are_told_and_nobody_is_asked(world: World) -> None:
    await broken(world)
    glass, opened = await world.last(GlassBroken), await world.last(ReviewOpened)
    asked, approved = await world.last(RequestAsked), await world.last(RequestApproved)
    assert isinstance(glass, GlassBroken)
    assert glass.told == opened.reviewers == ("U0ADA", "U0GRACE", "U0MARGARET")  # type: ignore[attr-defined]
    assert glass.identity == "slack"
    assert (asked.glass, asked.deciders, approved.approvers) == (True, (), ())  # type: ignore[attr-defined]


async def test_it_ends_by_itself_at_its_deadline(world: World) -> None:
    await broken(world)
    world.clock.pass_by(minutes=10)
    await world.sweep()
    grant = await world.grant(1)
    assert (grant.state, grant.cause) == (GrantState.REVOKED, Cause.DEADLINE)
    assert not world.provider.live()
    assert (await world.tags("PA-1")).count("review.opened") == 1


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"duration": timedelta(minutes=16)}, "duration", "At most 15 minutes"),
        ({"reason": " "}, "reason", "Say why"),
        ({"reason": "x" * 501}, "reason", "under 500"),
        ({"ticket": "x" * 101}, "ticket", "under 100"),
        ({"role": "read"}, "target", "cannot break the glass"),
        ({"target": "nothing"}, "target", "cannot break the glass"),
    ],
)
async def test_its_own_terms_hold_and_a_refusal_is_written_down(
    world: World, changes: dict[str, object], field: str, why: str
) -> None:
    with pytest.raises(Refused, match=why) as raised:
        await broken(world, **changes)
    assert raised.value.field == field
    refusal = await world.last(AskRefused)
    assert isinstance(refusal, AskRefused)
    assert refusal.glass
    assert await world.store.requests_of(None) == ()


@pytest.mark.parametrize("who", [ADA, MARGARET, STRANGER])
async def test_nobody_else_has_it_not_even_those_who_approve_or_admins(world: World, who: object) -> None:
    with pytest.raises(Refused, match="cannot break the glass"):
        await broken(world, by=who)  # type: ignore[arg-type]


async def test_a_deny_rule_holds_unless_it_says_otherwise(world: World) -> None:
    deny = "\ndeny: [{who: [linus], targets: all, why: Linus is on leave.%s}]"
    with_glass(world, POLICY_WITH_GLASS + deny % "")
    with pytest.raises(Refused, match="on leave"):
        await broken(world)
    with_glass(world, POLICY_WITH_GLASS + deny % ", even_break_glass: no")
    await broken(world)
    await world.grants.collect(1, await world.device())
    await world.rights.check_all()
    assert (await world.grant(1)).state is GrantState.ACTIVE


async def test_a_freeze_does_not_hold_it_up(world: World) -> None:
    freeze = (
        "\nfreezes: [{name: all, from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z', targets: all, why: No.}]"
    )
    with_glass(world, POLICY_WITH_GLASS + freeze)
    with pytest.raises(Refused, match="Frozen"):
        await world.asked()
    await broken(world)


async def test_the_clock_runs_at_once_also_where_it_else_runs_from_the_first_use(world: World) -> None:
    with_glass(world, POLICY_WITH_GLASS.replace("        review: no\n", "        clock: first_use\n"))
    await broken(world)
    grant = await world.grant(1)
    assert grant.started_at == world.clock.now()
    assert grant.expires_at == world.clock.now() + timedelta(minutes=10)


async def test_what_waits_undecided_does_not_hold_it_up(world: World) -> None:
    for _ in range(5):
        await world.asked()
    assert (await broken(world)).number == 6


async def test_the_same_twice_is_one(world: World) -> None:
    first, second = await all_at_once(broken(world, key="one"), broken(world, key="one"))
    assert first.id == second.id  # type: ignore[attr-defined]
    assert (await world.tags("PA-1")).count("glass.broken") == 1


async def test_two_at_the_same_moment_are_not_two(world: World) -> None:
    results = await all_at_once(*(broken(world, key=f"key-{n}") for n in range(4)))
    assert sum(isinstance(result, Refused) for result in results) == 3
    assert [r.number for r in await world.store.requests_of(None)] == [1]


# Until it is reviewed


async def test_who_has_broken_the_glass_asks_for_nothing_before_it_is_reviewed(world: World) -> None:
    request = await broken(world)
    await ended(world, request)
    for again in (world.asked, lambda: broken(world)):
        with pytest.raises(Refused, match=r"for PA-1.* can be closed by ada, grace or margaret\."):
            await again()
    refusal = await world.last(AskRefused)
    assert isinstance(refusal, AskRefused)
    assert refusal.limit == "review"
    await world.asked(by=ADA)  # nobody else is held up
    await world.broker.reviews.close(1, ADA, "as it should be")
    assert (await world.asked()).number == 3
    assert (await broken(world)).number == 4


async def test_a_flagged_one_still_holds_up(world: World) -> None:
    await ended(world, await broken(world))
    await world.broker.reviews.flag(1, ADA, "a table was dropped")
    with pytest.raises(Refused, match="has not been reviewed"):
        await world.asked()


async def test_a_break_that_never_gave_access_keeps_nobody_from_trying_again(world: World) -> None:
    world.provider.faults.refuse = "no such role"
    await broken(world)
    assert (await world.grant(1)).state is GrantState.FAILED
    world.provider.faults.refuse = ""
    assert (await broken(world)).number == 2
    assert [review.number for review in await world.store.open_reviews(LINUS.id)] == [1, 2]


# While Slack does not answer


async def test_while_slack_is_silent_the_signed_in_terminal_says_who_it_is(world: World) -> None:
    device = await world.device()
    world.people.silent.add(LINUS.id)
    await broken(world, device=device)
    glass = await world.last(GlassBroken)
    assert isinstance(glass, GlassBroken)
    assert glass.identity == "device"
    world.clock.pass_by(minutes=1)  # past the second in which nobody is asked again
    await world.grants.collect(1, device)
    await world.rights.check_all()
    assert (await world.grant(1)).state is GrantState.ACTIVE


async def test_while_slack_is_silent_slack_itself_is_no_way_to_break_it(world: World) -> None:
    world.people.silent.add(LINUS.id)
    with pytest.raises(Unavailable):
        await broken(world)


async def test_a_definite_no_of_slack_is_a_no_also_for_what_was_broken_before(world: World) -> None:
    device = await world.device()
    await broken(world, device=device)
    world.clock.pass_by(minutes=1)
    world.people.gone.add(LINUS.id)
    with pytest.raises(Refused, match="deactivated"):
        await world.grants.collect(1, device)
    with pytest.raises(Refused, match="deactivated"):
        await broken(world, device=device)


async def test_what_was_approved_needs_slack_at_every_collection(world: World) -> None:
    device = await world.device()
    await world.opened()
    world.clock.pass_by(minutes=1)
    world.people.silent.add(LINUS.id)
    with pytest.raises(Unavailable):
        await world.grants.collect(1, device)


async def test_a_group_that_is_looked_up_names_nobody_while_slack_is_silent(world: World) -> None:
    """Ada is in `sre` by Slack's word of a moment ago; that is not the file's own word."""
    World.groups = groups = Groups("U0ADA")
    try:
        groups.clock = world.clock
        world.restart()
        with_glass(world, POLICY_WITH_SRE)
        device = await world.device(ADA)
        world.people.silent.add(ADA.id)
        with pytest.raises(Refused, match="does not name you itself"):
            await broken(world, by=ADA, device=device)
        world.people.silent.clear()
        await broken(world, by=ADA, device=device)
        world.people.silent.add(ADA.id)
        world.clock.pass_by(minutes=1)
        with pytest.raises(Unavailable, match="does not name you itself"):
            await world.grants.collect(1, device)
    finally:
        World.groups = None


async def test_an_account_that_is_somebody_elses_now_breaks_nothing_on_an_old_terminal(world: World) -> None:
    device = await world.device()
    world.people.silent |= {LINUS.id, ADA.id}
    moved = POLICY_WITH_GLASS.replace("linus: U0LINUS", "linus: U0LINUS9").replace("grace: U0GRACE", "grace: U0LINUS")
    with_glass(world, moved)
    with pytest.raises(Refused):
        await broken(world, device=device)


async def test_the_right_to_it_is_the_break_glass_clause_and_is_looked_at_again(world: World) -> None:
    await broken(world)
    with_glass(world, POLICY_WITH_GLASS.replace("who: [linus]", "who: [grace]"))
    device = await world.device()
    with pytest.raises(Refused, match="no longer gives this"):
        await world.grants.collect(1, device)
    await world.rights.check_all()
    assert (await world.grant(1)).cause is Cause.LOST_RIGHT


# What is typed


def test_names_are_forgiving_within_what_is_theirs() -> None:
    policy = Policies(POLICY_WITH_GLASS).policy
    for typed in ("orders-db", "ORDERS", "ord"):
        assert read_names(policy, LINUS, (typed, "")) == ("orders-db", "write")
    with pytest.raises(BadInput, match="Did you mean orders-db"):
        read_names(policy, LINUS, ("ordres-db", ""))
    with pytest.raises(BadInput, match="orders-db/write"):
        read_names(policy, LINUS, ("orders-db", "admin"))
    assert read_names(policy, GRACE, ("orders-db", "")) == ("orders-db", "any role")  # which is then refused


async def test_every_state_is_written_in_one_transaction(world: World) -> None:
    """A store that refuses the change leaves nothing of it."""
    create = world.store.create

    async def refuse(build: object, quota: object = None) -> object:
        def twice(number: int) -> Change:
            change = build(number)  # type: ignore[operator]
            return Change(
                requests=change.requests, grants=change.grants, reviews=(*change.reviews, *change.reviews),
                events=change.events,
            )  # fmt: skip

        return await create(twice, quota)  # type: ignore[arg-type]

    world.store.create = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(TooLate, match="Too much"):
        await broken(world)
    assert await world.store.requests_of(None) == ()
    assert await world.store.open_reviews() == ()
    assert await world.store.log.head() == -1


async def test_two_at_the_same_moment_are_not_two_on_postgresql_either(world: World, fresh_database: str) -> None:
    world.url = fresh_database
    world.restart()
    results = await all_at_once(*(broken(world, key=f"key-{n}") for n in range(4)))
    assert sum(isinstance(result, Refused) for result in results) == 3
    await ended(world, await world.request(1))
    await world.broker.reviews.close(1, ADA)
    assert (await broken(world)).number == 2
