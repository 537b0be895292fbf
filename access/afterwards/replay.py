"""Judging again what was judged: every recorded decision, out of the audit entries alone, under the policy text of its
time. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from access.afterwards.rejudging import Judge
from access.afterwards.retold import Told
from access.events import Event
from access.evidence.looked import NotRecorded
from access.policy import Policy


class Recorded(Protocol):
    """One audit entry, as read back."""

    @property
    def seq(self) -> int: ...

    @property
    def event(self) -> Event: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the rules say differently today, from the same inputs."""

    seq: int
    tag: str
    ref: str
    what: str
    recorded: str
    replayed: str

    def __str__(self) -> str:
        where = " · ".join(filter(None, (f"entry {self.seq}", self.ref, self.tag)))
        return f"{where}: {self.what} was recorded as {self.recorded}; the replay says {self.replayed}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A decision that cannot be judged again out of the entries, and why."""

    seq: int
    tag: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """How many decisions were judged again, which could not be, and where the answer is another."""

    checked: int
    skipped: tuple[Skipped, ...]
    differences: tuple[Difference, ...]


def replay(entries: Iterable[Recorded], bundles: Mapping[str, Policy]) -> Report:
    """Entries in the log's order, from its beginning where possible; `bundles`: policies by the hash of their text."""
    judge, checked = Judge(Told(), bundles), 0
    skipped: list[Skipped] = []
    differences: list[Difference] = []
    for entry in entries:
        event = entry.event
        try:
            found = judge.judge(event)
        except NotRecorded as error:
            skipped.append(Skipped(entry.seq, event.TAG, str(error)))
        else:
            checked += found is not None
            differences += (Difference(entry.seq, event.TAG, event.ref, what, _text(was), _text(now))
                            for what, was, now in found or ())  # fmt: skip
        judge.told.take(event)
    return Report(checked, tuple(skipped), tuple(differences))


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"“{value}”"
