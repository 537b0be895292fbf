"""A world whose policy lets some break the glass, and short ways to it."""

from __future__ import annotations

from datetime import timedelta

from access.model import Device, Grant, Person, Request
from tests.people import LINUS, POLICY, ask
from tests.world import Policies, World

POLICY_WITH_GLASS = (
    POLICY.rstrip()
    + """
        review: no
        break_glass: {who: [linus], max: 15m}
"""
)
#: the same for whoever is in a Slack user group
POLICY_WITH_SRE = POLICY_WITH_GLASS.replace("{who: [linus],", "{who: [sre],").replace(
    "groups: {", "groups: {sre: {slack: S012SRE}, "
)


def with_glass(world: World, text: str = POLICY_WITH_GLASS) -> None:
    world.policies.policy = Policies(text).policy


async def broken(world: World, by: Person = LINUS, device: Device | None = None, **changes: object) -> Request:
    """What somebody has taken without approval."""
    fields = {"role": "write", "duration": timedelta(minutes=10), "ticket": "", **changes}
    return await world.broker.glass.take(ask(by, **fields), device)


async def ended(world: World, request: Request, by: Person = LINUS) -> Grant:
    await world.broker.end(request.number, by)
    return await world.grant(request.number)
