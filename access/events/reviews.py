"""Looking back at what was done with access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.events.event import Event, Private


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOpened(Event):
    """Somebody else has to look at what was done under this grant."""

    TAG: ClassVar[str] = "review.opened"
    why: str  # `break_glass`, or `rule`
    reviewers: tuple[str, ...]  # Slack ids of those who are asked


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewReminded(Event):
    """The review still waits, and its reviewers were called again."""

    TAG: ClassVar[str] = "review.reminded"
    to: tuple[str, ...]  # Slack ids


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFlagged(Event):
    """Somebody entitled saw something that needs to be looked into; the review stays open."""

    TAG: ClassVar[str] = "review.flagged"
    text: Private
    policy_hash: str
    told: tuple[str, ...] = ()  # Slack ids of those who are told at once: admins and auditors
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewClosed(Event):
    """Somebody entitled, and not the requester, has looked at it."""

    TAG: ClassVar[str] = "review.closed"
    text: Private
    policy_hash: str
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them
