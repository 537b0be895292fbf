"""How far an approval is, a line for each stage: worked out of the rule, and written into the log as it is then.

What is written is what people are shown, so that a card says the same whenever it is painted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from access.model import Request
from access.policy import Facts, Policy, Rule
from access.policy.deciding import is_open, opens_at, people_of
from access.policy.model import Part, Way
from access.policy.standing import Progress, Standing

MOST_NAMED = 20  # people of one stage that are written down


@dataclass(frozen=True, slots=True)
class Stage:
    """So many of these; `of` are names of the policy, `by` and `asked` Slack ids: who has settled it, who is asked.

    `opens_at`: who stands in from then on for the stage before it. `instead`: they do, or it is another way.
    """

    needed: int
    of: tuple[str, ...]
    by: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    opens_at: datetime | None = None
    instead: bool = False

    @property
    def met(self) -> bool:
        return len(self.by) >= self.needed

    def written(self) -> str:
        """One line of JSON: names may hold any character that can be seen."""
        opens = int(self.opens_at.timestamp()) if self.opens_at else None
        fields = {"needed": self.needed, "of": self.of, "by": self.by, "asked": self.asked, "from": opens,
                  "instead": self.instead}  # fmt: skip
        kept = {name: value for name, value in fields.items() if value}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def read_stage(line: str) -> Stage | None:
    """None where a later version has written something else."""
    try:
        found = json.loads(line)
        people = (tuple(map(str, found.get(name, ()))) for name in ("of", "by", "asked"))
        of, by, asked = people
        opens = datetime.fromtimestamp(found["from"], tz=UTC) if "from" in found else None
        return Stage(int(found["needed"]), of, by, asked, opens, bool(found.get("instead", False)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def stages(policy: Policy, request: Request, standing: Standing, facts: Facts) -> tuple[str, ...]:
    """As they are written down; none where there is one stage and nobody to stand in, which needs no telling."""
    rule = policy.rule_named(standing.rule)
    found = tuple(_Stages(policy, request, facts).of(rule, standing)) if rule and standing.plan else ()
    return tuple(stage.written() for stage in found) if len(found) > 1 else ()


@dataclass(frozen=True)
class _Stages:
    policy: Policy
    request: Request
    facts: Facts

    def of(self, rule: Rule, standing: Standing) -> Iterator[Stage]:
        """The stages of the way that is nearest, with those who may stand in; then the other ways."""
        way = next(way for way in rule.ways if _is_a_choice_of(standing.plan, way))
        asked = frozenset(standing.asked)
        for part, stage, progress in zip(standing.plan, way, standing.stages, strict=True):
            if progress.met:
                yield self._chosen(part, progress, frozenset())
                continue
            for number, each in enumerate(stage):
                found = self._chosen(part, progress, asked) if each == part else self._part(each, asked)
                yield replace(found, instead=number > 0)
            asked = frozenset()  # those of later stages have to wait for this one
        for other in (each for each in rule.ways if each != way):
            for number, stage in enumerate(other):
                found = self._part(stage[0], frozenset(standing.asked) if number == 0 else frozenset())
                yield replace(found, instead=number == 0)

    def _chosen(self, part: Part, progress: Progress, asked: frozenset[str]) -> Stage:
        by = tuple(voter.slack_id for voter in progress.voters)
        return replace(self._part(part, asked), needed=progress.needed, by=by)

    def _part(self, part: Part, asked: frozenset[str]) -> Stage:
        of = tuple(sorted(part.by))
        if not is_open(part, self.request, self.facts):
            return Stage(part.count, of, opens_at=opens_at(part, self.request))
        theirs = people_of(self.policy, part, self.request.requester, self.facts) & asked
        return Stage(part.count, of, asked=self.policy.accounts_of(theirs)[:MOST_NAMED])


def _is_a_choice_of(plan: tuple[Part, ...], way: Way) -> bool:
    return len(plan) == len(way) and all(part in stage for part, stage in zip(plan, way, strict=True))
