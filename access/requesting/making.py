"""Requests, grants and audit entries, made out of what was asked and what policy says about it. Pure."""

from __future__ import annotations

import secrets
from datetime import datetime

from access.events import AskRefused, RequestAsked
from access.model import Ask, Grant, GrantState, Person, Request, RequestState, ref
from access.policy import LONGEST_REASON, LONGEST_TICKET, NOTHING_KNOWN, Facts, Policy, Rule, Verdict
from access.requesting.progress import stages
from access.retry import ISSUING


def as_ask(request: Request, by: Person) -> Ask:
    """The request as it was asked, to be judged again today."""
    return Ask(
        by, request.target, request.role, request.duration, request.reason, request.ticket, request.key,
        request.extends, request.glass,
    )  # fmt: skip


def new_request(ask: Ask, policy: Policy, rule: Rule, numbered: tuple[int, datetime]) -> Request:
    number, now = numbered
    return Request(
        id=secrets.token_hex(12), number=number, key=ask.key, requester=ask.by, target=ask.target, role=ask.role,
        duration=ask.duration, reason=ask.reason, ticket=ask.ticket, state=RequestState.PENDING, created_at=now,
        lapses_at=now + policy.pending_for, due_at=now + policy.pending_for, policy_hash=policy.hash, rule=rule.name,
        approvals_needed=rule.approvals, extends=ask.extends, glass=ask.glass,
    )  # fmt: skip


def new_grant(request: Request, rule: Rule, now: datetime) -> Grant:
    """Its deadline is fixed here; where the time runs from the first use, the moment by which that must come."""
    glass = rule.break_glass if request.glass else None
    most = glass.maximum if glass else rule.maximum
    duration = min(request.duration, most, *(vote.shorter for vote in request.votes if vote.shorter))
    waits = rule.use_within if rule.first_use and not request.glass else None
    return Grant(
        number=request.number, request_id=request.id, requester=request.requester, target=request.target,
        role=request.role, reason=request.reason, ticket=request.ticket, provider=rule.provider, uses=rule.uses,
        state=GrantState.ISSUING, created_at=now, expires_at=now + (waits or duration),
        due_at=now + min(ISSUING, waits or duration), duration=duration, started_at=None if waits else now,
        glass=request.glass, review=rule.review or request.glass, gateway=rule.gateway,
    )  # fmt: skip


def asked(request: Request, policy: Policy, rule: Rule, facts: Facts = NOTHING_KNOWN) -> RequestAsked:
    """Its `deciders` are those who are asked at once; who would stand in for them later is not called yet."""
    now, names, progress = request.created_at, frozenset[str](), tuple[str, ...]()
    if not request.glass:
        standing = policy.standing(request, (), facts)
        names, progress = frozenset(standing.asked), stages(policy, request, standing, facts)
    return RequestAsked(
        at=now, ref=request.ref, by=request.requester, request_id=request.id, target=request.target,
        role=request.role, duration=request.duration, reason=request.reason, ticket=request.ticket,
        policy_hash=policy.hash, rule=rule.name, approvals_needed=rule.approvals, deciders=policy.accounts_of(names),
        digest=request.digest, lapses_at=request.lapses_at,
        extends=ref(request.extends) if request.extends else "", glass=request.glass, stages=progress,
    )  # fmt: skip


def ask_refused(ask: Ask, policy: Policy, verdict: Verdict, now: datetime) -> AskRefused:
    """What was typed is cut, a character after the longest that is taken: it is somebody's text, and was refused."""
    return AskRefused(
        at=now, by=ask.by, target=ask.target[:100], role=ask.role[:100], duration=ask.duration,
        reason=ask.reason[: LONGEST_REASON + 1], ticket=ask.ticket[: LONGEST_TICKET + 1], policy_hash=policy.hash,
        rule=verdict.rule, why=verdict.why, field=verdict.field, extends=ref(ask.extends) if ask.extends else "",
        glass=ask.glass,
    )  # fmt: skip
