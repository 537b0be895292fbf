"""People, groups and rotas of a policy file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

from access.policy import names
from access.policy.faults import Path, Values
from access.policy.shapes import keys

_SLACK_GROUP = re.compile(r"S[A-Z0-9]{2,20}")
_SCHEDULE = re.compile(r"[A-Z0-9]{1,32}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


class PeopleReader(Values):
    """Who is who; afterwards `members` knows every name that stands for people."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, tuple[str, ...]] = {}
        self.emails: dict[str, tuple[str, ...]] = {}
        self.pagerduty: dict[str, str] = {}
        self.groups: dict[str, frozenset[str]] = {}
        self.looked_up: dict[str, str] = {}
        self._known: frozenset[str] = frozenset()
        self._people: dict[str, frozenset[str]] = {}

    def read_people(self, top: Mapping[str, Any]) -> None:
        people = self.mapping(top.get("people"), ("people",))
        groups = self.mapping(top.get("groups", {}), ("groups",))
        on_call = self.mapping(top.get("on_call", {}), ("on_call",))
        for name, data in people.items():
            self.person(name, data)
        self.one_owner_each()
        for name, data in on_call.items():
            self.rota(name, data)
        self.groups = dict.fromkeys(groups, frozenset())
        self.told_apart(("people", people), ("groups", groups))
        self._known = frozenset({*people, *groups, *(f"on_call.{name}" for name in on_call)})
        for name, data in groups.items():
            self.group(name, data)
        self.no_circles()

    def person(self, name: str, data: Any) -> None:
        path: Path = ("people", name)
        if not isinstance(data, Mapping):
            self.accounts[name] = self.names(data, path)
            return
        row = self.mapping(data, path, keys("person"))
        self.accounts[name] = self.names(row.get("slack"), (*path, "slack"))
        if emails := tuple(email.lower() for email in self.names(row.get("email", []), (*path, "email"))):
            self.emails[name] = emails
        for email in emails:
            if not _EMAIL.fullmatch(email):
                self.fault((*path, "email"), f"“{email}” is not an address.")
        if "pagerduty" in row:
            self.pagerduty[name] = self.word(row["pagerduty"], (*path, "pagerduty"))

    def group(self, name: str, data: Any) -> None:
        path: Path = ("groups", name)
        if not isinstance(data, Mapping):
            self.groups[name] = self.members(data, path)
            return
        found = self.word(self.mapping(data, path, keys("group")).get("slack"), (*path, "slack"))
        if found and not _SLACK_GROUP.fullmatch(found):
            self.fault((*path, "slack"), f"“{found}” is not the id of a Slack user group. They look like S012AB3CD.")
        self.looked_up[name] = f"slack:{found}"

    def rota(self, name: str, data: Any) -> None:
        path: Path = ("on_call", name)
        self.must_be_fit(path, names.as_a_word(name))
        found = self.word(self.mapping(data, path, keys("on_call")).get("pagerduty"), (*path, "pagerduty"))
        if found and not _SCHEDULE.fullmatch(found):
            self.fault(
                (*path, "pagerduty"), f"“{found}” is not the id of a PagerDuty schedule. They look like PI7DH85."
            )
        self.looked_up[f"on_call.{name}"] = f"pagerduty:{found}"

    def members(self, data: Any, path: Path, also: tuple[str, ...] = ()) -> frozenset[str]:
        """Names that stand for people; each must be known."""
        found = self.names(data, path)
        for index, name in enumerate(found):
            if name not in self._known and name not in also:
                at = (*path, index) if isinstance(data, list) else path
                self.fault(
                    at, f"`{name}` is neither a person nor a group above{self.near(name, {*self._known, *also})}"
                )
        return frozenset(found)

    def near(self, word: str, known: Collection[str]) -> str:
        close = difflib.get_close_matches(word, known, n=1)
        return f"; did you mean `{close[0]}`?" if close else "."

    def people_in(self, name: str) -> frozenset[str]:
        """The persons of the file that a name stands for."""
        if name not in self._people:
            self._people[name] = frozenset(self._within(name) & self.accounts.keys())
        return self._people[name]

    def look_ups_in(self, name: str) -> frozenset[str]:
        return frozenset(self._within(name) & self.looked_up.keys())

    def _within(self, name: str) -> set[str]:
        seen: set[str] = set()
        todo = [name]
        while todo:
            current = todo.pop()
            if current not in seen:
                seen.add(current)
                todo += self.groups.get(current, ())
        return seen

    # Across the file

    def one_owner_each(self) -> None:
        owners: dict[str, str] = {}
        for name, ids in self.accounts.items():
            if not ids:
                self.fault(("people", name), "At least one Slack member id.")
            for account in ids:
                self.must_be_fit(("people", name), names.of_an_account(account))
                self._one_owner(owners, account, name)
        for name, ids in (
            (n, (*self.emails.get(n, ()), *filter(None, [self.pagerduty.get(n)]))) for n in self.accounts
        ):
            for found in ids:
                self._one_owner(owners, found, name)

    def _one_owner(self, owners: dict[str, str], found: str, name: str) -> None:
        if owners.setdefault(found, name) != name:
            self.fault(("people", name), f"{found} is already {owners[found]}: one account, one person.")

    def told_apart(self, *kinds: tuple[str, Mapping[str, object]]) -> None:
        """Persons and groups stand for each other in one list, so a reader must not take one for another."""
        seen: dict[str, str] = {}
        for kind, name in ((kind, name) for kind, found in kinds for name in found):
            self.must_be_fit((kind, name), names.of_people(name))
            if other := seen.get(name.casefold()):
                self.fault((kind, name), f"“{name}” is already {other}; choose another name.")
            seen[name.casefold()] = "a person" if kind == "people" else "a group"

    def no_circles(self) -> None:
        for name, within in self.groups.items():
            if any(name in self._within(other) for other in within):
                self.fault(("groups", name), f"`{name}` contains itself, through {', '.join(sorted(within))}.")
