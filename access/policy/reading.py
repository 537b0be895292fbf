"""From the plain data of a policy file to a `Policy`, or to every fault in it with its place.

Unknown keys are faults, with the nearest known one; so is a name that stands for nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from access.policy.faults import Path, PolicyFaults
from access.policy.model import ALL, Deny, Freeze, Hours, Rule
from access.policy.policy import Policy
from access.policy.reading_people import PeopleReader
from access.policy.reading_rules import RuleReader
from access.policy.secrets import MOST_PATTERNS, BadPattern, Secret, read_secret
from access.policy.shapes import keys

_LIMITS = keys("limits")


def read_policy(data: Any, digest: str) -> Policy:
    """A `Policy` out of parsed YAML or JSON; `digest` is the SHA-256 of the text. Raises PolicyFaults."""
    reader = _Reader()
    policy = reader.policy(data, digest)
    if reader.faults or policy is None:
        raise PolicyFaults(reader.faults)
    return policy


class _Reader(RuleReader, PeopleReader):
    """The top of the file, and what goes across all of it."""

    def policy(self, data: Any, digest: str) -> Policy | None:
        top = self.mapping(data, (), keys("policy"))
        if top.get("version") != 1:
            self.fault(("version",), "This file needs `version: 1`.")
        self.read_people(top)
        self.hours = {n: self.hours_of(n, d) for n, d in self.mapping(top.get("hours", {}), ("hours",)).items()}
        rules = [r for n, t in self.mapping(top.get("targets"), ("targets",)).items() for r in self.target(n, t)]
        self.names_do_not_clash(rules)
        freezes, denies = self.freezes(top.get("freezes", [])), self.denies(top.get("deny", []))
        pending_for = self.duration(top.get("pending_for", "1h"), ("pending_for",))
        admins, auditors = (self.members(top.get(name, []), (name,)) for name in ("admins", "auditors"))
        for name, who in (("admins", admins), ("auditors", auditors)):
            if any(self.look_ups_in(each) for each in who):
                self.fault((name,), "Only people, and groups of this file: admins must be known when nothing answers.")
        most_pending, most_per_hour = self.limits(top.get("limits", {}))
        secrets = self.secrets(top.get("redact", {}))
        if self.faults:
            return None
        return Policy(
            digest, self.accounts, self.groups, admins, tuple(rules), pending_for, most_pending, most_per_hour,
            auditors, emails=self.emails, pagerduty=self.pagerduty, looked_up=self.looked_up, freezes=freezes,
            denies=denies, secrets=secrets,
        )  # fmt: skip

    def limits(self, data: Any) -> tuple[int, int]:
        given = self.mapping(data, ("limits",), _LIMITS)
        usual = (Policy.most_pending, Policy.most_per_hour)
        pending, per_hour = (
            self.count(given.get(name, usually), ("limits", name)) for name, usually in zip(_LIMITS, usual, strict=True)
        )
        return pending, per_hour

    def secrets(self, data: Any) -> tuple[Secret, ...]:
        found = []
        for name, pattern in self.mapping(data, ("redact",)).items():
            try:
                found.append(read_secret(name, self.word(pattern, ("redact", name))))
            except BadPattern as error:
                self.fault(("redact", name), str(error))
        if len(found) > MOST_PATTERNS:
            self.fault(("redact",), f"At most {MOST_PATTERNS}: every statement is searched for each.")
        return tuple(found)

    def hours_of(self, name: str, data: Any) -> Hours:
        path: Path = ("hours", name)
        row = self.mapping(data, path, keys("hours"))
        begin = self.time_of_day(row.get("from"), (*path, "from"))
        end = self.time_of_day(row.get("to"), (*path, "to"), latest="24:00")
        if begin == end:
            self.fault((*path, "to"), "It begins when it ends. A whole day is from 00:00 to 24:00.")
        days, zone = self.days(row.get("days"), (*path, "days")), self.zone(row.get("zone"), (*path, "zone"))
        return Hours(name, days, begin, end, zone)

    def freezes(self, data: Any) -> tuple[Freeze, ...]:
        return tuple(self.freeze(item, path) for path, item in self.items(data, ("freezes",)))

    def freeze(self, data: Any, path: Path) -> Freeze:
        row = self.mapping(data, path, keys("freeze"))
        begin, end = (self.moment(row.get(key), (*path, key)) for key in ("from", "to"))
        if end <= begin:
            self.fault((*path, "to"), "It ends before it begins.")
        return Freeze(
            name=self.word(row.get("name"), (*path, "name")), begin=begin, end=end,
            targets=self.known_words(row.get("targets"), (*path, "targets"), self.seen["targets"]),
            exempt=self.members(row.get("except", []), (*path, "except")),
            why=self.word(row.get("why"), (*path, "why")),
        )  # fmt: skip

    def denies(self, data: Any) -> tuple[Deny, ...]:
        return tuple(self.deny(item, path) for path, item in self.items(data, ("deny",)))

    def deny(self, data: Any, path: Path) -> Deny:
        row = self.mapping(data, path, keys("deny"))
        return Deny(
            who=self.members(row.get("who"), (*path, "who"), also=(ALL,)),
            targets=self.known_words(row.get("targets"), (*path, "targets"), self.seen["targets"]),
            roles=self.known_words(row.get("roles", ALL), (*path, "roles"), self.seen["roles"]),
            why=self.word(row.get("why"), (*path, "why")),
            hours=self.hours_named(row.get("hours"), (*path, "hours")),
            even_break_glass=self.flag(row.get("even_break_glass", True), (*path, "even_break_glass")),
        )

    def known_words(self, data: Any, path: Path, known: set[str]) -> frozenset[str]:
        found = self.names(data, path)
        for word in found:
            if word not in known and word != ALL:
                self.fault(path, f"`{word}` stands nowhere else in this file{self.near(word, known)}")
        return frozenset(found)

    def names_do_not_clash(self, rules: Sequence[Rule]) -> None:
        owner: dict[str, str] = {}
        for rule in rules:
            for word in (rule.target, *rule.aliases):
                if owner.setdefault(word.casefold(), rule.target) != rule.target:
                    other = owner[word.casefold()]
                    self.fault(("targets", rule.target, "aliases"), f"“{word}” already means {other}.")
