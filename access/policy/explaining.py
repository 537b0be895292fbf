"""Why somebody can or cannot have a role, and what would happen if they asked: the judge's own look, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from access.duration import in_words
from access.model import Request, RequestState
from access.policy.belonging import Membership
from access.policy.facts import Facts
from access.policy.judging import Condition, Look, Tried, Wanted, look_at
from access.policy.model import Rule
from access.policy.standing import Later, standing_at_first
from access.sessions.flags import in_order

if TYPE_CHECKING:
    from access.policy.policy import Policy

_THE_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Explanation:
    """`rule` is the one that spoke, or the nearest miss; without one, everything after `why` is empty.

    `conditions` come with `met` None where it is still to be given. People are names, or Slack ids where the file has
    none. `unknown` are sentences about groups that nobody could look up.
    """

    person: str
    target: str
    role: str
    allowed: bool
    rule: str
    why: str
    conditions: tuple[Condition, ...] = ()
    approval: str = ""  # in words: `1 of orders-owners`
    approvals: int = 0
    asked: tuple[str, ...] = ()  # at once
    later: tuple[Later, ...] = ()
    unknown: tuple[str, ...] = ()
    maximum: timedelta = timedelta()
    default: timedelta = timedelta()
    total: timedelta = timedelta()
    notes: tuple[str, ...] = ()  # sentences: clock, review, break-glass

    @property
    def missing(self) -> tuple[str, ...]:
        """What keeps it from being allowed, or is still to be given."""
        return tuple(condition.wants for condition in self.conditions if condition.met is not True)


def explain(policy: Policy, wanted: Wanted, facts: Facts, *, to_admin: bool = False) -> Explanation:
    """`to_admin`: also to who may not ask it is said what there is."""
    look = look_at(policy, wanted, facts)
    nearest = look.nearest or (_anybodys(policy, wanted) if to_admin else None)
    verdict = look.verdict
    told = Explanation(wanted.by.name, wanted.target, wanted.role, verdict.allowed, verdict.rule, verdict.why)
    return told if nearest is None else _in_full(policy, (told, wanted), (look, nearest), facts)


def _in_full(policy: Policy, said: tuple[Explanation, Wanted], seen: tuple[Look, Tried], facts: Facts) -> Explanation:
    (told, wanted), (look, nearest) = said, seen
    rule = nearest.rule
    standing = standing_at_first(rule, policy, _as_if_asked(rule, wanted, facts), facts)
    can_break = policy.belonging.is_in(wanted.by, rule.break_glass.who, facts).yes if rule.break_glass else False
    return Explanation(
        person=told.person, target=told.target, role=told.role, allowed=told.allowed, rule=rule.name, why=told.why,
        conditions=(_of_who(nearest), *(Condition("target", stop, met=False) for stop in look.stopped),
                    *nearest.conditions),
        approval=rule.approval(), approvals=rule.approvals, asked=standing.asked, later=standing.next,
        unknown=standing.unknown, maximum=rule.maximum, default=rule.default, total=rule.total,
        notes=tuple(_notes(rule, can_break=can_break)),
    )  # fmt: skip


def _anybodys(policy: Policy, wanted: Wanted) -> Tried | None:
    rule = policy.rule(wanted.target, wanted.role)
    return Tried(rule, Membership(yes=False), ()) if rule else None


def _of_who(tried: Tried) -> Condition:
    named = ", ".join(sorted(tried.rule.who)) or "nobody"
    unknown = tried.membership.unknown
    return Condition("who", f"to be among {named}{f' ({unknown})' if unknown else ''}", tried.membership.yes)


def _as_if_asked(rule: Rule, wanted: Wanted, facts: Facts) -> Request:
    now = facts.now or _THE_EPOCH
    return Request(
        id="", number=1, key="", requester=wanted.by, target=rule.target, role=rule.role, duration=rule.default,
        reason="", ticket="", state=RequestState.PENDING, created_at=now, lapses_at=now, due_at=now, policy_hash="",
        rule=rule.name, approvals_needed=rule.approvals,
    )  # fmt: skip


def _notes(rule: Rule, *, can_break: bool) -> list[str]:
    notes = []
    if rule.first_use and rule.use_within:
        notes.append(f"The time runs from first use, which must come within {in_words(rule.use_within)}.")
    if rule.total > rule.maximum:
        notes.append(f"It can be extended up to {in_words(rule.total)} in all.")
    if rule.closing_ends:
        notes.append("It ends when the ticket is closed.")
    if rule.watch.hold:
        kinds, most = ", ".join(in_order(rule.watch.hold)), in_words(rule.watch.hold_for)
        notes.append(f"In its sessions {kinds} waits until an approver lets it run, for at most {most}.")
    if rule.review:
        notes.append("Somebody else reviews it afterwards.")
    if rule.break_glass and can_break:
        notes.append(f"Break-glass gives it without approval, for at most {in_words(rule.break_glass.maximum)}.")
    return notes
