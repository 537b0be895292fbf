"""What a judgment knows of the world: the time, and who is in the groups that are kept elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

OLDEST = timedelta(minutes=5)  # an answer from before that stands for nothing


@dataclass(frozen=True, slots=True)
class Looked:
    """Who is in a group or on call, by Slack id, as known at `fetched_at`. Empty means nobody.

    `strangers`: members, as their own system calls them, who are no person known here.
    """

    people: frozenset[str]
    fetched_at: datetime
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotLooked:
    """Nobody knows who is in the group: never the same as nobody being in it. `why` is a sentence for people."""

    why: str
    asked_at: datetime
    last_known: datetime | None = None  # when it was last known, however long ago


@dataclass(frozen=True, slots=True)
class Facts:
    """`members`: by the ids of `Policy.look_ups`. What is missing is unknown, and so is everything without a time."""

    now: datetime | None = None
    members: Mapping[str, Looked | NotLooked] = field(default_factory=dict)

    def members_of(self, look_up: str) -> frozenset[str] | str:
        """Slack ids; a sentence where nobody knows."""
        found = self.members.get(look_up)
        if found is None:
            return "Nobody was asked."
        if isinstance(found, NotLooked):
            return found.why
        if self.now is None or self.now - found.fetched_at > OLDEST:
            return f"The last answer is from {found.fetched_at:%Y-%m-%d %H:%M} UTC."
        return found.people


#: for policies without hours, freezes and groups kept elsewhere; with them, everything that depends on it is refused
NOTHING_KNOWN = Facts()
