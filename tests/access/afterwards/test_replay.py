"""Every decision judged again out of the log alone: the same answer where nothing was touched, named where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from access.afterwards.replay import Report, replay
from access.errors import AccessError
from access.events import (
    ActRefused,
    ApprovalGiven,
    AskRefused,
    CredentialIntended,
    Erased,
    Event,
    PolicyLoaded,
    RequestApproved,
    RequestAsked,
    RequestDenied,
)
from access.policy import Policy
from access.ports import Change
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY, person
from tests.world import Policies, World

NARROW = POLICY.replace("orders-owners: [ada, grace]", "orders-owners: [grace]").replace("max: 4h", "max: 2h")


@dataclass(frozen=True)
class Line:
    """One entry."""

    seq: int
    event: Event


async def load(world: World, text: str) -> None:
    world.policies.policy = Policies(text).policy
    now, digest = world.clock.now(), world.policies.policy.hash
    await world.store.commit(Change(events=(PolicyLoaded(at=now, policy_hash=digest, rules=2),)))


async def refused(work: Any) -> None:
    with pytest.raises(AccessError):
        await work


async def live(world: World) -> None:
    """A day in which about everything is decided that can be."""
    await load(world, POLICY)
    device = await world.device()
    await world.opened()  # 1
    await world.grants.collect(1, device)
    for fault in ({"duration": timedelta(days=1)}, {"reason": " "}, {"ticket": "nonsense"}, {"target": "nothing"}):
        await refused(world.asked(**fault))
    two = await world.asked(role="write", ticket="")  # 2
    await world.broker.approve(two.id, ADA, two.digest)
    for who in (LINUS, ADA, person("U0NOBODY")):
        await refused(world.broker.approve(two.id, who, two.digest))
    await refused(world.broker.approve(two.id, GRACE, "0" * 8))
    await refused(world.broker.deny(two.id, LINUS, "no"))
    three = await world.asked(by=GRACE)  # 3
    await world.broker.deny(three.id, ADA, "not today")
    await refused(world.broker.approve(three.id, ADA, three.digest))
    four = await world.asked(duration=timedelta(hours=3))  # 4
    await load(world, NARROW)
    await world.broker.approve(two.id, GRACE, two.digest)
    await world.broker.approve(two.id, MARGARET, two.digest)
    await refused(world.broker.approve(four.id, GRACE, four.digest))
    world.clock.pass_by(minutes=10)
    await world.grants.collect(2, device)
    for _ in range(4):
        await world.asked()
    await refused(world.asked())


async def lines(world: World) -> list[Line]:
    return [Line(e.seq, e.event) for e in await world.store.log.entries(-1, 10_000)]


def texts(*more: str) -> Mapping[str, Policy]:
    return {policy.hash: policy for policy in (Policies(text).policy for text in (POLICY, NARROW, *more))}


def altered(story: Sequence[Line], kind: type[Event], which: int = 0, **changes: Any) -> list[Line]:
    """The story with one entry of a kind changed."""
    line = [line for line in story if isinstance(line.event, kind)][which]
    return [replace(x, event=replace(x.event, **changes)) if x is line else x for x in story]


def only(report: Report, what: str) -> str:
    """The one difference, which is about this."""
    (found,) = report.differences
    assert found.what == what
    return str(found)


async def test_an_untouched_log_says_the_same_again(world: World) -> None:
    await live(world)
    story = await lines(world)
    report = replay(story, texts())
    assert report.differences == ()
    assert report.skipped == ()
    kinds = (RequestAsked, AskRefused, ApprovalGiven, RequestApproved, RequestDenied, ActRefused, CredentialIntended)
    assert report.checked == sum(isinstance(line.event, kinds) for line in story)
    assert {type(line.event) for line in story} >= set(kinds)


ALTERED: list[tuple[str, Callable[[list[Line]], list[Line]], str]] = [
    ("rule", lambda s: altered(s, RequestAsked, rule="orders-db/write"), "the replay says “orders-db/read”"),
    ("approvals_needed", lambda s: altered(s, RequestAsked, 1, approvals_needed=1), "“1”; the replay says “2”"),
    ("deciders", lambda s: altered(s, RequestAsked, deciders=("U0LINUS",)), "U0LINUS; the replay says U0ADA, U0GRACE"),
    ("the answer", lambda s: altered(s, RequestAsked, 2, ticket=""), "no: This target needs a ticket."),
    ("field", lambda s: altered(s, AskRefused, field="reason"), "“reason”; the replay says “duration”"),
    ("the answer", lambda s: altered(s, AskRefused, duration=timedelta(hours=1)), "the replay says “yes”"),
    ("count", lambda s: altered(s, ApprovalGiven, 1, count=2), "“2”; the replay says “1”"),
    ("counted", lambda s: altered(s, ApprovalGiven, 1, counted=(ADA.id, GRACE.id), count=2), "says T0ACME/U0ADA"),
    ("needed", lambda s: altered(s, ApprovalGiven, 1, needed=1), "“1”; the replay says “2”"),
    ("digest", lambda s: altered(s, ApprovalGiven, digest="0" * 64), "0000"),
    ("provider", lambda s: altered(s, RequestApproved, provider="aws"), "“aws”; the replay says “memory”"),
    ("approvers", lambda s: altered(s, RequestApproved, 1, approvers=(ADA.id, MARGARET.id)), "U0GRACE"),
    ("approvers", lambda s: altered(s, RequestApproved, 1, approvers=(GRACE.id,)), "U0MARGARET"),
    ("the answer", lambda s: altered(s, RequestDenied, by=LINUS), "no: This is decided by ada."),
    ("the answer", lambda s: altered(s, ActRefused, by=GRACE), "the replay says “yes”"),
    ("the answer", lambda s: altered(s, CredentialIntended, by=person("U0NOBODY")), "no: You cannot ask for orders-db"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "alter", "said"), ALTERED)
async def test_what_was_altered_is_named(
    world: World, what: str, alter: Callable[[list[Line]], list[Line]], said: str
) -> None:
    await live(world)
    assert said in only(replay(alter(await lines(world)), texts()), what)


async def test_a_self_approval_is_seen_however_it_got_there(world: World) -> None:
    await live(world)
    report = replay(altered(await lines(world), ApprovalGiven, by=LINUS), texts())
    assert any("Nobody approves their own request." in str(found) for found in report.differences)


async def test_a_longer_grant_than_was_given_is_seen(world: World) -> None:
    await live(world)
    story = await lines(world)
    approved = next(line.event for line in story if isinstance(line.event, RequestApproved))
    assert isinstance(approved, RequestApproved)
    later = approved.expires_at + timedelta(hours=9)
    said = only(replay(altered(story, RequestApproved, expires_at=later), texts()), "expires_at")
    assert said.startswith("entry ")
    assert "PA-1" in said


async def test_an_erased_reason_does_not_matter(world: World) -> None:
    await live(world)
    story = [
        replace(line, event=replace(line.event, reason=Erased(len(line.event.reason))))
        if isinstance(line.event, RequestAsked | AskRefused | RequestDenied) and line.event.reason
        else line
        for line in await lines(world)
    ]
    whole, rest = replay(await lines(world), texts()), replay(story, texts())
    assert rest == whole


async def test_what_was_too_long_is_no_difference(world: World) -> None:
    await load(world, POLICY)
    await refused(world.asked(reason="x" * 600))
    await refused(world.asked(ticket=f"OPS-{'1' * 200}"))
    await refused(world.asked(ticket="x" * 99))
    assert not replay(await lines(world), texts()).differences


async def test_without_the_text_of_a_policy_it_is_skipped_with_its_reason(world: World) -> None:
    await live(world)
    policies = {digest: policy for digest, policy in texts().items() if policy.most_pending == 5}
    del policies[Policies(NARROW).policy.hash]
    report = replay(await lines(world), policies)
    assert not report.differences
    assert any("is not at hand" in skipped.why for skipped in report.skipped)


async def test_a_part_of_the_log_is_judged_as_far_as_it_goes(world: World) -> None:
    await live(world)
    story = await lines(world)
    for start in range(len(story)):
        part = replay(story[start:], texts())
        assert not part.differences
    assert any("the ask itself is not among" in skipped.why for skipped in replay(story[6:], texts()).skipped)


async def test_a_voter_whom_slack_no_longer_knew_is_no_difference(world: World) -> None:
    await load(world, POLICY)
    request = await world.asked(role="write", ticket="")
    await world.broker.approve(request.id, ADA, request.digest)
    world.people.gone.add(ADA.id)
    await world.broker.approve(request.id, GRACE, request.digest)
    world.people.gone.clear()
    await world.broker.approve(request.id, MARGARET, request.digest)
    report = replay(await lines(world), texts())
    assert not report.differences
    assert not report.skipped
