"""May this be asked for, had without approval, or kept? Each look is a value that says what was tried and what spoke.

1 whose rules they are   2 what denies it   3 what freezes it   4 the first rule whose terms fit
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from access.duration import in_words
from access.model import Ask, Grant, Person
from access.policy.belonging import Membership
from access.policy.facts import Facts
from access.policy.model import LONGEST_REASON, LONGEST_TICKET, BreakGlass, Rule, Verdict

if TYPE_CHECKING:
    from access.policy.policy import Policy

_TRY_AGAIN = "Try again in a moment."


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a rule wants. `met`: None where nothing was asked for yet, so that it is still to be given."""

    field: str
    wants: str
    met: bool | None
    why: str = ""  # the sentence of a refusal


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule of the role, whether it is this person's, and what it wants of them."""

    rule: Rule
    membership: Membership
    conditions: tuple[Condition, ...]

    @property
    def missing(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if condition.met is False)

    @property
    def fits(self) -> bool:
        return self.membership.yes and not self.missing


@dataclass(frozen=True, slots=True)
class Wanted:
    """A role, and what was said with it; None where nothing was said yet, so that nothing is wrong with it either."""

    by: Person
    target: str
    role: str
    duration: timedelta | None = None
    reason: str | None = None
    ticket: str | None = None

    @classmethod
    def of(cls, ask: Ask) -> Wanted:
        return cls(ask.by, ask.target, ask.role, ask.duration, ask.reason, ask.ticket)


@dataclass(frozen=True, slots=True)
class _Stop:
    """Something that wins over every rule; `unknown` where only because nobody can say whether it applies."""

    why: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """The verdict, and everything that it came from."""

    verdict: Verdict
    tried: tuple[Tried, ...] = ()
    stopped: tuple[str, ...] = ()  # sentences: what denies it and what freezes it

    @property
    def nearest(self) -> Tried | None:
        """The rule that spoke, or the one of theirs that misses least."""
        theirs = [tried for tried in self.tried if tried.membership.maybe]
        spoke = [tried for tried in theirs if tried.rule.name == self.verdict.rule]
        return next(iter(spoke or sorted(theirs, key=lambda tried: len(tried.missing))), None)


def look(policy: Policy, ask: Ask, facts: Facts) -> Look:
    """Everything there is to say about an ask."""
    return look_at(policy, Wanted.of(ask), facts)


def look_at(policy: Policy, wanted: Wanted, facts: Facts) -> Look:
    """The same, also before anything was said about duration, reason and ticket."""
    tried = tuple(
        Tried(rule, membership, tuple(_conditions(rule, wanted, facts)))
        for rule in policy.rules_of(wanted.target, wanted.role)
        if (membership := policy.belonging.is_in(wanted.by, rule.who, facts)).maybe
    )
    if not tried:
        return Look(_nothing(wanted))  # 1
    if stopped := (*_denied(policy, wanted, facts), *_frozen(policy, wanted, facts)):  # 2 and 3
        return Look(_stop(tried[0].rule, stopped), tried, tuple(stop.why for stop in stopped))
    return Look(_first_that_fits(tried, wanted), tried)  # 4


def _stop(rule: Rule, stops: Sequence[_Stop]) -> Verdict:
    unknown = all(stop.unknown for stop in stops)
    return Verdict(allowed=False, rule=rule.name, why=stops[0].why, field="target", unknown=unknown)


def _first_that_fits(tried: tuple[Tried, ...], wanted: Wanted) -> Verdict:
    for each in tried:
        if each.fits:
            return Verdict(allowed=True, rule=each.rule.name, why=f"{each.rule.name} lets {wanted.by.name} ask.")
        if _stands_in_the_way(each):
            return _unknown(each.rule, each.membership)
    theirs = [each for each in tried if each.membership.yes]
    if not theirs:
        return _unknown(tried[0].rule, tried[0].membership)
    nearest = min(theirs, key=lambda each: len(each.missing))
    missing = nearest.missing[0]
    return Verdict(allowed=False, rule=nearest.rule.name, why=missing.why, field=missing.field)


def _stands_in_the_way(tried: Tried) -> bool:
    """It would speak if it is theirs, and could be stricter than those after it; one without approval cannot."""
    return bool(tried.membership.unknown) and not tried.missing and bool(tried.rule.ways)


def _nothing(wanted: Wanted) -> Verdict:
    # The same sentence for what does not exist: who may not ask need not learn what does.
    why = f"You cannot ask for {wanted.target} · {wanted.role}."
    return Verdict(allowed=False, rule="", why=why, field="target")


def _unknown(rule: Rule, membership: Membership) -> Verdict:
    why = f"{membership.unknown} {_TRY_AGAIN}"
    return Verdict(allowed=False, rule=rule.name, why=why, field="target", unknown=True)


def _denied(policy: Policy, wanted: Wanted, facts: Facts, *, break_glass: bool = False) -> Iterator[_Stop]:
    """What is not known counts as denied."""
    for deny in policy.denies_of(wanted.target, wanted.role):
        spared = break_glass and not deny.even_break_glass
        out_of_hours = deny.hours is not None and facts.now is not None and not deny.hours.hold(facts.now)
        membership = policy.belonging.is_in(wanted.by, deny.who, facts)
        if membership.maybe and not spared and not out_of_hours:
            unknown = f" {membership.unknown}" if membership.unknown else ""
            yield _Stop(
                f"Denied by the policy: {deny.why}{unknown}",
                bool(unknown) or (deny.hours is not None and facts.now is None),
            )


def _frozen(policy: Policy, wanted: Wanted, facts: Facts) -> Iterator[_Stop]:
    for freeze in policy.freezes:
        over = facts.now is not None and not freeze.begin <= facts.now < freeze.end
        exempt = policy.belonging.is_in(wanted.by, freeze.exempt, facts)
        if not over and freeze.covers(wanted.target) and not exempt.yes:
            until = f"{freeze.end:%Y-%m-%d %H:%M %Z}"
            yield _Stop(f"Frozen until {until}: {freeze.why}", bool(exempt.unknown) or facts.now is None)


# A rule's terms


def _conditions(rule: Rule, wanted: Wanted, facts: Facts) -> Iterator[Condition]:
    if rule.hours is not None:
        open_now = rule.hours.hold(facts.now)
        yield Condition("hours", f"within {rule.hours}", open_now, f"{rule.what} is asked for within {rule.hours}.")
    most = in_words(rule.maximum)
    yield from _of_duration(wanted, rule.maximum, f"At most {most} for {rule.what}.")
    yield from _of_reason(wanted, required=rule.reason_required)
    yield from _of_ticket(rule, wanted)


def _of_duration(wanted: Wanted, maximum: timedelta, why: str) -> Iterator[Condition]:
    duration = wanted.duration
    met = None if duration is None else duration <= maximum
    yield Condition("duration", f"at most {in_words(maximum)}", met, why)
    if duration is not None and duration < timedelta(seconds=1):
        yield Condition("duration", "at least a second", met=False, why="Ask for at least a second.")


def _of_reason(wanted: Wanted, *, required: bool) -> Iterator[Condition]:
    reason = wanted.reason
    if required:
        why = "Say why you need it: one sentence that a colleague understands."
        yield Condition("reason", "a reason", None if reason is None else bool(reason.strip()), why)
    if reason is not None and len(reason) > LONGEST_REASON:
        why = f"Keep the reason under {LONGEST_REASON} characters; the ticket holds the rest."
        yield Condition("reason", f"a reason under {LONGEST_REASON} characters", met=False, why=why)


def _of_ticket(rule: Rule, wanted: Wanted) -> Iterator[Condition]:
    ticket = wanted.ticket
    if rule.ticket_required:
        met = None if ticket is None else bool(ticket)
        yield Condition("ticket", _which_ticket(rule), met, "This target needs a ticket.")
    if ticket and not _looks_right(rule, ticket):
        example = "acme/ops#123" if rule.ticket_system == "github" else "OPS-123"
        why = f"“{ticket[:40]}” does not look like a ticket. One looks like {example}."
        yield Condition("ticket", f"a ticket like {rule.ticket_pattern}", met=False, why=why)


def _which_ticket(rule: Rule) -> str:
    opened = "an open ticket" if rule.ticket_open else "a ticket"
    system = "" if rule.ticket_system == "pattern" else f" in {rule.ticket_system.capitalize()}"
    projects = f" of {', '.join(sorted(rule.ticket_projects))}" if rule.ticket_projects else ""
    return f"{opened}{system}{projects}"


def _looks_right(rule: Rule, ticket: str) -> bool:
    return len(ticket) <= LONGEST_TICKET and re.fullmatch(rule.ticket_pattern, ticket) is not None


# Having it without approval, and keeping it


def judge_break_glass(policy: Policy, ask: Ask, facts: Facts) -> Verdict:
    """Only who the role's `break_glass` names; a deny rule holds unless it says otherwise."""
    rule = policy.rule(ask.target, ask.role)
    glass = rule.break_glass if rule else None
    membership = policy.belonging.is_in(ask.by, glass.who, facts) if glass else Membership(yes=False)
    if rule is None or glass is None or not membership.maybe:
        why = f"You cannot break the glass for {ask.target} · {ask.role}."
        return Verdict(allowed=False, rule="", why=why, field="target")
    if not membership.yes:
        return _unknown(rule, membership)
    if stops := tuple(_denied(policy, Wanted.of(ask), facts, break_glass=True)):
        return _stop(rule, stops)
    return _judge_glass(rule, glass, ask)


def _judge_glass(rule: Rule, glass: BreakGlass, ask: Ask) -> Verdict:
    wanted = Wanted.of(ask)
    most = f"At most {in_words(glass.maximum)} of break-glass for {rule.what}."
    long = f"Keep the ticket under {LONGEST_TICKET} characters."
    conditions = (
        *_of_duration(wanted, glass.maximum, most),
        *_of_reason(wanted, required=glass.reason_required),
        # No more is asked of it: nobody is kept waiting by a ticket now, and the review sees what it says.
        Condition("ticket", "a short ticket", len(ask.ticket) <= LONGEST_TICKET, long),
    )
    for condition in conditions:
        if not condition.met:
            return Verdict(allowed=False, rule=rule.name, why=condition.why, field=condition.field)
    return Verdict(allowed=True, rule=rule.name, why=f"{rule.name} lets {ask.by.name} break the glass.")


def glass_offers(policy: Policy, person: Person, facts: Facts) -> tuple[Rule, ...]:
    """What this person may have by break-glass, as far as that is known: of each role its first rule."""
    firsts = {(rule.target, rule.role): rule for rule in reversed(policy.rules)}
    offered = [rule for rule in policy.rules if rule.break_glass and firsts[rule.target, rule.role] is rule]
    return tuple(
        rule for rule in offered if rule.break_glass and policy.belonging.is_in(person, rule.break_glass.who, facts).yes
    )


def judge_grant(policy: Policy, grant: Grant, person: Person, facts: Facts) -> Verdict:
    """A rule of the role must still be theirs, with the reason and the ticket that there were, and no deny rule."""
    if grant.glass:
        return _judge_broken(policy, grant, person, facts)
    wanted = Wanted(person, grant.target, grant.role, reason=grant.reason, ticket=grant.ticket)
    rules = policy.rules_of(grant.target, grant.role)
    found = [(rule, policy.belonging.is_in(person, rule.who, facts)) for rule in rules]
    theirs = [rule for rule, membership in found if membership.yes]
    if not theirs:
        unknown = next(((rule, membership) for rule, membership in found if membership.unknown), None)
        return _unknown(*unknown) if unknown else _nothing(wanted)
    if stops := tuple(_denied(policy, wanted, facts)):
        return _stop(theirs[0], stops)
    missing = [_missing_terms(rule, wanted) for rule in theirs]
    if all(missing):
        broken = missing[0][0]
        return Verdict(allowed=False, rule=theirs[0].name, why=broken.why, field=broken.field)
    return Verdict(allowed=True, rule=theirs[0].name, why=f"{theirs[0].name} still lets {person.name} have it.")


def _judge_broken(policy: Policy, grant: Grant, person: Person, facts: Facts) -> Verdict:
    """The role's break-glass must still name them; no other rule gave it, so none has to be theirs."""
    wanted, rule = Wanted(person, grant.target, grant.role), policy.rule(grant.target, grant.role)
    membership = policy.belonging.is_in(person, rule.break_glass.who, facts) if rule and rule.break_glass else None
    if rule is None or membership is None or not membership.maybe:
        return _nothing(wanted)
    if not membership.yes:
        return _unknown(rule, membership)
    if stops := tuple(_denied(policy, wanted, facts, break_glass=True)):
        return _stop(rule, stops)
    return Verdict(allowed=True, rule=rule.name, why=f"{rule.name} still lets {person.name} break the glass.")


def _missing_terms(rule: Rule, wanted: Wanted) -> list[Condition]:
    terms = (*_of_reason(wanted, required=rule.reason_required), *_of_ticket(rule, wanted))
    return [condition for condition in terms if condition.met is False]
