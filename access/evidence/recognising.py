"""Who somebody is while Slack does not answer: for break-glass alone, on a terminal that they signed in on before.

The terminal's key proves that it is theirs; the policy file itself must name them. A definite no from Slack is a no.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from access.errors import Unavailable
from access.model import Grant, Person
from access.policy import Policy, Rule
from access.ports import People, PolicySource

PATIENCE = 3.0  # seconds for Slack to say who somebody is, before the signed-in terminal has to do
SLACK, DEVICE = "slack", "device"


@dataclass(frozen=True, slots=True)
class Known:
    """Who it is, and who says so: `slack`, or `device`, the terminal that they signed in on before."""

    person: Person
    identity: str


async def who_now(people: People, policies: PolicySource, person: Person) -> Known:
    """Slack's word on whoever a signed-in terminal belongs to; where it gives none, the terminal's. Raises Refused."""
    try:
        async with asyncio.timeout(PATIENCE):
            return Known(await people.check(person), SLACK)
    except (Unavailable, TimeoutError):
        return Known(policies.current().today(person), DEVICE)


async def who_took(people: People, policies: PolicySource, grant: Grant, person: Person) -> Person:
    """The same, for what was taken by break-glass. Raises Refused, Unavailable."""
    known, policy = await who_now(people, policies, person), policies.current()
    rule = policy.rule(grant.target, grant.role)
    if known.identity == DEVICE and not (rule and is_in_the_file(policy, known.person, rule)):
        raise Unavailable("Slack does not say who you are at the moment, and the policy file does not name you itself.")
    return known.person


def is_in_the_file(policy: Policy, person: Person, rule: Rule) -> bool:
    """Whether the file says by itself that they may break this glass, and no group that has to be looked up."""
    return rule.break_glass is not None and policy.belonging.is_in(person, rule.break_glass.who).yes
