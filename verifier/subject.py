"""One request as its entries tell it, and what those who judge it share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .report import Finding, Report
from .uptime import Uptime

SECOND = 1_000_000  # times are microseconds
NEVER = 1 << 62


@dataclass(slots=True)
class Subject:
    """One request as its entries tell it. It stays in memory, so it is small: a few hundred bytes."""

    ref: str
    n: int
    last: int  # seq of its last entry
    partial: bool  # its beginning lies before the range: its meaning is not judged
    asker: tuple[str, str] = ("", "")  # person id, Slack id
    promised: int = 0  # how many approvals were needed when it was asked for: later policies do not lower that
    needed: int = 0
    owns: bool = False  # the policy lets the requester count; replaying the decisions holds it to that
    duration: int = 0
    digest: str = ""
    lapses_at: int = NEVER
    mark: bytes = b""  # how the requester's entries begin, and how they name the target
    at_target: bytes = b""
    approvers: frozenset[str] = frozenset()
    state: str = ""  # asked, approved, active, ending, closed
    expires_at: int = 0
    extends: str = ""  # the request whose grant it is to prolong
    waits: bool = False  # for its first use, which starts its time
    opens: int = NEVER  # when it became active, and when it ended or was to end
    closes: int = 0
    trouble: str = ""
    excused: int = 0  # until when the trouble explains a delay
    told: int = 0  # when it was over by its end's own word, where that was written down later
    glass: str = ""  # asked, broken: without approval
    review: str = ""  # open, flagged, reviewed
    leases: dict[int, str] = field(default_factory=dict)  # n → intended, issued, aborted, taken back (after issued)


class Fact(NamedTuple):
    """One entry, as far as meaning goes."""

    seq: int
    type: str
    at: int
    by: dict[str, str]
    data: dict[str, Any]
    unsure: bool = False  # the clock stood behind: its time may be wrong


class Place(NamedTuple):
    """Where an entry stands, and when it says it happened."""

    seq: int
    at: int
    unsure: bool


@dataclass
class Court:
    """What is known of the log as a whole, and where findings go."""

    report: Report
    tolerance: int  # µs
    policies: set[str]  # those whose text or loading is known
    whole: bool  # the log from its beginning
    members: set[str] = field(default_factory=set)  # of groups kept elsewhere, as decisions name them
    uptime: Uptime = field(default_factory=Uptime)
    started: int = 0  # when the server last did
    before_start: int = 0  # recorded_at of the entry in front of that
    broken: list[Subject] = field(default_factory=list)  # glasses
    extensions: dict[str, Subject] = field(default_factory=dict)  # by ref: approved, and not yet carried out
    unreviewed: dict[str, str] = field(default_factory=dict)  # person id → ref: whose glass was broken and not reviewed
    unexplained: int = 0  # ends that came late, and the log does not say why

    def note(self, subject: Subject, seq: int, what: str) -> None:
        self.report.note(Finding("meaning", what, seq, subject.ref))

    def fail(self, subject: Subject | None, seq: int, what: str) -> None:
        self.report.fail(Finding("meaning", what, seq, subject.ref if subject else ""))


def seconds(micros: int) -> str:
    """A span of time for people."""
    span = micros / SECOND
    return f"{span:.1f} s" if span < 600 else f"{span / 60:.0f} min"
