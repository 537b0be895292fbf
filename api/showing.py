"""A request as it is answered with: its own facts, and who may decide it as far as that is known right now."""

from __future__ import annotations

from access.model import Grant, Request, RequestState
from api import views
from api.parts import ApiParts
from api.schemas import RequestOut


async def shown(parts: ApiParts, asked: Request, grant: Grant | None) -> RequestOut:
    """Who may decide is looked up only while somebody has to."""
    deciders = await _deciders(parts, asked) if asked.state is RequestState.PENDING else ()
    out = views.request(asked, grant, deciders, parts.clock.now())
    rule = parts.policies.current().rule(asked.target, asked.role)
    out.gateway = grant.gateway if grant else rule.gateway if rule else ""
    return out


async def _deciders(parts: ApiParts, asked: Request) -> tuple[str, ...]:
    policy = parts.policies.current()
    facts = await parts.broker.facts(policy, asked.target, asked.role)
    rule = policy.rule_for(asked, facts)
    voted = {vote.by.name for vote in asked.votes}
    names = policy.deciders(rule, asked.requester, facts) if rule else ()
    return tuple(name for name in names if name not in voted)
