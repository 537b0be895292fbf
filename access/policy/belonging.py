"""Who is in which group, worked out once per policy, so that a judgment only compares small sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from access.model import Person
from access.policy.facts import NOTHING_KNOWN, Facts
from access.policy.model import ALL


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether somebody is in a group; `unknown` is a sentence where nobody can say, and then it is not a yes."""

    yes: bool
    unknown: str = ""

    @property
    def maybe(self) -> bool:
        return self.yes or bool(self.unknown)


_YES, _NO = Membership(yes=True), Membership(yes=False)


class Belonging:
    """Names of people and groups as the file has them; whoever it does not name is their Slack id."""

    def __init__(
        self,
        accounts: Mapping[str, tuple[str, ...]],
        groups: Mapping[str, frozenset[str]],
        look_ups: Mapping[str, str],
    ) -> None:
        self._accounts = accounts
        self._owners = {account: name for name, ids in accounts.items() for account in ids}
        self._people = {name: frozenset({name}) for name in accounts}
        self._look_ups = {name: frozenset({found}) for name, found in look_ups.items()}
        for name in groups:
            within = _closure(name, groups)
            self._people[name] = frozenset(within & accounts.keys())
            if found := frozenset(look_ups[n] for n in within if n in look_ups):
                self._look_ups[name] = found
        of: defaultdict[str, set[str]] = defaultdict(set)
        for name, people in self._people.items():
            for person in people:
                of[person].add(name)
        self._of = {person: frozenset(names) for person, names in of.items()}

    @property
    def looked_up(self) -> frozenset[str]:
        """Names of which somebody else has to say who they are, or some of them."""
        return frozenset(self._look_ups)

    def owner(self, account: str) -> str | None:
        """The name of the person behind a Slack id."""
        return self._owners.get(account)

    def names_of_person(self, person: str) -> frozenset[str]:
        """Every name in the file that stands for this person: their own and those of their groups."""
        return self._of.get(person, frozenset())

    def names_of(self, person: Person) -> frozenset[str]:
        """The same, for whoever is known by the account's own name."""
        owner = self._owners.get(person.slack_id)
        return self._of[owner] if owner is not None and owner == person.name else frozenset()

    def is_in(self, person: Person, names: frozenset[str], facts: Facts = NOTHING_KNOWN) -> Membership:
        """Somebody who is known under another name than the account's own is nobody."""
        owner = self._owners.get(person.slack_id)
        if owner is not None and owner != person.name:
            return _NO
        if ALL in names or (owner is not None and not names.isdisjoint(self._of[owner])):
            return _YES
        if not self._look_ups:
            return _NO
        return self._looked_up(self._accounts[owner] if owner else (person.slack_id,), names, facts)

    def _looked_up(self, accounts: tuple[str, ...], names: frozenset[str], facts: Facts) -> Membership:
        answer = _NO
        for name in sorted(names & self._look_ups.keys()):
            for look_up in sorted(self._look_ups[name]):
                found = facts.members_of(look_up)
                if isinstance(found, str):
                    answer = Membership(yes=False, unknown=f"Nobody can tell right now who is in {name}: {found}")
                elif not found.isdisjoint(accounts):
                    return _YES
        return answer

    def look_ups(self, names: frozenset[str]) -> frozenset[str]:
        """What has to be looked up before anybody knows who all of these are."""
        return frozenset[str]().union(*(self._look_ups[name] for name in names & self._look_ups.keys()))

    def people(self, names: frozenset[str]) -> frozenset[str]:
        """The persons of the file that the names stand for, without looking anything up."""
        return frozenset[str]().union(*(self._people[name] for name in names & self._people.keys()))

    def everybody(self, names: frozenset[str], facts: Facts = NOTHING_KNOWN) -> frozenset[str]:
        """And those who were looked up, as far as that is known: by name, or by Slack id where the file has none."""
        found = (facts.members_of(look_up) for look_up in self.look_ups(names))
        looked = {self._owners.get(account, account) for ids in found if not isinstance(ids, str) for account in ids}
        return self.people(names) | looked


def _closure(name: str, groups: Mapping[str, frozenset[str]]) -> set[str]:
    """The group, and everything in it at any depth."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current not in seen:
            seen.add(current)
            todo += groups.get(current, ())
    return seen
