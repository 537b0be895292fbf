"""A whole policy: what there is, who is who, and the judgments. Empty means nobody."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from access.model import Ask, Grant, Person, Request, Vote
from access.policy import deciding, judging, standing
from access.policy.belonging import Belonging
from access.policy.facts import NOTHING_KNOWN, Facts
from access.policy.model import ALL, Deny, Freeze, Rule, Verdict
from access.policy.secrets import Secret

MOST_CALLED = 500  # people


@dataclass(frozen=True)
class Policy:
    """A whole policy file. `hash` is the SHA-256 of its text and stands in every decision.

    Judgments take the `Facts` of the moment. Without them, nothing that depends on the time or on a group that is
    kept elsewhere is given.
    """

    hash: str
    accounts: Mapping[str, tuple[str, ...]]  # person's name -> Slack ids, the first is the person's own
    groups: Mapping[str, frozenset[str]]  # names of people and of groups
    admins: frozenset[str]
    rules: tuple[Rule, ...]
    pending_for: timedelta = timedelta(hours=1)
    most_pending: int = 5  # requests of one person that wait at the same time
    most_per_hour: int = 20  # asks of one person, refused ones too
    auditors: frozenset[str] = frozenset()
    text: str = field(default="", repr=False)  # the file, as it was hashed
    emails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # person's name -> lower-case addresses
    pagerduty: Mapping[str, str] = field(default_factory=dict)  # person's name -> PagerDuty's user id
    looked_up: Mapping[str, str] = field(default_factory=dict)  # group or `on_call.NAME` -> `slack:S0…`, `pagerduty:P…`
    freezes: tuple[Freeze, ...] = ()
    denies: tuple[Deny, ...] = ()
    secrets: tuple[Secret, ...] = ()  # what is taken out of recordings, besides what is known anyway
    belonging: Belonging = field(init=False, repr=False, compare=False)
    _roles: Mapping[tuple[str, str], tuple[Rule, ...]] = field(init=False, repr=False, compare=False)
    _denies: Mapping[str, tuple[Deny, ...]] = field(init=False, repr=False, compare=False)
    _offered: Mapping[str, Sequence[int]] = field(init=False, repr=False, compare=False)  # name -> places of rules
    _role_numbers: Sequence[int] = field(init=False, repr=False, compare=False)  # of each rule, its role
    _named: Mapping[str, Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        roles: defaultdict[tuple[str, str], list[Rule]] = defaultdict(list)
        for rule in self.rules:
            roles[rule.target, rule.role].append(rule)
        denies: defaultdict[str, list[Deny]] = defaultdict(list)
        for deny in self.denies:
            for target in {ALL} if ALL in deny.targets else deny.targets:
                denies[target].append(deny)
        offered: defaultdict[str, list[int]] = defaultdict(list)
        for place, rule in enumerate(self.rules):
            for name in rule.who:
                offered[name].append(place)
        numbers = {key: number for number, key in enumerate(roles)}
        worked_out = {
            "belonging": Belonging(self.accounts, self.groups, self.looked_up),
            "_roles": {key: tuple(rules) for key, rules in roles.items()},
            "_denies": {target: tuple(found) for target, found in denies.items()},
            "_offered": dict(offered),
            "_role_numbers": tuple(numbers[rule.target, rule.role] for rule in self.rules),
            "_named": {rule.name: rule for rule in self.rules},
        }
        for name, value in worked_out.items():
            object.__setattr__(self, name, value)

    # People

    def person(self, team: str, account: str, handle: str) -> Person:
        """The human behind a Slack account; one the file does not name belongs to no group of the file."""
        name = self.belonging.owner(account)
        if name is None:
            return Person(f"{team}/{account}", handle, account)
        return Person(f"{team}/{self.accounts[name][0]}", name, account)

    def today(self, person: Person) -> Person:
        """The person that this policy sees behind an account; where it is somebody else's now, who they were."""
        today = self.person(person.id.partition("/")[0], person.slack_id, person.name)
        return today if today.id == person.id else person

    def ids_of(self, person: Person) -> frozenset[str]:
        """Every id that this human may have had by an earlier policy: one for each account."""
        team, owner = person.id.partition("/")[0], self.belonging.owner(person.slack_id)
        accounts = self.accounts[owner] if owner is not None else ()
        return frozenset({person.id, *(f"{team}/{account}" for account in accounts)})

    def same_person(self, one: Person, other: Person) -> bool:
        """Whether both are one human today, whatever workspace they came through and whatever was known before."""
        owner = self.belonging.owner(one.slack_id)
        return one.id == other.id or (owner is not None and owner == self.belonging.owner(other.slack_id))

    def whose(self, pagerduty: str, email: str) -> str | None:
        """The first Slack id of the person with this PagerDuty user id, or else with this address in lower case."""
        by_id = [name for name, user in self.pagerduty.items() if user == pagerduty]
        by_email = [name for name, emails in self.emails.items() if email and email in emails]
        return next((self.accounts[name][0] for name in (*by_id, *by_email)), None)

    def accounts_of(self, names: frozenset[str]) -> tuple[str, ...]:
        """Whom to call: the first Slack id of each person that the names and groups stand for, by name; other Slack ids
        stay. `MOST_CALLED` at most, for what an audit entry holds is bounded.
        """
        known = self.belonging.people(names)
        others = {name for name in names if name not in known and name not in self.groups}
        called = sorted(known | others)[:MOST_CALLED]
        return tuple(self.accounts[name][0] if name in known else name for name in called)

    def names_of(self, names: frozenset[str], facts: Facts = NOTHING_KNOWN) -> tuple[str, ...]:
        """The persons that the names and groups stand for, as far as that is known."""
        return tuple(sorted(self.belonging.everybody(names, facts)))

    def is_admin(self, person: Person) -> bool:
        return self.belonging.is_in(person, self.admins).yes

    def is_auditor(self, person: Person) -> bool:
        """May look into the audit log, of everybody."""
        return self.belonging.is_in(person, self.auditors).yes

    # What there is

    def rule(self, target: str, role: str) -> Rule | None:
        """The first rule for exactly this target and role: what does not differ between them can be read off it."""
        return next(iter(self.rules_of(target, role)), None)

    def rules_of(self, target: str, role: str) -> tuple[Rule, ...]:
        """In the file's order."""
        return self._roles.get((target, role), ())

    def rule_named(self, name: str) -> Rule | None:
        """The rule that a verdict or an audit entry names."""
        return self._named.get(name)

    def rule_for(self, request: Request, facts: Facts = NOTHING_KNOWN) -> Rule | None:
        """The rule that decides a request now: the one that would let it be asked for; else that of its asking."""
        return deciding.rule_for(self, request, facts)

    def keeps_raw(self, target: str, role: str) -> bool:
        """Whether recordings of it keep the secrets that are in what is said."""
        rules = self.rules_of(target, role)
        return bool(rules) and all(rule.raw for rule in rules)

    def denies_of(self, target: str, role: str) -> Sequence[Deny]:
        found = (*self._denies.get(ALL, ()), *self._denies.get(target, ()))
        return [deny for deny in found if deny.covers(target, role)]

    def look_ups(self, target: str = "", role: str = "") -> frozenset[str]:
        """What has to be looked up to judge a role, or all: `slack:GROUP`, `pagerduty:SCHEDULE`."""
        if not target:
            return frozenset(self.looked_up.values())
        rules, named = self.rules_of(target, role), [deny.who for deny in self.denies_of(target, role)]
        named += [freeze.exempt for freeze in self.freezes if freeze.covers(target)]
        named += [part.by for rule in rules for part in rule.parts] + [rule.who for rule in rules]
        named += [rule.break_glass.who for rule in rules if rule.break_glass]
        return self.belonging.look_ups(frozenset[str]().union(*named))

    def offers(self, person: Person, facts: Facts = NOTHING_KNOWN) -> tuple[Rule, ...]:
        """What this person may ask for, in the file's order: of each role the first rule that is theirs."""
        belonging, offered = self.belonging, self._offered
        sure = {place for name in belonging.names_of(person) if name in offered for place in offered[name]}
        asked = {place for name in belonging.looked_up if name in offered for place in offered[name]} - sure
        sure |= {place for place in asked if belonging.is_in(person, self.rules[place].who, facts).yes}
        found: dict[int, Rule] = {}  # by number: a pair for each would have the collector walk the whole policy
        for place in sorted(sure):
            found.setdefault(self._role_numbers[place], self.rules[place])
        return tuple(found.values())

    def target_named(self, word: str, person: Person, facts: Facts = NOTHING_KNOWN) -> str | None:
        """The target that a typed word means for this person: name, alias, or the only one that starts so."""
        wanted, offers = word.lower(), self.offers(person, facts)
        for rule in offers:
            if wanted in (rule.target.lower(), *(alias.lower() for alias in rule.aliases)):
                return rule.target
        starts = {r.target for r in offers if r.target.lower().startswith(wanted)}
        return starts.pop() if len(starts) == 1 else None

    def nearest(self, word: str, person: Person, facts: Facts = NOTHING_KNOWN) -> str | None:
        """The target that a misspelt word most likely means, for a “did you mean”."""
        known = {name.lower(): r.target for r in self.offers(person, facts) for name in (r.target, *r.aliases)}
        close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
        return known[close[0]] if close else None

    # Judgments

    def judge_ask(self, ask: Ask, facts: Facts = NOTHING_KNOWN) -> Verdict:
        """May this be asked for?"""
        return judging.look(self, ask, facts).verdict

    def judge_break_glass(self, ask: Ask, facts: Facts = NOTHING_KNOWN) -> Verdict:
        """May this be had without approval? Hours and freezes do not hold it up."""
        return judging.judge_break_glass(self, ask, facts)

    def glass_offers(self, person: Person, facts: Facts = NOTHING_KNOWN) -> tuple[Rule, ...]:
        """What this person may have without approval by break-glass, in the file's order."""
        return judging.glass_offers(self, person, facts)

    def judge_grant(self, grant: Grant, person: Person, facts: Facts = NOTHING_KNOWN) -> Verdict:
        """May this person still have what was granted? A shorter maximum, hours and freezes end nothing."""
        return judging.judge_grant(self, grant, person, facts)

    def judge_decision(self, request: Request, by: Person, facts: Facts = NOTHING_KNOWN) -> Verdict:
        """May this person approve or deny this request, now?"""
        return deciding.judge_decision(self, request, by, facts)

    def standing(self, request: Request, votes: Sequence[Vote], facts: Facts = NOTHING_KNOWN) -> standing.Standing:
        """How far the approval is, counted anew from votes whose voters may still act at all."""
        return standing.standing(self, request, votes, facts)

    def deciders(self, rule: Rule, requester: Person, facts: Facts = NOTHING_KNOWN) -> tuple[str, ...]:
        """The names of those who may decide, at once or later, without the requester unless a rule says so."""
        return deciding.deciders(self, rule, requester, facts)
