"""What one role is to one person: everything of a policy that a judgment on the two can depend on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from access.duration import in_words
from access.policy.model import ALL, Deny, Freeze, Part, Rule
from access.policy.policy import Policy

#: names of persons; a group that is kept elsewhere stands among them as one more: `whoever is in slack:S0OWNERS`
Crowd = frozenset[str]
WHOEVER = "whoever is in "
_NOBODY: Crowd = frozenset()


@dataclass(frozen=True, slots=True)
class Decides:
    """A `Part` with its names resolved."""

    by: Crowd
    count: int
    own_request: bool
    after: timedelta

    def __str__(self) -> str:
        own = " (the requester too)" if self.own_request else ""
        return f"{self.count} of {some(self.by)}{own}" + (f" after {in_words(self.after)}" if self.after else "")


Plans = tuple[tuple[Decides, ...], ...]


@dataclass(frozen=True, slots=True)
class View:
    """`rules` in the file's order, only this person's, each with its plans; the rest is what holds beside them."""

    rules: tuple[Rule, ...]
    plans: tuple[Plans, ...]
    denies: tuple[Deny, ...]
    freezes: tuple[Freeze, ...]
    break_glass: tuple[timedelta, bool] | None

    @property
    def may_ask(self) -> bool:
        return bool(self.rules) and not any(deny.hours is None for deny in self.denies)

    @property
    def matters(self) -> bool:
        """Whether there is anything to have; where not, nothing can be taken away either."""
        return bool(self.rules) or self.break_glass is not None

    def of_rules(self, value: Callable[[Rule], object]) -> tuple[object, ...]:
        return tuple(value(rule) for rule in self.rules)


@dataclass(frozen=True)
class Sight:
    """One policy's people and roles, resolved."""

    policy: Policy
    _crowds: dict[frozenset[str], Crowd] = field(default_factory=dict, repr=False)

    @cached_property
    def everybody(self) -> Crowd:
        return frozenset(self.policy.accounts) | {WHOEVER + found for found in self.policy.looked_up.values()}

    def crowd(self, names: frozenset[str]) -> Crowd:
        if names not in self._crowds:
            belonging = self.policy.belonging
            looked_up = {WHOEVER + found for found in belonging.look_ups(names)}
            self._crowds[names] = belonging.people(names) | looked_up | (names & {ALL})
        return self._crowds[names]

    def is_in(self, who: str, names: frozenset[str], also: Crowd = _NOBODY) -> bool:
        """`also`: groups kept elsewhere that they are in as well."""
        if ALL in names or not self.policy.belonging.names_of_person(who).isdisjoint(names):
            return True
        found = also | {who} if who.startswith(WHOEVER) else also
        return bool(found) and not found.isdisjoint(self.crowd(names))

    def kept_elsewhere(self, target: str, role: str) -> Crowd:
        """Of those whom anything of this role applies to, the groups that are looked up."""
        return frozenset(WHOEVER + found for found in self.policy.belonging.look_ups(self.relevant(target, role)))

    def relevant(self, target: str, role: str) -> frozenset[str]:
        """The names in them."""
        return frozenset[str]().union(*self.names_in(target, role))

    def names_in(self, target: str, role: str) -> frozenset[frozenset[str]]:
        """The lists of names that decide to whom anything of this role applies."""
        rules, policy = self.policy.rules_of(target, role), self.policy
        found = {rule.who for rule in rules} | {rule.break_glass.who for rule in rules if rule.break_glass}
        found |= {deny.who for deny in policy.denies_of(target, role)}
        return frozenset(found | {freeze.exempt for freeze in policy.freezes if freeze.covers(target)})

    def view(self, who: str, which: tuple[str, str], also: Crowd = _NOBODY) -> View:
        """`who`: one of `everybody`; `which`: target and role."""
        target, role = which
        policy, first = self.policy, self.policy.rule(target, role)
        rules = tuple(rule for rule in policy.rules_of(target, role) if self.is_in(who, rule.who, also))
        glass = first.break_glass if first else None
        freezes = (freeze for freeze in policy.freezes if freeze.covers(target))
        denies = tuple(deny for deny in policy.denies_of(target, role) if self.is_in(who, deny.who, also))
        held = any(deny.hours is None and deny.even_break_glass for deny in denies)
        breaks = glass is not None and not held and self.is_in(who, glass.who, also)
        return View(
            rules=rules,
            plans=tuple(self.plans(rule) for rule in rules),
            denies=denies,
            freezes=tuple(freeze for freeze in freezes if not self.is_in(who, freeze.exempt, also)),
            break_glass=(glass.maximum, glass.reason_required) if glass and breaks else None,
        )

    def plans(self, rule: Rule) -> Plans:
        return tuple(tuple(self._decides(part) for part in plan) for plan in rule.plans)

    def _decides(self, part: Part) -> Decides:
        return Decides(self.crowd(part.by), part.count, part.own_request, part.after)


def alike(sights: tuple[Sight, Sight], which: tuple[str, str], people: Crowd) -> Iterable[set[str]]:
    """These people, put together where neither policy tells them apart on this role."""
    relevant = [(sight, sight.relevant(*which)) for sight in sights]
    classes: defaultdict[object, set[str]] = defaultdict(set)
    for who in people:
        kind = who if who.startswith(WHOEVER) else ""  # each of them is a class of its own
        classes[kind, *(sight.policy.belonging.names_of_person(who) & names for sight, names in relevant)].add(who)
    return classes.values()


def some(people: Crowd, most: int = 6) -> str:
    """Names, and how many more."""
    ordered = sorted(people)
    rest = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return (", ".join(ordered[:most]) or "nobody") + rest
