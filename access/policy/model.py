"""What a policy file says, as frozen values; names stand for people, groups and rotas until somebody is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from access.duration import in_words
from access.sessions import flags

LONGEST_REASON = 500  # characters
LONGEST_TICKET = 100  # also bounds what a policy's pattern is run on
ALL = "all"  # everybody, every target, every role: in `deny` and `freezes` only
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, which rule spoke, why in one sentence, and which input field the sentence belongs to.

    `unknown`: it is a no because something could not be known, which gives nothing but takes nothing away either.
    `counts_to`: the stage that a decision counts to, where there are several.
    """

    allowed: bool
    rule: str
    why: str
    field: str = ""
    unknown: bool = False
    counts_to: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the week: minutes of the day from `begin` up to `end`, past midnight where `end` is the lesser."""

    name: str
    days: frozenset[int]  # 0 is Monday; of hours past midnight, the day on which they begin
    begin: int
    end: int
    zone: str

    def hold(self, moment: datetime | None) -> bool:
        """Whether it is within these hours; never where nobody knows the time."""
        if moment is None:
            return False
        local = moment.astimezone(ZoneInfo(self.zone))
        day, minute = local.weekday(), local.hour * 60 + local.minute
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or ((day - 1) % 7 in self.days and minute < self.end)

    def __str__(self) -> str:
        days = ", ".join(DAYS[day] for day in sorted(self.days))
        begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (self.begin, self.end))
        return f"{self.name} ({days} {begin}–{end} {self.zone})"


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which nothing new is asked for or approved."""

    name: str
    begin: datetime
    end: datetime
    targets: frozenset[str]
    exempt: frozenset[str]
    why: str

    def covers(self, target: str) -> bool:
        return ALL in self.targets or target in self.targets


@dataclass(frozen=True, slots=True)
class Deny:
    """Whoever it names has nothing of it, whatever any rule says."""

    who: frozenset[str]
    targets: frozenset[str]
    roles: frozenset[str]
    why: str
    hours: Hours | None = None
    even_break_glass: bool = True

    def covers(self, target: str, role: str) -> bool:
        return (ALL in self.targets or target in self.targets) and (ALL in self.roles or role in self.roles)


@dataclass(frozen=True, slots=True)
class Part:
    """So many of these people. `after`: counted from the ask; until then they neither are asked nor count."""

    by: frozenset[str]
    count: int = 1
    own_request: bool = False
    after: timedelta = _NO_TIME


#: who may settle one stage: the people it names, or those who may stand in for them later
Stage = tuple[Part, ...]
#: stages that must all be settled, each by other people
Way = tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Access without approval, for when nobody answers: loud, short, and reviewed."""

    who: frozenset[str]
    maximum: timedelta
    reason_required: bool = True


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked out for in recorded sessions: what is flagged, and what waits until somebody lets it run.

    `bulk`: rows from which on a read is a bulk read.
    """

    flag: frozenset[str] = flags.USUAL
    hold: frozenset[str] = frozenset()
    hold_for: timedelta = timedelta(minutes=5)
    bulk: int = flags.BULK_ROWS


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to have one role on one target: who may ask, when, for how long, on which terms, and who decides.

    `ways` are alternatives; without them `approvers` and `approvals` say it. No approvals: nobody needs to decide.
    """

    target: str
    role: str
    title: str
    provider: str
    uses: Mapping[str, str]  # handed to the provider as it stands
    who: frozenset[str]
    approvers: frozenset[str]  # all who may decide by any way
    approvals: int  # the fewest that can be enough
    maximum: timedelta
    default: timedelta
    reason_required: bool = True
    ticket_required: bool = True
    ticket_pattern: str = r"[A-Z][A-Z0-9]+-[0-9]+"
    aliases: tuple[str, ...] = ()
    environment: str = ""
    ticket_system: str = "pattern"
    ticket_projects: frozenset[str] | None = None  # None: any
    ticket_open: bool = False  # it must be open, when asked for, approved and first used
    closing_ends: bool = False  # a closed ticket ends the grant
    hours: Hours | None = None
    total: timedelta = _NO_TIME  # the most that extensions can make of it; no time: the maximum
    ways: tuple[Way, ...] = ()
    first_use: bool = False  # the clock starts at the first credential and not at the approval
    use_within: timedelta | None = None
    review: bool = False
    sensitivity: str = "normal"
    owner: frozenset[str] = frozenset()
    break_glass: BreakGlass | None = None
    gateway: str = ""  # through which it is used; empty: with a credential of one's own
    raw: bool = False  # its recordings keep the secrets that are in what is said
    watch: Watch = Watch()
    number: int = 0  # among several rules of its role, from 1; 0: the only one
    plans: tuple[tuple[Part, ...], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.ways and self.approvals:
            object.__setattr__(self, "ways", (((Part(self.approvers, self.approvals),),),))
        if not self.total:
            object.__setattr__(self, "total", self.maximum)
        object.__setattr__(self, "plans", tuple(plan for way in self.ways for plan in product(*way)))

    @property
    def name(self) -> str:
        return f"{self.target}/{self.role}" + (f"#{self.number}" if self.number else "")

    @property
    def what(self) -> str:
        return f"{self.target} · {self.role}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everybody who can have a say, in the order of the file."""
        return tuple(part for way in self.ways for stage in way for part in stage)

    def durations(self) -> tuple[timedelta, ...]:
        """The choices to offer, ending at the maximum."""
        usual = (timedelta(minutes=m) for m in (15, 30, 60, 120, 240, 480, 720, 1440))
        return tuple(sorted({d for d in usual if d < self.maximum} | {self.default, self.maximum}))

    def approval(self) -> str:
        """What has to be approved, in words: `1 of orders-owners, or 1 of on_call.orders after 10 minutes`."""
        return "; or ".join(" and ".join(_stage(stage) for stage in way) for way in self.ways) or "nobody"


def _stage(stage: Stage) -> str:
    return ", or ".join(_part(part) for part in stage)


def _part(part: Part) -> str:
    own = " (the requester too)" if part.own_request else ""
    after = f" after {in_words(part.after)}" if part.after else ""
    return f"{part.count} of {', '.join(sorted(part.by))}{own}{after}"
