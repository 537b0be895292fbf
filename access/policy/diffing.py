"""Who gains and who loses what between two policies, person by person, and then told by groups of people.

Whatever a judgment can depend on is compared (`access.policy.views`), so nothing changes without a line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from access.duration import in_words
from access.policy.facets import Difference, differences
from access.policy.model import Rule
from access.policy.policy import Policy
from access.policy.views import WHOEVER, Crowd, Sight, alike, some

MOST_LINES = 50
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Change:
    """`what`: `may ask`, `max`, `approvals`, `who decides`, `hours`, `break-glass` … `gains`: None where it is neither.

    `people` and `roles` (`orders-db · read`) are empty where it is about nobody, or nothing, in particular.
    """

    what: str
    people: tuple[str, ...]
    roles: tuple[str, ...]
    sentence: str
    gains: bool | None

    def __str__(self) -> str:
        return f"{'~' if self.gains is None else '+' if self.gains else '-'} {self.sentence}"

    def as_data(self) -> dict[str, object]:
        return {
            "what": self.what, "people": list(self.people), "roles": list(self.roles), "sentence": self.sentence,
            "gains": self.gains,
        }  # fmt: skip


def diff(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Gains first, then losses, then the rest; empty where nothing means anything else than before."""
    found = [*_of_the_file(old, new), *_of_people(old, new), *_of_roles(Sight(old), Sight(new))]
    return tuple(sorted(found, key=lambda change: (change.gains is None, not change.gains)))


def as_lines(changes: tuple[Change, ...], most: int = MOST_LINES) -> tuple[str, ...]:
    """At most so many, and then how many more."""
    lines = tuple(str(change) for change in changes)
    return lines if len(lines) <= most else (*lines[:most], f"and {len(lines) - most} more")


# Roles


def _of_roles(before: Sight, after: Sight) -> Iterator[Change]:
    told: defaultdict[tuple[Difference, Crowd], list[str]] = defaultdict(list)
    shells: dict[str, None] = {}
    moved = _Moved(before, after)
    for target, role in _roles_of(before.policy, after.policy):
        old, new = before.policy.rule(target, role), after.policy.rule(target, role)
        shells.update(dict.fromkeys(_of_its_shell(old, new)) if old and new else {})
        if people := moved.affected((target, role)):
            for difference, crowd in _of_a_role((before, after), (target, role), people).items():
                told[difference, frozenset(crowd)].append(f"{target} · {role}")
    yield from (Change("target", (), (), sentence, gains=None) for sentence in shells)
    for (difference, who), roles in told.items():
        sentence = difference.sentence.format(who=_named(who, after, before), roles=_listed(roles))
        yield Change(difference.what, tuple(sorted(who)), tuple(roles), sentence, difference.gains)


def _roles_of(*policies: Policy) -> Mapping[tuple[str, str], None]:
    return dict.fromkeys((rule.target, rule.role) for policy in policies for rule in policy.rules)


@dataclass(frozen=True)
class _Moved:
    """Whose belonging has changed, by the name of the list."""

    before: Sight
    after: Sight

    @cached_property
    def newcomers(self) -> Crowd:
        """And those who left the file."""
        return self.before.everybody ^ self.after.everybody

    @cached_property
    def by_name(self) -> Mapping[str, Crowd]:
        policies = (self.before.policy, self.after.policy)
        names = {name for each in policies for name in (*each.accounts, *each.groups, *each.looked_up)}
        alone = {name: frozenset({name}) for name in names}
        moved = {name: self.before.crowd(one) ^ self.after.crowd(one) for name, one in alone.items()}
        return {name: crowd for name, crowd in moved.items() if crowd}

    def affected(self, which: tuple[str, str]) -> Crowd:
        """Everybody, where the role is written otherwise; else those who joined or left one of its lists."""
        old, new = self.before.policy, self.after.policy
        parts = {name for rule in new.rules_of(*which) for part in rule.parts for name in part.by}
        if _as_written(old, which) != _as_written(new, which) or not parts.isdisjoint(self.by_name):
            return self.before.everybody | self.after.everybody
        moved = self.after.relevant(*which) & self.by_name.keys()
        return self.newcomers.union(*(self.by_name[name] for name in moved))


def _as_written(policy: Policy, which: tuple[str, str]) -> object:
    return policy.rules_of(*which), policy.denies_of(*which), policy.freezes


def _of_a_role(sights: tuple[Sight, Sight], which: tuple[str, str], people: Crowd) -> Mapping[Difference, set[str]]:
    told: defaultdict[Difference, set[str]] = defaultdict(set)
    for kind in alike(sights, which, people):
        for difference in _of_one(sights, which, next(iter(kind))):
            told[difference] |= kind
    return told


def _of_one(sights: tuple[Sight, Sight], which: tuple[str, str], who: str) -> Iterator[Difference]:
    """Of somebody alone; else what only shows if they are in a group that is kept elsewhere as well."""
    alone = tuple(_compared(sights, which, who))
    yield from alone
    elsewhere: Crowd = sights[0].kept_elsewhere(*which) | sights[1].kept_elsewhere(*which)
    if alone or not elsewhere:
        return
    told = {difference.what for each in elsewhere for difference in _compared(sights, which, each)}
    for also in dict.fromkeys([*(frozenset({each}) for each in sorted(elsewhere)), elsewhere]):
        for difference in _compared(sights, which, who, also):
            if difference.what not in told:
                told.add(difference.what)
                among = " and ".join(sorted(each.removeprefix(WHOEVER) for each in also - {who}))
                yield replace(difference, sentence=difference.sentence.replace("{who}", f"{{who}}, if in {among},"))


def _compared(
    sights: tuple[Sight, Sight], which: tuple[str, str], who: str, also: Crowd = frozenset()
) -> Iterator[Difference]:
    old, new = (sight.view(who, which, also) for sight in sights)
    return differences(old, new)


def _of_its_shell(old: Rule, new: Rule) -> Iterator[str]:
    for what, was, now in (
        (f"{new.what} gives", _gives(old), _gives(new)),
        (f"{new.target}: title", old.title, new.title),
        (f"{new.target}: environment", old.environment, new.environment),
        (f"{new.target}: sensitivity", old.sensitivity, new.sensitivity),
        (f"{new.target}: aliases", ", ".join(old.aliases), ", ".join(new.aliases)),
        (f"{new.target}: owner", ", ".join(sorted(old.owner)), ", ".join(sorted(new.owner))),
    ):
        if was != now:
            yield f"{what} {now or 'none'}, was {was or 'none'}"


def _gives(rule: Rule) -> str:
    return f"{rule.provider} ({', '.join(f'{key}: {value}' for key, value in sorted(rule.uses.items())) or 'nothing'})"


# The rest of the file


def _of_the_file(old: Policy, new: Policy) -> Iterator[Change]:
    for what, was, now in (
        ("A request waits for", old.pending_for, new.pending_for),
        ("Requests of one person that may wait at the same time:", old.most_pending, new.most_pending),
        ("Asks of one person within an hour:", old.most_per_hour, new.most_per_hour),
    ):
        if was != now:
            texts = (in_words(each) if isinstance(each, timedelta) else str(each) for each in (now, was))
            yield Change("limits", (), (), f"{what} {', was '.join(texts)}", gains=now > was)  # type: ignore[operator]
    for what, before, after in (("an admin", old.admins, new.admins), ("an auditor", old.auditors, new.auditors)):
        was_in, is_in = Sight(old).crowd(before), Sight(new).crowd(after)
        if gained := is_in - was_in:
            yield Change(what, tuple(sorted(gained)), (), f"{some(gained)}: now {what}", gains=True)
        if lost := was_in - is_in:
            yield Change(what, tuple(sorted(lost)), (), f"{some(lost)}: no longer {what}", gains=False)


def _of_people(old: Policy, new: Policy) -> Iterator[Change]:
    """A name that stands for other accounts hands over everything that it has."""
    for name in sorted(old.accounts.keys() & new.accounts.keys()):
        for what, was, now in (
            ("Slack", old.accounts[name], new.accounts[name]),
            ("e-mail", old.emails.get(name, ()), new.emails.get(name, ())),
            ("PagerDuty", _one(old.pagerduty.get(name)), _one(new.pagerduty.get(name))),
        ):
            if was != now:
                text = f"{name} is known to {what} as {', '.join(now) or 'nobody'}, was {', '.join(was) or 'nobody'}"
                yield Change("people", (name,), (), text, gains=bool(set(now) - set(was)))
    for word, names, gains in (
        ("new in", new.accounts.keys() - old.accounts.keys(), None),
        ("no longer in", old.accounts.keys() - new.accounts.keys(), None),
    ):
        if names:
            yield Change("people", tuple(sorted(names)), (), f"{some(frozenset(names))}: {word} the file", gains)


def _one(found: str | None) -> tuple[str, ...]:
    return (found,) if found else ()


# Words


def _named(crowd: Crowd, *sights: Sight) -> str:
    """By the group that is exactly these, else by name."""
    if len(crowd) == 1:
        return next(iter(crowd))
    for sight in sights:
        for name in sight.policy.groups:
            if sight.crowd(frozenset({name})) == crowd:
                return f"{name} ({_people(crowd)})"
        if sight.everybody == crowd:
            return f"everybody ({_people(crowd)})"
    ordered = sorted(crowd)
    if len(ordered) <= _MOST_NAMED:
        return f"{', '.join(ordered[:-1])} and {ordered[-1]}"
    return f"{', '.join(ordered[: _MOST_NAMED - 1])} and {len(ordered) - _MOST_NAMED + 1} more"


def _people(crowd: Crowd) -> str:
    return f"{len(crowd)} {'person' if len(crowd) == 1 else 'people'}"


def _listed(roles: list[str]) -> str:
    rest = f" and {len(roles) - _MOST_NAMED} more" if len(roles) > _MOST_NAMED else ""
    return ", ".join(roles[:_MOST_NAMED]) + rest
