"""One request as the audit log tells it: the fold of its entries, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from access.events import (
    ApprovalGiven,
    Event,
    GrantActive,
    GrantEnded,
    GrantEnding,
    GrantFailed,
    GrantQuarantined,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestExpired,
    RevocationFailed,
    TextErased,
)
from bot.sessions import Tally, tallies


class Phase(StrEnum):
    """Where a request stands, as its card shows it."""

    WAITING = "waiting"
    OPENING = "opening"
    UNCLEAR = "unclear"
    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"
    DENIED = "denied"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"


PHASE_AFTER: dict[type[Event], Phase] = {
    RequestAsked: Phase.WAITING,
    RequestApproved: Phase.OPENING,
    RequestDenied: Phase.DENIED,
    RequestCancelled: Phase.CANCELLED,
    RequestExpired: Phase.LAPSED,
    GrantQuarantined: Phase.UNCLEAR,
    GrantActive: Phase.ACTIVE,
    GrantFailed: Phase.FAILED,
    GrantEnding: Phase.ENDING,
    GrantEnded: Phase.ENDED,
}


@dataclass(frozen=True, slots=True)
class Story:
    """`turn` is the event that brought the phase about; `deciders` are names, in the order of the asked event.

    `sessions` counts what was done in each, by the session's id.
    """

    asked: RequestAsked
    deciders: tuple[str, ...]
    turn: Event
    phase: Phase = Phase.WAITING
    approvals: tuple[ApprovalGiven, ...] = ()
    active: GrantActive | None = None
    trouble: RevocationFailed | None = None
    erased: tuple[TextErased, ...] = ()
    sessions: Mapping[str, Tally] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event], deciders: tuple[str, ...]) -> Self | None:
        """None before anything was asked."""
        story: Self | None = None
        told = tuple(events)
        for event in told:
            if isinstance(event, RequestAsked):
                story = cls(event, deciders, event)
            elif story is not None:
                story = story.after(event)
        return replace(story, sessions=tallies(told)) if story else None

    def after(self, event: Event) -> Self:
        story = self
        if (phase := PHASE_AFTER.get(type(event))) is not None:
            story = replace(story, phase=phase, turn=event)
        match event:
            case ApprovalGiven():
                return replace(story, approvals=(*story.approvals, event))
            case GrantActive():
                return replace(story, active=event)
            case RevocationFailed():
                return replace(story, trouble=event)
            case TextErased():
                return replace(story, erased=(*story.erased, event))
        return story

    def erasure(self, event: TextErased) -> tuple[TextErased, ...]:
        """What was erased together with this, itself included: one act, one entry for each entry that lost texts."""
        return tuple(e for e in self.erased if (e.at, e.by, e.why) == (event.at, event.by, event.why))

    @property
    def ref(self) -> str:
        return self.asked.ref

    @property
    def what(self) -> str:
        """`orders-db · read`."""
        return f"{self.asked.target} · {self.asked.role}"

    @property
    def needed(self) -> int:
        """The approvals it takes; a policy that has become stricter since counts."""
        return max([self.asked.approvals_needed, *(given.needed for given in self.approvals)])

    @property
    def counted(self) -> int:
        """The approvals that counted when the last one was given: a vote is worth nothing once its right is gone."""
        return self.approvals[-1].count if self.approvals else 0

    @property
    def approvers(self) -> tuple[str, ...]:
        return tuple(given.by.name for given in self.approvals if given.by)
