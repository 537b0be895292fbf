"""What happens to a request until it is decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from access.events.event import Event, Private


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAsked(Event):
    """Somebody asked for access, and policy let them ask."""

    TAG: ClassVar[str] = "request.asked"
    request_id: str
    target: str
    role: str
    duration: timedelta
    reason: Private
    ticket: str
    policy_hash: str
    rule: str
    approvals_needed: int
    deciders: tuple[str, ...]  # Slack ids of those who are asked at once
    digest: str
    lapses_at: datetime
    extends: str = ""  # the grant that it asks to prolong, as `PA-7`
    glass: bool = False  # it breaks the glass: no approval, and a review afterwards
    snapshot: str = ""  # SHA-256 of what the ticket system said of the ticket
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them
    stages: tuple[str, ...] = ()  # how far it is, where there are several: a line of JSON for each


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRefused(Event):
    """Somebody asked for what policy does not give. Nothing was created."""

    TAG: ClassVar[str] = "ask.refused"
    target: str
    role: str
    duration: timedelta
    reason: Private
    ticket: str
    policy_hash: str
    rule: str
    why: str
    field: str = ""  # the input that the sentence is about
    limit: str = ""  # what kept them from it, where it was no rule; of a limit, with what was counted:
    waiting: int = 0  # requests of this person that waited
    lately: int = 0  # and asks within the hour before, refused ones too
    extends: str = ""
    glass: bool = False
    snapshot: str = ""
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(Event):
    """Somebody entitled said yes, under the policy named."""

    TAG: ClassVar[str] = "approval.given"
    policy_hash: str
    rule: str
    digest: str
    count: int
    needed: int
    counted: tuple[str, ...] = ()  # ids of the persons whose approval counts now, this one among them
    own_request: bool = False  # the requester's own, which the rule allows in so many words
    shorter: timedelta | None = None  # no longer than this, where that is less than was asked for
    snapshot: str = ""
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them
    stages: tuple[str, ...] = ()  # how far it is, as in `RequestAsked`; none once it is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApproved(Event):
    """The last approval needed; the grant's deadline is fixed here."""

    TAG: ClassVar[str] = "request.approved"
    approvers: tuple[str, ...]  # person ids
    provider: str
    expires_at: datetime  # of a grant that waits for its first use: the moment by which that must come
    duration: timedelta | None = None  # how long it was approved for, from the approval or from the first use
    first_use: bool = False  # the time runs from the first credential
    policy_hash: str = ""  # where nobody had to decide: under which policy
    rule: str = ""
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDenied(Event):
    """Somebody entitled said no."""

    TAG: ClassVar[str] = "request.denied"
    reason: Private
    rule: str
    policy_hash: str = ""
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCancelled(Event):
    """The requester took the request back, or what it was about is over."""

    TAG: ClassVar[str] = "request.cancelled"
    why: str = ""  # empty where somebody took it back


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestExpired(Event):
    """Nobody decided in time."""

    TAG: ClassVar[str] = "request.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRefused(Event):
    """Somebody tried what they may not do, or came too late. Nothing was changed."""

    TAG: ClassVar[str] = "act.refused"
    act: str
    why: str
    policy_hash: str = ""  # empty where policy was not what said no
    rule: str = ""
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReminded(Event):
    """Those who were asked and have not decided were called once more."""

    TAG: ClassVar[str] = "request.reminded"
    to: tuple[str, ...]  # Slack ids; nobody where nobody can decide it, and then:
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEscalated(Event):
    """Others are asked from here on: it is their turn, or nobody before them has answered."""

    TAG: ClassVar[str] = "request.escalated"
    to: tuple[str, ...]  # Slack ids of those who join
    why: str
    stages: tuple[str, ...] = ()  # as in `RequestAsked`


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentMade(Event):
    """Somebody who may see the request said something about it."""

    TAG: ClassVar[str] = "request.commented"
    text: Private
    key: str = ""  # what a program named it by, so that it is said once however often it is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassBroken(Event):
    """Access was taken without approval, by somebody whom the policy names for that. It is reviewed afterwards."""

    TAG: ClassVar[str] = "glass.broken"
    policy_hash: str
    rule: str
    told: tuple[str, ...]  # Slack ids of those who are told at once
    identity: str  # how the person was known: `slack`, or `device` while Slack did not answer
    looked: tuple[str, ...] = ()
