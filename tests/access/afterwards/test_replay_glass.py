"""Broken glasses and reviews judged again out of the log alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from access.afterwards.replay import replay
from access.errors import AccessError
from access.events import AskRefused, Event, GlassBroken, PolicyLoaded, RequestApproved, ReviewClosed, ReviewFlagged
from access.policy import Policy
from access.ports import Change
from tests.breaking import POLICY_WITH_GLASS, POLICY_WITH_SRE, broken, ended, with_glass
from tests.groups import Groups
from tests.people import ADA, GRACE, LINUS, MARGARET
from tests.world import Policies, World


@dataclass(frozen=True)
class Line:
    """One entry."""

    seq: int
    event: Event


def texts() -> Mapping[str, Policy]:
    found = (Policies(text).policy for text in (POLICY_WITH_GLASS, POLICY_WITH_SRE))
    return {policy.hash: policy for policy in found}


async def refused(work: Any) -> None:
    with pytest.raises(AccessError):
        await work


async def lived(world: World) -> list[Line]:
    """What can happen to a broken glass."""
    with_glass(world)
    now, policy = world.clock.now(), world.policies.policy
    await world.store.commit(Change(events=(PolicyLoaded(at=now, policy_hash=policy.hash, rules=2),)))
    device, adas = await world.device(), await world.device(ADA)
    for fault in ({"duration": timedelta(hours=2)}, {"role": "read"}, {"reason": " "}):
        await refused(broken(world, **fault))
    world.people.silent.add(LINUS.id)
    request = await broken(world, device=device)  # 1
    world.people.silent.clear()
    await world.grants.collect(1, device)
    await refused(broken(world, by=GRACE))
    await refused(world.asked())
    await ended(world, request)
    await refused(world.broker.reviews.close(1, LINUS))
    await world.broker.reviews.flag(1, ADA, "a table was dropped")
    await refused(broken(world))
    await world.broker.reviews.close(1, MARGARET, "the temporary one")
    await broken(world)  # 2
    assert World.groups is not None
    with_glass(world, POLICY_WITH_SRE)
    world.people.silent.add(ADA.id)
    await refused(broken(world, by=ADA, device=adas))
    world.people.silent.clear()
    await broken(world, by=ADA, device=adas)  # 3
    return [Line(e.seq, e.event) for e in await world.store.log.entries(-1, 10_000)]


@pytest.fixture
async def story(world: World) -> Any:
    World.groups = groups = Groups("U0ADA")
    groups.clock = world.clock
    try:
        world.restart()
        yield await lived(world)
    finally:
        World.groups = None


async def test_what_was_lived_is_judged_the_same_again(story: list[Line]) -> None:
    report = replay(story, texts())
    assert [str(difference) for difference in report.differences] == []
    assert report.skipped == ()
    judged = [line.event for line in story if isinstance(line.event, GlassBroken | ReviewClosed | ReviewFlagged)]
    assert len(judged) == 5
    limits = [line.event.limit for line in story if isinstance(line.event, AskRefused)]
    assert limits == ["", "", "", "", "review", "review", "device"]


@pytest.mark.parametrize(
    ("kind", "changes", "what"),
    [
        (GlassBroken, {"by": GRACE}, "cannot break the glass"),
        (RequestApproved, {"expires_at": None}, "expires_at"),
        (ReviewClosed, {"by": LINUS}, "Nobody reviews what they did themselves"),
        (ReviewFlagged, {"by": LINUS}, "Nobody reviews what they did themselves"),
    ],
)
async def test_what_was_altered_is_named(
    story: list[Line], kind: type[Event], changes: dict[str, Any], what: str
) -> None:
    if "expires_at" in changes:
        original = next(line.event for line in story if isinstance(line.event, kind))
        changes = {"expires_at": original.at + timedelta(hours=1)}
    first = next(line.seq for line in story if isinstance(line.event, kind))
    forged = [Line(li.seq, replace(li.event, **changes) if li.seq == first else li.event) for li in story]
    report = replay(forged, texts())
    assert [d for d in report.differences if what in str(d)], [str(d) for d in report.differences]


async def test_an_ask_refused_for_a_review_that_nobody_owes_is_named(story: list[Line]) -> None:
    without = [line for line in story if not isinstance(line.event, GlassBroken)]
    report = replay(without, texts())
    assert [d for d in report.differences if "nothing of theirs waits for its review" in str(d)]
