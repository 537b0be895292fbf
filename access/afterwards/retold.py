"""What the audit entries so far say about each request and its grant, and who was in which group. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from access.events import (
    ApprovalGiven,
    CredentialAborted,
    CredentialIssued,
    Erased,
    Event,
    GlassBroken,
    GrantActive,
    GrantEnding,
    GrantExtended,
    GrantFailed,
    GrantStarted,
    MembersSeen,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestExpired,
    ReviewClosed,
)
from access.evidence.looked import NotRecorded, facts_of, name_of
from access.model import Grant, GrantState, Request, RequestState, Vote, parse_ref
from access.policy import Facts, Policy, Rule
from access.requesting.making import new_grant

GRANT_EVENTS = (GrantActive, GrantStarted, GrantExtended, GrantEnding, GrantFailed)


class Judged(Protocol):
    """A decision's entry, with the groups kept elsewhere that it rests on."""

    @property
    def at(self) -> datetime: ...

    @property
    def looked(self) -> tuple[str, ...]: ...


@dataclass
class Story:
    """One request, as far as it has been told; its votes are in it."""

    request: Request
    digest: str
    lapses_at: datetime
    approval: ApprovalGiven | None = None  # the last one
    opened: RequestApproved | None = None
    decided: bool = False
    grant: list[Event] = field(default_factory=list)  # what moved its end or its state, in order
    issued: set[int] = field(default_factory=set)  # credentials that somebody was given
    unreviewed: bool = False  # the glass was broken, and nobody has closed its review

    @property
    def holds_up(self) -> bool:
        """Whether its requester can ask for nothing because of it."""
        return self.unreviewed and not any(isinstance(event, GrantFailed) for event in self.grant)


class Told:
    """Takes entry after entry."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}
        self._members: dict[str, MembersSeen] = {}

    def story(self, ref: str) -> Story:
        """Raises NotRecorded."""
        found = self._stories.get(ref)
        if found is None:
            raise NotRecorded("the ask itself is not among the entries before it")
        return found

    def facts(self, policy: Policy, what: tuple[str, str], event: Judged) -> Facts:
        """What was known when this was decided, of a target and role. Raises NotRecorded."""
        return facts_of(policy.look_ups(*what), event.looked, event.at, self._members)

    def take(self, event: Event) -> None:
        """The next entry."""
        if isinstance(event, MembersSeen):
            self._members[name_of(event)] = event
        elif isinstance(event, RequestAsked):
            self._begin(event)
        elif (story := self._stories.get(event.ref)) is not None:
            _go_on(story, event)

    def _begin(self, event: RequestAsked) -> None:
        if event.by is None:
            return
        request = Request(
            id=event.request_id, number=parse_ref(event.ref), key="", requester=event.by, target=event.target,
            role=event.role, duration=event.duration, reason=stand_in(event.reason), ticket=event.ticket,
            state=RequestState.PENDING, created_at=event.at, lapses_at=event.lapses_at,
            due_at=event.lapses_at, policy_hash=event.policy_hash,
            rule=event.rule, approvals_needed=event.approvals_needed,
            extends=parse_ref(event.extends) if event.extends else None, glass=event.glass,
        )  # fmt: skip
        self._stories[event.ref] = Story(request, event.digest, event.lapses_at)


def _go_on(story: Story, event: Event) -> None:
    match event:
        case ApprovalGiven(by=by) if by is not None:
            vote = Vote(story.request.id, by, event.at, event.rule, event.shorter)
            story.request = replace(story.request, votes=(*story.request.votes, vote))
            story.approval = event
        case RequestApproved() | RequestDenied() | RequestCancelled() | RequestExpired():
            if not story.decided and isinstance(event, RequestApproved):
                story.opened = event
            story.decided = True
        case GlassBroken():
            story.unreviewed = True
        case ReviewClosed():
            story.unreviewed = False
        case CredentialIssued(n=n):
            story.issued.add(n)
        case CredentialAborted(n=n):
            story.issued.discard(n)
        case _ if isinstance(event, GRANT_EVENTS):
            story.grant.append(event)


def grant_of(story: Story, rule: Rule, opened_at: datetime) -> Grant:
    """The grant that was opened by this rule, as far as it has been told."""
    grant = new_grant(story.request, rule, opened_at)
    for event in story.grant:
        match event:
            case GrantActive():
                grant = replace(grant, state=GrantState.ACTIVE)
            case GrantStarted(at=at, expires_at=end):
                grant = replace(grant, started_at=at, expires_at=end, retimed_at=at)
            case GrantExtended(at=at, expires_at=end):
                grant = replace(grant, expires_at=end, retimed_at=at)
            case GrantFailed():
                grant = replace(grant, state=GrantState.FAILED)
            case GrantEnding():
                grant = replace(grant, state=GrantState.REVOKING)
    return grant


def stand_in(text: str) -> str:
    """A text that was asked with; for an erased one, another of its size."""
    return readings(text)[0]


def readings(text: str) -> tuple[str, ...]:
    """What a text may have been, as far as a rule can tell: an erased one had words in it, or only blanks."""
    return ("x" * text.size, " " * text.size) if isinstance(text, Erased) else (text,)
