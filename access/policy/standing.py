"""How far an approval is: which stages are settled by whom, who is asked now, who is next and when.

It is worked out anew from the votes each time. A person counts once; whoever could count in several places is put
where the most is settled by it, so that votes may come in any order and one that falls away blocks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from access.model import Person, Request, Vote
from access.policy.deciding import is_open, may_decide, opens_at, people_of, rule_for
from access.policy.facts import Facts
from access.policy.matching import match
from access.policy.model import Part, Rule, Way

if TYPE_CHECKING:
    from access.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Progress:
    """One stage: how many of how many. `names` are as the policy has them: people, groups, `on_call.NAME`."""

    names: tuple[str, ...]
    count: int
    needed: int
    by: tuple[str, ...]  # who has settled it so far
    voters: tuple[Person, ...] = ()  # the same, as persons

    @property
    def met(self) -> bool:
        return self.count >= self.needed


@dataclass(frozen=True, slots=True)
class Later:
    """Who will be asked; `at` is None where it waits for somebody else's approval."""

    people: tuple[str, ...]
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """`stages` are those of the way that is nearest, and `plan` its parts, one for each.

    `asked` are names, or Slack ids where the file has none.
    """

    rule: str
    met: bool
    count: int
    needed: int
    stages: tuple[Progress, ...]
    counted: tuple[Person, ...]
    asked: tuple[str, ...]
    next: tuple[Later, ...]
    unknown: tuple[str, ...] = ()  # sentences: of whom it is not known who they are
    plan: tuple[Part, ...] = ()


def standing(policy: Policy, request: Request, votes: Sequence[Vote], facts: Facts) -> Standing:
    """`votes`: of those who may still act at all. Without a rule nothing is met."""
    rule = rule_for(policy, request, facts)
    if rule is None:
        return Standing("", met=False, count=0, needed=1, stages=(), counted=(), asked=(), next=())
    return _Count(policy, request, tuple(vote.by for vote in _once_each(policy, votes)), facts).of(rule)


def standing_at_first(rule: Rule, policy: Policy, request: Request, facts: Facts) -> Standing:
    """Before anybody has voted, by this rule."""
    return _Count(policy, request, (), facts).of(rule)


def _once_each(policy: Policy, votes: Sequence[Vote]) -> list[Vote]:
    kept: list[Vote] = []
    for vote in votes:
        if not any(policy.same_person(vote.by, other.by) for other in kept):
            kept.append(vote)
    return kept


@dataclass(frozen=True, slots=True)
class _Filled:
    """A plan with voters put into its places."""

    plan: tuple[Part, ...]
    places: tuple[int, ...]  # of each place, the part it belongs to
    taken: Mapping[int, int]  # place -> voter

    @property
    def missing(self) -> int:
        return len(self.places) - len(self.taken)

    def voters_of(self, part: int) -> list[int]:
        return sorted(voter for place, voter in self.taken.items() if self.places[place] == part)


@dataclass(frozen=True)
class _Count:
    policy: Policy
    request: Request
    voters: tuple[Person, ...]
    facts: Facts

    def of(self, rule: Rule) -> Standing:
        if not rule.plans:
            return self._nobody_needed(rule)
        best = min((self._fill(plan) for plan in rule.plans), key=self._distance)
        stages = tuple(self._progress(best, number) for number in range(len(best.plan)))
        counted = tuple(self.voters[voter] for voter in sorted(best.taken.values()))
        asked, later = self._asked(rule) if best.missing else ((), ())
        return Standing(
            rule=rule.name, met=not best.missing, count=len(counted), needed=len(best.places), stages=stages,
            counted=counted, asked=asked, next=later, unknown=self._unknown(rule), plan=best.plan,
        )  # fmt: skip

    def _distance(self, filled: _Filled) -> tuple[bool, bool, int]:
        """What is settled comes first, then where the last approval counts, then what needs the fewest more."""
        newest_is_idle = len(self.voters) - 1 not in filled.taken.values()
        return filled.missing > 0, newest_is_idle, filled.missing

    def _nobody_needed(self, rule: Rule) -> Standing:
        """Unless more were needed when it was asked: that is not given away afterwards."""
        needed = self.request.approvals_needed
        return Standing(rule.name, met=not needed, count=0, needed=needed, stages=(), counted=(), asked=(), next=())

    def _fill(self, plan: tuple[Part, ...]) -> _Filled:
        """With as many places settled as these voters can settle."""
        places = [number for number, part in enumerate(plan) for _ in range(part.count)]
        # What was promised at the asking is not lowered by a later policy.
        places += [len(plan) - 1] * (self.request.approvals_needed - len(places))
        fits = [
            [place for place, number in enumerate(places) if self._counts(plan[number], voter)] for voter in self.voters
        ]
        return _Filled(plan, tuple(places), match(fits))

    def _counts(self, part: Part, voter: Person) -> bool:
        return may_decide(self.policy, self.request, part, voter, self.facts)

    def _progress(self, filled: _Filled, number: int) -> Progress:
        voters = tuple(self.voters[voter] for voter in filled.voters_of(number))
        by = tuple(voter.name for voter in voters)
        return Progress(tuple(sorted(filled.plan[number].by)), len(by), filled.places.count(number), by, voters)

    def _asked(self, rule: Rule) -> tuple[tuple[str, ...], tuple[Later, ...]]:
        now: set[str] = set()
        later: dict[Later, None] = {}
        for way in rule.ways:
            waiting = self._first_waiting(rule, way)
            for part in way[waiting]:
                if is_open(part, self.request, self.facts):
                    now |= self._people(part)
                else:
                    later[self._later(part, opens_at(part, self.request))] = None
            if waiting + 1 < len(way):
                later[self._later(way[waiting + 1][0], None)] = None
        ordered = sorted((each for each in later if each.people), key=lambda each: (each.at is None, str(each.at)))
        return tuple(sorted(now)), tuple(ordered)

    def _first_waiting(self, rule: Rule, way: Way) -> int:
        plans = replace(rule, ways=(way,)).plans
        best = min((self._fill(plan) for plan in plans), key=lambda filled: filled.missing)
        open_stages = [n for n in range(len(way)) if len(best.voters_of(n)) < best.places.count(n)]
        return open_stages[0] if open_stages else len(way) - 1

    def _people(self, part: Part) -> frozenset[str]:
        voted = {self.policy.belonging.owner(voter.slack_id) or voter.slack_id for voter in self.voters}
        return people_of(self.policy, part, self.request.requester, self.facts) - voted

    def _later(self, part: Part, at: datetime | None) -> Later:
        return Later(tuple(sorted(self._people(part))), at)

    def _unknown(self, rule: Rule) -> tuple[str, ...]:
        ids = self.policy.belonging.look_ups(frozenset[str]().union(*(part.by for part in rule.parts)))
        names = {found: name for name, found in self.policy.looked_up.items()}
        answers = {found: self.facts.members_of(found) for found in sorted(ids)}
        return tuple(
            f"Nobody can tell right now who is in {names[found]}: {answer}"
            for found, answer in answers.items()
            if isinstance(answer, str)
        )
