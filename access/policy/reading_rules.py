"""Targets, roles and rules of a policy file, in their short and their long form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any

from access.policy import names
from access.policy.faults import Path
from access.policy.matching import match
from access.policy.model import BreakGlass, Hours, Part, Rule, Stage, Way
from access.policy.reading_people import PeopleReader
from access.policy.reading_watch import read_watch
from access.policy.shapes import keys
from access.sessions.model import GATEWAYS

MOST_PLANS = 100  # ways to combine alternatives and stand-ins of one rule
MOST_COUNT = 20
_ROLE, _RULE = keys("role"), keys("rule")
_PATTERN = Rule.__dataclass_fields__["ticket_pattern"].default
_PATTERNS = {"github": r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+#[0-9]+"}  # where it is not the usual one


@dataclass(frozen=True, slots=True)
class _Target:
    """What all rules of a target share."""

    name: str
    shared: Mapping[str, Any]  # fields of `Rule`
    ticket: Mapping[str, Any]  # defaults


class RuleReader(PeopleReader):
    """Everything under `targets`."""

    def __init__(self) -> None:
        super().__init__()
        self.hours: dict[str, Hours] = {}
        self.owner: frozenset[str] | None = None  # of the target that is being read
        self.seen: dict[str, set[str]] = {"targets": set(), "roles": set()}  # also those with faults in them

    def target(self, name: str, data: Any) -> list[Rule]:
        path: Path = ("targets", name)
        self.must_be_fit(path, names.in_a_command(name))
        self.seen["targets"].add(name)
        row = self.mapping(data, path, keys("target"))
        self.owner = self.members(row["owner"], (*path, "owner")) if "owner" in row else None
        shared = {
            "title": str(row.get("title", name)),
            "environment": str(row.get("environment", "")),
            "aliases": self.names(row.get("aliases", []), (*path, "aliases")),
            "sensitivity": self.one_of(
                ("low", "normal", "high"), row.get("sensitivity", "normal"), (*path, "sensitivity")
            ),
            "owner": self.owner or frozenset(),
        }
        for index, alias in enumerate(shared["aliases"]):
            self.must_be_fit((*path, "aliases", index), names.in_a_command(alias))
        ticket = self.mapping(row.get("ticket", {}), (*path, "ticket"), keys("ticket"))
        target = _Target(name, shared, ticket)
        roles = self.mapping(row.get("roles"), (*path, "roles"))
        return [rule for role, data in roles.items() for rule in self.role(target, role, data)]

    def role(self, target: _Target, role: str, data: Any) -> list[Rule]:
        path: Path = ("targets", target.name, "roles", role)
        self.must_be_fit(path, names.as_a_word(role))
        self.seen["roles"].add(role)
        row = self.mapping(data, path, (*_ROLE, *_RULE))
        uses = self.mapping(row.get("uses", {}), (*path, "uses"))
        whole = {
            **target.shared, "target": target.name, "role": role,
            "provider": self.word(row.get("provider"), (*path, "provider")),
            "uses": {key: str(value) for key, value in uses.items()},
            "break_glass": self.break_glass(row.get("break_glass"), (*path, "break_glass")),
            "gateway": self.one_of(GATEWAYS, row["gateway"], (*path, "gateway")) if "gateway" in row else "",
            "raw": self.flag(row.get("raw", False), (*path, "raw")),
        }  # fmt: skip
        if "raw" in row and "gateway" not in row:
            self.fault((*path, "raw"), "Only with a `gateway`: without one, nothing is recorded.")
        if "rules" not in row:
            return self.rule({key: row[key] for key in row if key in _RULE}, path, target, whole)
        for key in (key for key in row if key in _RULE):
            self.fault((*path, key), f"Put `{key}` into the rules: beside `rules` it would be another rule.")
        items = self.items(row["rules"], (*path, "rules"))
        if not items:
            self.fault((*path, "rules"), "At least one rule.")
        found = []
        for number, (at, item) in enumerate(items, 1):
            numbered = whole | ({"number": number} if len(items) > 1 else {})
            found += self.rule(self.mapping(item, at, _RULE), at, target, numbered)
        return found

    def rule(self, row: Mapping[str, Any], path: Path, target: _Target, whole: Mapping[str, Any]) -> list[Rule]:
        """None where anything in it is wrong."""
        before = len(self.faults)
        maximum, default, total = self.lengths(row, path)
        ways = self.approve(row, path)
        fields: dict[str, Any] = {
            "who": self.members(row.get("who", []), (*path, "who")),
            "hours": self.hours_named(row.get("hours"), (*path, "hours")),
            "maximum": maximum, "default": default, "total": total,
            "reason_required": self.required(row.get("reason", "required"), (*path, "reason")),
            **self.ticket(row.get("ticket", {}), (*path, "ticket"), target.ticket),
            "ways": ways,
            "approvers": frozenset[str]().union(*(part.by for way in ways for stage in way for part in stage)),
            "approvals": min((sum(p.count for p in plan) for way in ways for plan in product(*way)), default=0),
            **self.clock(row, path),
            "review": self.flag(row.get("review", target.shared["sensitivity"] == "high"), (*path, "review")),
            "watch": read_watch(self, row, path, gateway=bool(whole["gateway"]), decided=bool(ways)),
        }  # fmt: skip
        return [Rule(**{**whole, **fields})] if len(self.faults) == before else []

    def lengths(self, row: Mapping[str, Any], path: Path) -> tuple[timedelta, timedelta, timedelta]:
        maximum = self.duration(row.get("max"), (*path, "max"))
        default, total = (
            self.duration(row[key], (*path, key)) if key in row else maximum for key in ("default", "total")
        )
        if "default" in row and default > maximum:
            self.fault((*path, "default"), "The default is longer than `max`.")
        if "total" in row and total < maximum:
            self.fault((*path, "total"), "The total is shorter than `max`.")
        return maximum, default, total

    def clock(self, row: Mapping[str, Any], path: Path) -> dict[str, Any]:
        first_use = (
            self.one_of(("approval", "first_use"), row.get("clock", "approval"), (*path, "clock")) == "first_use"
        )
        if "use_within" in row and not first_use:
            self.fault((*path, "use_within"), "Only with `clock: first_use`.")
        within = self.duration(row.get("use_within", "1h"), (*path, "use_within"))
        return {"first_use": first_use, "use_within": within if first_use else None}

    def ticket(self, data: Any, path: Path, usual: Mapping[str, Any]) -> dict[str, Any]:
        row = {**usual, **self.mapping(data, path, keys("ticket"))}
        system = self.one_of(("pattern", "jira", "github"), row.get("system", "pattern"), (*path, "system"))
        opened = self.flag(row.get("open", system != "pattern"), (*path, "open"))
        closing = self.flag(row.get("closing_ends", False), (*path, "closing_ends"))
        if system == "pattern" and (opened or closing or "projects" in row):
            self.fault(
                path, "A pattern alone cannot tell whether a ticket is open, or of which project: name a `system`."
            )
        projects = self.names(row["projects"], (*path, "projects")) if "projects" in row else None
        return {
            "ticket_required": self.flag(row.get("required", True), (*path, "required")),
            "ticket_pattern": self.pattern(row.get("pattern", _PATTERNS.get(system, _PATTERN)), (*path, "pattern")),
            "ticket_system": system, "ticket_open": opened, "closing_ends": closing,
            "ticket_projects": None if projects is None else frozenset(projects),
        }  # fmt: skip

    def break_glass(self, data: Any, path: Path) -> BreakGlass | None:
        if data is None:
            return None
        row = self.mapping(data, path, keys("break_glass"))
        who = self.members(row.get("who"), (*path, "who"))
        reason = self.required(row.get("reason", "required"), (*path, "reason"))
        return BreakGlass(who, self.duration(row.get("max"), (*path, "max")), reason)

    def required(self, data: Any, path: Path) -> bool:
        return self.one_of(("required", "optional"), data, path) == "required"

    def hours_named(self, data: Any, path: Path) -> Hours | None:
        if data is None:
            return None
        name = self.word(data, path)
        if name not in self.hours:
            self.fault(path, f"`{name}` stands nowhere under `hours`{self.near(name, self.hours)}")
        return self.hours.get(name)

    # Who decides

    def approve(self, row: Mapping[str, Any], path: Path) -> tuple[Way, ...]:
        if "approve" not in row:
            data = {"by": row.get("approvers", []), "count": row.get("approvals", 1)}
            return ((self.short_part(data, path),),)
        for key in ("approvers", "approvals"):
            if key in row:
                self.fault((*path, key), f"Either `approve` or `{key}`.")
        data, path = row["approve"], (*path, "approve")
        if data == "nobody":
            return ()
        if isinstance(data, Mapping) and "any" in data:
            self.mapping(data, path, keys("any"))
            ways = tuple(self.way(item, at) for at, item in self.items(data["any"], (*path, "any")))
        else:
            ways = (self.way(data, path),)
        if not ways or not all(ways):
            self.fault(path, "Nobody could approve this. Without approval it is `approve: nobody`.")
        return self.within_reason(ways, path)

    def short_part(self, data: Mapping[str, Any], path: Path) -> Stage:
        by = self.members(data["by"], (*path, "approvers"), also=self._owner_word())
        part = Part(self._with_owner(by), self.few(data["count"], (*path, "approvals")))
        self.can_be_met((part,), (*path, "approvers"))
        return (part,)

    def way(self, data: Any, path: Path) -> Way:
        if not (isinstance(data, Mapping) and "stages" in data):
            part = self.part(self.mapping(data, path, keys("part")), path)
            self.can_be_met((part,), (*path, "by"))
            return ((part,),)
        self.mapping(data, path, keys("stages"))
        stages: list[list[Part]] = []
        for at, item in self.items(data["stages"], (*path, "stages")):
            part = self.part(self.mapping(item, at, keys("part", "stage")), at)
            if part.after and not stages:
                self.fault((*at, "after"), "The first stage is asked at once: nobody stands before it.")
            if part.after and stages:
                stages[-1].append(part)
            else:
                stages.append([part])
        way = tuple(tuple(stage) for stage in stages)
        self.can_be_met(tuple(stage[0] for stage in way), (*path, "stages"))
        return way

    def part(self, row: Mapping[str, Any], path: Path) -> Part:
        by = self.members(row.get("by"), (*path, "by"), also=self._owner_word())
        own = self.flag(row.get("own_request", False), (*path, "own_request"))
        after = self.duration(row["after"], (*path, "after")) if "after" in row else timedelta()
        return Part(self._with_owner(by), self.few(row.get("count", 1), (*path, "count")), own, after)

    def few(self, data: Any, path: Path) -> int:
        count = self.count(data, path)
        if count > MOST_COUNT:
            self.fault(path, f"At most {MOST_COUNT}.")
        return min(count, MOST_COUNT)

    def within_reason(self, ways: tuple[Way, ...], path: Path) -> tuple[Way, ...]:
        plans = 0
        for way in ways:
            size = 1
            for stage in way:
                size *= len(stage)
            plans += size
        if plans > MOST_PLANS or any(sum(stage[0].count for stage in way) > MOST_COUNT for way in ways):
            self.fault(path, f"More than {MOST_PLANS} ways, or {MOST_COUNT} approvals: nobody could follow that.")
            return ()
        return ways

    def can_be_met(self, parts: tuple[Part, ...], path: Path) -> None:
        """Whether so many different people are there; a group that is looked up may always have enough."""
        if any(self.look_ups_in(name) for part in parts for name in part.by):
            return
        needed = sum(part.count for part in parts)
        if all(any(len(self.people_in(name)) >= needed for name in part.by) for part in parts):
            return
        crowds = [frozenset[str]().union(*(self.people_in(name) for name in part.by)) for part in parts]
        everybody = sorted(frozenset[str]().union(*crowds))
        places = [crowd for crowd, part in zip(crowds, parts, strict=True) for _ in range(part.count)]
        if len(match([[n for n, crowd in enumerate(places) if person in crowd] for person in everybody])) < needed:
            who = f"only {', '.join(everybody)}" if everybody else "nobody"
            self.fault(path, f"{needed} must approve, but there is {who}. Name more people or groups.")

    def _owner_word(self) -> tuple[str, ...]:
        return ("owner",) if self.owner is not None else ()

    def _with_owner(self, by: frozenset[str]) -> frozenset[str]:
        return (by - {"owner"}) | (self.owner or frozenset()) if "owner" in by else by
