"""Looking back: what must be reviewed is, by somebody else, and is called for until then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.errors import NotFound, Refused, TooLate
from access.events import ActRefused, ReviewClosed, ReviewFlagged, ReviewOpened, ReviewReminded
from access.model import BY_RULE, GrantState, Person, ReviewState
from tests.breaking import broken, ended, with_glass
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY, STRANGER, person
from tests.world import Policies, World, all_at_once

REVIEWED = POLICY.replace("max: 4h, default: 1h", "max: 4h, default: 1h, review: yes")
SENSITIVE = POLICY.replace("    aliases: [orders]", "    aliases: [orders]\n    sensitivity: high")


async def reviewed_grant(world: World, by: Person = LINUS, approver: Person = ADA) -> int:
    world.policies.policy = Policies(REVIEWED).policy
    grant = await world.opened(by, approver)
    await world.broker.end(grant.number, by)
    return grant.number


async def state(world: World, number: int = 1) -> ReviewState:
    review = await world.store.review(number)
    assert review is not None
    return review.state


@pytest.mark.parametrize("policy", [REVIEWED, SENSITIVE])
async def test_what_must_be_reviewed_follows_from_the_rule_and_from_sensitivity(world: World, policy: str) -> None:
    world.policies.policy = Policies(policy).policy
    await world.opened()
    assert await world.store.review(1) is None
    world.clock.pass_by(hours=1)
    await world.sweep()
    review, opened = await world.store.review(1), await world.last(ReviewOpened)
    assert review is not None
    assert isinstance(opened, ReviewOpened)
    assert (review.state, review.why) == (ReviewState.OPEN, BY_RULE)
    assert (opened.why, opened.reviewers) == (BY_RULE, ("U0ADA", "U0GRACE", "U0MARGARET"))
    assert (await world.tags("PA-1"))[-2:] == ["grant.ended", "review.opened"]


async def test_what_need_not_be_reviewed_is_not(world: World) -> None:
    await world.opened()
    await world.broker.end(1, LINUS)
    assert await world.store.open_reviews() == ()


async def test_what_never_opened_has_nothing_to_review(world: World) -> None:
    world.policies.policy = Policies(REVIEWED).policy
    world.provider.faults.refuse = "no such role"
    await world.opened()
    assert (await world.grant(1)).state is GrantState.FAILED
    assert await world.store.open_reviews() == ()


async def test_a_review_by_rule_holds_nobody_up(world: World) -> None:
    await reviewed_grant(world)
    assert (await world.asked()).number == 2


@pytest.mark.parametrize("by", [ADA, GRACE, MARGARET])
async def test_who_may_decide_it_and_admins_review_it(world: World, by: Person) -> None:
    await reviewed_grant(world)
    closed = await world.broker.reviews.close(1, by, "  two rows, as the ticket says ")
    assert (closed.state, closed.due_at, closed.by) == (ReviewState.REVIEWED, None, by)
    event = await world.last(ReviewClosed)
    assert isinstance(event, ReviewClosed)
    assert (event.by, event.text) == (by, "two rows, as the ticket says")
    assert await world.store.open_reviews() == ()


@pytest.mark.parametrize("by", [ADA, person("U0ADA2")])
async def test_nobody_reviews_what_they_did_themselves(world: World, by: Person) -> None:
    await reviewed_grant(world, by=ADA, approver=GRACE)
    for act in (world.broker.reviews.close(1, by, ""), world.broker.reviews.flag(1, by, "look")):
        with pytest.raises(Refused, match="Nobody reviews what they did themselves"):
            await act
    assert await state(world) is ReviewState.OPEN
    assert isinstance(await world.last(ActRefused), ActRefused)


async def test_not_even_an_admin_or_where_the_rule_lets_them_approve_their_own(world: World) -> None:
    text = REVIEWED.replace("admins: [margaret]", "admins: [margaret, linus]")
    text = text.replace("approvers: [orders-owners], max: 4h", "approve: {by: engineers, own_request: yes}, max: 4h")
    world.policies.policy = Policies(text).policy
    await world.opened(approver=LINUS)
    await world.broker.end(1, LINUS)
    with pytest.raises(Refused, match="themselves"):
        await world.broker.reviews.close(1, LINUS)
    opened = await world.last(ReviewOpened)
    assert "U0LINUS" not in opened.reviewers  # type: ignore[attr-defined]


async def test_a_bystander_does_not_and_is_told_who_does(world: World) -> None:
    await reviewed_grant(world, by=ADA, approver=GRACE)
    for by in (LINUS, STRANGER):
        with pytest.raises(Refused, match="PA-1 is reviewed by grace, margaret"):
            await world.broker.reviews.close(1, by)
    with pytest.raises(NotFound):
        await world.broker.reviews.close(7, GRACE)


async def test_whoever_has_left_reviews_nothing(world: World) -> None:
    await reviewed_grant(world)
    world.people.gone.add(ADA.id)
    with pytest.raises(Refused, match="deactivated"):
        await world.broker.reviews.close(1, ADA)


async def test_a_flag_says_what_was_seen_and_keeps_it_open(world: World) -> None:
    await reviewed_grant(world)
    with pytest.raises(Refused, match="Say what you saw") as raised:
        await world.broker.reviews.flag(1, GRACE, " ")
    assert raised.value.field == "note"
    await world.broker.reviews.flag(1, GRACE, "a table was dropped")
    assert await state(world) is ReviewState.FLAGGED
    assert [review.number for review in await world.store.open_reviews()] == [1]
    assert (await world.last(ReviewFlagged)).text == "a table was dropped"  # type: ignore[attr-defined]
    with pytest.raises(TooLate, match="already flagged by grace"):
        await world.broker.reviews.flag(1, ADA, "yes")
    await world.broker.reviews.close(1, ADA, "it was the temporary one")
    assert await state(world) is ReviewState.REVIEWED


async def test_two_at_once_close_it_once(world: World) -> None:
    await reviewed_grant(world)
    results = await all_at_once(*(world.broker.reviews.close(1, by) for by in (ADA, GRACE)))
    assert sum(isinstance(result, TooLate) for result in results) == 1
    assert (await world.tags("PA-1")).count("review.closed") == 1


@pytest.mark.parametrize("act", ["close", "flag"])
async def test_a_long_note_is_refused_in_its_field(world: World, act: str) -> None:
    await reviewed_grant(world)
    with pytest.raises(Refused, match="under 500") as raised:
        await getattr(world.broker.reviews, act)(1, ADA, "x" * 501)
    assert raised.value.field == "note"


async def test_a_broken_glass_is_reviewed_once_it_is_over(world: World) -> None:
    with_glass(world)
    request = await broken(world)
    with pytest.raises(TooLate, match="PA-1 is still open"):
        await world.broker.reviews.close(1, ADA)
    await world.broker.reviews.flag(1, GRACE, "who is this")  # does not wait for the end
    await ended(world, request)
    await world.broker.reviews.close(1, ADA)
    assert await state(world) is ReviewState.REVIEWED
    assert (await world.tags("PA-1")).count("review.opened") == 1


async def test_reviewers_are_called_again_each_day_until_it_is_done(world: World) -> None:
    await reviewed_grant(world)
    await world.sweep()
    assert "review.reminded" not in await world.tags("PA-1")
    for day in (1, 2):
        world.clock.pass_by(days=1)
        await world.sweep()
        await world.sweep()
        assert (await world.tags("PA-1")).count("review.reminded") == day
    called = await world.last(ReviewReminded)
    assert called.to == ("U0ADA", "U0GRACE", "U0MARGARET")  # type: ignore[attr-defined]
    await world.broker.reviews.flag(1, ADA, "odd")
    world.clock.pass_by(days=1)
    await world.sweep()
    assert (await world.tags("PA-1")).count("review.reminded") == 3
    await world.broker.reviews.close(1, ADA)
    world.clock.pass_by(days=9)
    await world.sweep()
    assert (await world.tags("PA-1")).count("review.reminded") == 3


async def test_whoever_has_the_say_today_is_called(world: World) -> None:
    await reviewed_grant(world)
    world.policies.policy = Policies(REVIEWED.replace("orders-owners: [ada, grace]", "orders-owners: [grace]")).policy
    world.clock.pass_by(days=1)
    await world.sweep()
    assert (await world.last(ReviewReminded)).to == ("U0GRACE", "U0MARGARET")  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="is reviewed by grace, margaret"):
        await world.broker.reviews.close(1, ADA)


async def test_where_the_rule_is_gone_admins_still_can(world: World) -> None:
    await reviewed_grant(world)
    world.policies.policy = Policies(POLICY.replace("orders-db:", "other-db:")).policy
    await world.broker.reviews.close(1, MARGARET)
    assert await state(world) is ReviewState.REVIEWED


async def test_the_open_ones_are_listed_for_those_who_can_close_them(world: World) -> None:
    world.policies.policy = replace(Policies(REVIEWED).policy, most_per_hour=100)
    await reviewed_grant(world)
    world.clock.pass_by(minutes=1)
    await reviewed_grant(world, by=ADA, approver=GRACE)
    reviews = world.broker.reviews
    assert [r.number for r in await reviews.waiting_for(GRACE)] == [1, 2]
    assert [r.number for r in await reviews.waiting_for(ADA)] == [1]
    assert [r.number for r in await reviews.waiting_for(LINUS)] == []
    assert [r.number for r in await reviews.mine(LINUS)] == [1]
    await reviews.close(1, GRACE)
    assert [r.number for r in await reviews.waiting_for(GRACE)] == [2]


async def test_a_restart_forgets_no_review(world: World) -> None:
    await reviewed_grant(world)
    world.restart()
    world.clock.pass_by(days=1, seconds=1)
    await world.sweep()
    review = await world.store.review(1)
    assert review is not None
    assert (review.reminders, review.due_at) == (1, world.clock.now() + timedelta(days=1))
