"""One request as the audit log tells it: the fold of its entries, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from access.events import (
    ApprovalGiven,
    Event,
    GrantActive,
    GrantEnded,
    GrantEnding,
    GrantExtended,
    GrantFailed,
    GrantQuarantined,
    GrantStarted,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestEscalated,
    RequestExpired,
    RequestReminded,
    ReviewClosed,
    ReviewFlagged,
    ReviewOpened,
    RevocationFailed,
    StatementAllowed,
    StatementRefused,
    TextErased,
)
from access.ports import Ticket
from access.requesting.progress import Stage, read_stage
from bot.look.sessions import Action, Tally


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
    #: of a request to prolong another's grant: that one has its new end
    EXTENDED = "extended"


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
    """`turn` is the event that brought the phase about; `deciders` are the names of those who were asked so far.

    `sessions` counts what was done in each, by the session's id, and `quotes` are the acts that they quote, by `seq`:
    both only where they were asked for. `called` says since when each account is asked,
    `stuck` why nobody can decide it. `name_of` an account is what the policy calls its person.
    """

    asked: RequestAsked
    deciders: tuple[str, ...]
    turn: Event
    phase: Phase = Phase.WAITING
    approvals: tuple[ApprovalGiven, ...] = ()
    approved: RequestApproved | None = None
    active: GrantActive | None = None
    ends_at: datetime | None = None  # of its grant; before the first use, the moment by which that must come
    started: bool = False  # it was used for the first time, where that is what starts it
    extension: Story | None = None  # the last request to prolong it
    trouble: RevocationFailed | None = None
    erased: tuple[TextErased, ...] = ()
    to_review: ReviewOpened | None = None
    review: ReviewOpened | ReviewFlagged | ReviewClosed | None = None  # how its review stands
    sessions: Mapping[str, Tally] = field(default_factory=dict)
    quotes: Mapping[int, Action] = field(default_factory=dict)
    held: Mapping[str, StatementAllowed | StatementRefused] = field(default_factory=dict)  # how what waited was settled
    name_of: Callable[[str], str] = field(default=str, compare=False, repr=False)
    called: Mapping[str, datetime] = field(default_factory=dict)
    reminded: frozenset[str] = frozenset()
    stages: tuple[Stage, ...] = ()
    stuck: str = ""
    ticket: Ticket | None = None  # as its system has shown it lately: nothing of the log

    @classmethod
    def of(cls, events: Iterable[Event], name_of: Callable[[str], str]) -> Self | None:
        """None before anything was asked."""
        story: Self | None = None
        for event in events:
            if isinstance(event, RequestAsked):
                story = cls(event, (), event, name_of=name_of)
                story = replace(story, **_calling(story, event, event.deciders))
            elif story is not None:
                story = story.after(event)
        return story

    def after(self, event: Event) -> Self:
        phase, learns = PHASE_AFTER.get(type(event)), _LEARNS.get(type(event))
        phase = Phase.EXTENDED if phase is Phase.OPENING and self.asked.extends else phase
        story = self if phase is None else replace(self, phase=phase, turn=event)
        return story if learns is None else replace(story, **learns(story, event))

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
    def waits_for_use(self) -> bool:
        """Whether its time has yet to begin."""
        return self.approved is not None and self.approved.first_use and not self.started

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

    @property
    def shortest(self) -> ApprovalGiven | None:
        """The approval that allows the least, where one allows less than was asked for."""
        limits = [given for given in self.approvals if given.shorter is not None]
        return min(limits, key=lambda given: given.shorter or given.at - given.at, default=None)

    def has_approved(self, account: str) -> bool:
        """Also through another account of the same person."""
        name = self.name_of(account)
        return any(given.by and (given.by.slack_id == account or given.by.name == name) for given in self.approvals)


def _calling(story: Story, event: RequestAsked | RequestEscalated, accounts: tuple[str, ...]) -> dict[str, Any]:
    called = {**dict.fromkeys(accounts, event.at), **story.called}
    deciders = (*story.deciders, *(story.name_of(account) for account in accounts))
    return {"called": called, "deciders": deciders, "stages": _read(event.stages) or story.stages, "stuck": ""}


#: what an event adds to the story, beside its phase
_LEARNS: dict[type[Event], Callable[[Story, Any], dict[str, Any]]] = {
    ApprovalGiven: lambda s, e: {"approvals": (*s.approvals, e), "stages": _read(e.stages)},
    RequestEscalated: lambda s, e: _calling(s, e, e.to),
    RequestReminded: lambda s, e: {"reminded": s.reminded | set(e.to), "stuck": e.why},
    RequestApproved: lambda _, e: {"approved": e},
    GrantActive: lambda _, e: {"active": e, "ends_at": e.expires_at},
    GrantStarted: lambda _, e: {"started": True, "ends_at": e.expires_at},
    GrantExtended: lambda _, e: {"ends_at": e.expires_at},
    RevocationFailed: lambda _, e: {"trouble": e},
    StatementAllowed: lambda s, e: {"held": {**s.held, e.held: e}},
    StatementRefused: lambda s, e: {"held": {**s.held, e.held: e}},
    TextErased: lambda s, e: {"erased": (*s.erased, e)},
    ReviewOpened: lambda _, e: {"review": e, "to_review": e},
    ReviewFlagged: lambda _, e: {"review": e},
    ReviewClosed: lambda _, e: {"review": e},
}


def _read(stages: tuple[str, ...]) -> tuple[Stage, ...]:
    return tuple(stage for line in stages if (stage := read_stage(line)) is not None)
