"""Values in, wire shapes out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from access.broker import explain_offer
from access.model import Device, Grant, Person, Request, Vote, ref
from access.policy import Facts, Policy, Rule
from access.ports import Released
from api.schemas import CredentialOut, FactOut, GrantOut, MeOut, RequestOut, RoleOut, TargetOut, VoteOut
from api.story import did, facts, tell
from audit.log import Entry

_AWS = "access_key_id"


def me(device: Device, policy: Policy) -> MeOut:
    """The person and the terminal."""
    return MeOut(
        id=device.person.id, name=device.person.name, admin=policy.is_admin(device.person), host=device.host,
        address=device.address, signed_in_at=device.created_at, expires_at=device.expires_at,
    )  # fmt: skip


def targets(policy: Policy, person: Person, known: Facts) -> list[TargetOut]:
    """What this person may ask for, in the policy's order."""
    found: dict[str, TargetOut] = {}
    for rule in policy.offers(person, known):
        shell = TargetOut(
            target=rule.target, title=rule.title, environment=rule.environment, aliases=list(rule.aliases), roles=[]
        )
        found.setdefault(rule.target, shell).roles.append(_role(rule, policy.deciders(rule, person, known)))
    return list(found.values())


def _role(rule: Rule, deciders: tuple[str, ...]) -> RoleOut:
    return RoleOut(
        role=rule.role,
        maximum=round(rule.maximum.total_seconds()),
        default=round(rule.default.total_seconds()),
        durations=[round(d.total_seconds()) for d in rule.durations()],
        approvals=rule.approvals,
        deciders=list(deciders),
        reason_required=rule.reason_required,
        ticket_required=rule.ticket_required,
        explanation=explain_offer(rule, deciders),
    )


def mark(asked: Request, grant: Grant | None) -> str:
    """Changes with whatever somebody would wait for."""
    return f"{_state(asked, grant)}.{len(asked.votes)}"


def request(asked: Request, grant: Grant | None, deciders: Sequence[str], now: datetime) -> RequestOut:
    """A request as its requester, its approvers and admins see it."""
    return RequestOut(
        ref=asked.ref,
        state=_state(asked, grant),
        mark=mark(asked, grant),
        target=asked.target,
        role=asked.role,
        duration=round(asked.duration.total_seconds()),
        reason=asked.reason,
        ticket=asked.ticket,
        requester=asked.requester.name,
        created_at=asked.created_at,
        approvals_needed=asked.approvals_needed,
        votes=[_vote(vote) for vote in asked.votes],
        deciders=list(deciders),
        decided_by=asked.decided_by.name if asked.decided_by else None,
        decided_at=asked.decided_at,
        note=asked.note,
        extends=ref(asked.extends) if asked.extends else None,
        glass=asked.glass,
        grant=_grant(grant, now) if grant else None,
    )


def _vote(vote: Vote) -> VoteOut:
    shorter = round(vote.shorter.total_seconds()) if vote.shorter else None
    return VoteOut(by=vote.by.name, at=vote.at, shorter=shorter)


def _state(asked: Request, grant: Grant | None) -> str:
    return str(grant.state if grant else asked.state)


def _grant(grant: Grant, now: datetime) -> GrantOut:
    return GrantOut(
        created_at=grant.created_at,
        started_at=grant.started_at,
        duration=round(grant.duration.total_seconds()),
        expires_at=grant.expires_at,
        expires_in=_seconds_left(grant, now),
        credentials=sum(1 for lease in grant.leases if lease.public_id),
        cause=grant.cause,
        ended_by=grant.ended_by.name if grant.ended_by else None,
        ended_at=grant.ended_at,
        effective_by=grant.effective_by,
    )


def _seconds_left(grant: Grant, now: datetime) -> int:
    return max(0, int((grant.expires_at - now).total_seconds()))


def fact(entry: Entry) -> FactOut:
    """One audit entry."""
    event = entry.event
    return FactOut(
        seq=entry.seq, at=event.at, kind=event.TAG, by=event.by.name if event.by else None, text=tell(event),
        did=did(event), facts=facts(event),
    )  # fmt: skip


def facts_of(entries: Sequence[Entry]) -> list[FactOut]:
    """A page of audit entries: called on a thread of its own, for hundreds take a while."""
    return [fact(entry) for entry in entries]


def credential(grant: Grant, issued: Released, now: datetime) -> CredentialOut:
    """The one place of the API where a secret is revealed: the delivery to the requester's own terminal."""
    secret = issued.secret.reveal()
    return CredentialOut(
        ref=grant.ref, target=grant.target, role=grant.role,
        kind=issued.hints.get("engine") or ("aws" if _AWS in secret else "login"),
        public_id=issued.public_id, expires_at=grant.expires_at, expires_in=_seconds_left(grant, now),
        not_after=issued.not_after, secret=secret, hints=dict(issued.hints),
    )  # fmt: skip
