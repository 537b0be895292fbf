"""From the plain data of a policy file to a `Policy`, or to every fault in it with its place.

Unknown keys are faults, with the nearest known one; so is a name that stands for nobody.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from access import policy_names
from access.duration import parse_duration
from access.errors import BadInput
from access.policy import Policy, Rule

_TOP = ("version", "people", "groups", "admins", "auditors", "pending_for", "limits", "targets")
_LIMITS = ("pending", "per_hour")
_TARGET = ("title", "environment", "aliases", "roles")
_ROLE = ("provider", "uses", "who", "approvers", "approvals", "max", "default", "reason", "ticket")
_TICKET = ("required", "pattern")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which path of keys (`("targets", "orders-db", "roles", "read", "max")`)."""

    path: tuple[str | int, ...]
    text: str


class PolicyFaults(ValueError):
    """The file is not a policy; `faults` has everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{'.'.join(map(str, f.path)) or 'file'}: {f.text}" for f in faults))


def read_policy(data: Any, digest: str) -> Policy:
    """A `Policy` out of parsed YAML or JSON; `digest` is the SHA-256 of the text. Raises PolicyFaults."""
    reader = _Reader()
    policy = reader.policy(data, digest)
    if reader.faults or policy is None:
        raise PolicyFaults(reader.faults)
    return policy


class _Reader:
    """Collects faults instead of stopping at the first."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.known: set[str] = set()
        self.people_in: dict[str, frozenset[str]] = {}

    def policy(self, data: Any, digest: str) -> Policy | None:
        top = self.mapping(data, (), _TOP)
        if top.get("version") != 1:
            self.fault(("version",), "This file needs `version: 1`.")
        accounts = {
            name: self.names(ids, ("people", name))
            for name, ids in self.mapping(top.get("people"), ("people",)).items()
        }
        self.one_owner_each(accounts)
        self.known = set(accounts)
        groups = {
            n: self.members(m, ("groups", n)) for n, m in self.mapping(top.get("groups", {}), ("groups",)).items()
        }
        self.told_apart(("people", accounts), ("groups", groups))
        self.known |= set(groups)
        self.people_in = {**{name: frozenset({name}) for name in accounts}, **groups}
        rules = [r for n, t in self.mapping(top.get("targets"), ("targets",)).items() for r in self.target(n, t)]
        self.names_do_not_clash(rules)
        pending = self.duration(top.get("pending_for", "1h"), ("pending_for",))
        admins = self.members(top.get("admins", []), ("admins",))
        auditors = self.members(top.get("auditors", []), ("auditors",))
        most_pending, most_per_hour = self.limits(top.get("limits", {}))
        if self.faults:
            return None
        return Policy(digest, accounts, groups, admins, tuple(rules), pending, most_pending, most_per_hour, auditors)

    def limits(self, data: Any) -> tuple[int, int]:
        given = self.mapping(data, ("limits",), _LIMITS)
        usual = (Policy.most_pending, Policy.most_per_hour)
        pending, per_hour = (
            self.count(given.get(name, usually), ("limits", name)) for name, usually in zip(_LIMITS, usual, strict=True)
        )
        return pending, per_hour

    def target(self, name: str, data: Any) -> list[Rule]:
        path = ("targets", name)
        self.must_be_fit(path, policy_names.in_a_command(name))
        target = self.mapping(data, path, _TARGET)
        shared = {
            "title": str(target.get("title", name)),
            "environment": str(target.get("environment", "")),
            "aliases": self.names(target.get("aliases", []), (*path, "aliases")),
        }
        for index, alias in enumerate(shared["aliases"]):
            self.must_be_fit((*path, "aliases", index), policy_names.in_a_command(alias))
        roles = self.mapping(target.get("roles"), (*path, "roles"))
        return [r for role, d in roles.items() if (r := self.role(name, role, d, shared)) is not None]

    def role(self, target: str, role: str, data: Any, shared: Mapping[str, Any]) -> Rule | None:
        path = ("targets", target, "roles", role)
        before = len(self.faults)
        self.must_be_fit(path, policy_names.as_a_word(role))
        row = self.mapping(data, path, _ROLE)
        ticket = self.mapping(row.get("ticket", {}), (*path, "ticket"), _TICKET)
        maximum = self.duration(row.get("max"), (*path, "max"))
        default = self.duration(row.get("default", row.get("max")), (*path, "default"))
        approvers = self.members(row.get("approvers", []), (*path, "approvers"))
        approvals = self.count(row.get("approvals", 1), (*path, "approvals"))
        deciders = frozenset[str]().union(*(self.people_in.get(name, frozenset()) for name in approvers))
        if len(deciders) < approvals:
            who = f"only {', '.join(sorted(deciders))}" if deciders else "nobody"
            self.fault(
                (*path, "approvers"), f"{approvals} must approve, but there is {who}. Name more people or groups."
            )
        if default > maximum:
            self.fault((*path, "default"), "The default is longer than `max`.")
        pattern = self.pattern(
            ticket.get("pattern", Rule.__dataclass_fields__["ticket_pattern"].default),
            (*path, "ticket", "pattern"),
        )
        rule = Rule(
            target=target,
            role=role,
            provider=self.word(row.get("provider"), (*path, "provider")),
            uses={k: str(v) for k, v in self.mapping(row.get("uses", {}), (*path, "uses")).items()},
            who=self.members(row.get("who", []), (*path, "who")),
            approvers=approvers,
            approvals=approvals,
            maximum=maximum,
            default=default,
            reason_required=self.required(row.get("reason", "required"), (*path, "reason")),
            ticket_required=self.flag(ticket.get("required", True), (*path, "ticket", "required")),
            ticket_pattern=pattern,
            **shared,
        )
        return rule if len(self.faults) == before else None

    # Values

    def fault(self, path: tuple[str | int, ...], text: str) -> None:
        self.faults.append(Fault(path, text))

    def mapping(self, data: Any, path: tuple[str | int, ...], allowed: Sequence[str] = ()) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fault(path, "Missing." if data is None else "This is a list of `name: value` lines.")
            return {}
        for key in data:
            if allowed and key not in allowed:
                near = difflib.get_close_matches(str(key), allowed, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(allowed)}."
                self.fault((*path, str(key)), f"`{key}` is not known; {hint}")
        return {str(key): value for key, value in data.items()}

    def names(self, data: Any, path: tuple[str | int, ...]) -> tuple[str, ...]:
        items = [data] if isinstance(data, str) else data
        if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
            self.fault(path, "This is a name, or a list of names.")
            return ()
        return tuple(items)

    def members(self, data: Any, path: tuple[str | int, ...]) -> frozenset[str]:
        names = self.names(data, path)
        for index, name in enumerate(names):
            if name not in self.known:
                near = difflib.get_close_matches(name, self.known, n=1)
                hint = f"; did you mean `{near[0]}`?" if near else ""
                self.fault((*path, index), f"`{name}` is neither a person nor a group above{hint}")
        return frozenset(names)

    def duration(self, data: Any, path: tuple[str | int, ...]) -> timedelta:
        try:
            return parse_duration(str(data))
        except BadInput:
            self.fault(path, "Missing." if data is None else f"“{data}” is not a duration. Write 30m, 1h or 1h30m.")
            return timedelta()

    def count(self, data: Any, path: tuple[str | int, ...]) -> int:
        if not isinstance(data, int) or isinstance(data, bool) or data < 1:
            self.fault(path, "A whole number, at least 1.")
            return 1
        return data

    def word(self, data: Any, path: tuple[str | int, ...]) -> str:
        if not isinstance(data, str) or not data:
            self.fault(path, "Missing.")
            return ""
        return data

    def flag(self, data: Any, path: tuple[str | int, ...]) -> bool:
        if not isinstance(data, bool):
            self.fault(path, "true or false.")
        return data is True

    def required(self, data: Any, path: tuple[str | int, ...]) -> bool:
        if data not in ("required", "optional"):
            self.fault(path, "`required` or `optional`.")
        return str(data) != "optional"

    def pattern(self, data: Any, path: tuple[str | int, ...]) -> str:
        self.must_be_fit(path, policy_names.of_a_ticket(str(data)))
        return str(data)

    def must_be_fit(self, path: tuple[str | int, ...], wrong: str) -> None:
        if wrong:
            self.fault(path, wrong)

    # Across the file

    def one_owner_each(self, accounts: Mapping[str, tuple[str, ...]]) -> None:
        owners: dict[str, str] = {}
        for name, ids in accounts.items():
            if not ids:
                self.fault(("people", name), "At least one Slack member id.")
            for account in ids:
                self.must_be_fit(("people", name), policy_names.of_an_account(account))
                if owners.setdefault(account, name) != name:
                    self.fault(("people", name), f"{account} is already {owners[account]}: one account, one person.")

    def told_apart(self, *kinds: tuple[str, Mapping[str, object]]) -> None:
        """Persons and groups stand for each other in one list, so a reader must not take one for another."""
        seen: dict[str, str] = {}
        for kind, name in ((kind, name) for kind, names in kinds for name in names):
            self.must_be_fit((kind, name), policy_names.of_people(name))
            if other := seen.get(name.casefold()):
                self.fault((kind, name), f"“{name}” is already {other}; choose another name.")
            seen[name.casefold()] = "a person" if kind == "people" else "a group"

    def names_do_not_clash(self, rules: Sequence[Rule]) -> None:
        owner: dict[str, str] = {}
        for rule in rules:
            for word in (rule.target, *rule.aliases):
                if owner.setdefault(word.casefold(), rule.target) != rule.target:
                    other = owner[word.casefold()]
                    self.fault(("targets", rule.target, "aliases"), f"“{word}” already means {other}.")
