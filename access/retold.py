"""What the audit entries so far say about each request. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from access.events import (
    ApprovalGiven,
    Erased,
    Event,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestExpired,
)
from access.model import Person, Request, RequestState, parse_ref


class NotRecorded(Exception):
    """Something that a decision rested on is not among the entries; the text says what."""


@dataclass
class Story:
    """One request, as far as it has been told."""

    request: Request
    digest: str
    lapses_at: datetime
    voters: list[Person] = field(default_factory=list)
    approved_under: str = ""  # the policy of the last approval
    opened_at: datetime | None = None
    decided: bool = False


class Told:
    """Takes entry after entry."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}

    def story(self, ref: str) -> Story:
        """Raises NotRecorded."""
        found = self._stories.get(ref)
        if found is None:
            raise NotRecorded("the ask itself is not among the entries before it")
        return found

    def take(self, event: Event) -> None:
        """The next entry."""
        match event:
            case RequestAsked():
                self._begin(event)
            case ApprovalGiven() if event.by is not None and event.ref in self._stories:
                self._stories[event.ref].voters.append(event.by)
                self._stories[event.ref].approved_under = event.policy_hash
            case RequestApproved() | RequestDenied() | RequestCancelled() | RequestExpired():
                self._decide(event)

    def _begin(self, event: RequestAsked) -> None:
        if event.by is None:
            return
        request = Request(
            id=event.request_id, number=parse_ref(event.ref), key="", requester=event.by, target=event.target,
            role=event.role, duration=event.duration, reason=stand_in(event.reason), ticket=event.ticket,
            state=RequestState.PENDING, created_at=event.at, due_at=event.lapses_at, policy_hash=event.policy_hash,
            rule=event.rule, approvals_needed=event.approvals_needed,
        )  # fmt: skip
        self._stories[event.ref] = Story(request, event.digest, event.lapses_at)

    def _decide(self, event: Event) -> None:
        story = self._stories.get(event.ref)
        if story is None or story.decided:
            return
        story.decided = True
        story.opened_at = event.at if isinstance(event, RequestApproved) else None


def stand_in(text: str) -> str:
    """A text that was asked with; for an erased one, another of its size."""
    return readings(text)[0]


def readings(text: str) -> tuple[str, ...]:
    """What a text may have been, as far as a rule can tell: an erased one had words in it, or only blanks."""
    return ("x" * text.size, " " * text.size) if isinstance(text, Erased) else (text,)
