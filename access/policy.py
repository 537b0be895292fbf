"""Who may ask for what, and who decides. A judgment is a value with its reason and the rule that spoke.

Empty means nobody: a person in no group may ask for nothing, a rule without approvers is refused at load.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from access.duration import in_words
from access.model import Ask, Person, Request

LONGEST_REASON = 500  # characters
LONGEST_TICKET = 100  # also bounds what a policy's pattern is run on


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, which rule spoke, why in one sentence, and which input field the sentence belongs to."""

    allowed: bool
    rule: str
    why: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One role on one target: who may ask, for how long, and who decides."""

    target: str
    role: str
    title: str
    provider: str
    uses: Mapping[str, str]  # handed to the provider as it stands
    who: frozenset[str]
    approvers: frozenset[str]
    approvals: int
    maximum: timedelta
    default: timedelta
    reason_required: bool = True
    ticket_required: bool = True
    ticket_pattern: str = r"[A-Z][A-Z0-9]+-[0-9]+"
    aliases: tuple[str, ...] = ()
    environment: str = ""

    @property
    def name(self) -> str:
        return f"{self.target}/{self.role}"

    def durations(self) -> tuple[timedelta, ...]:
        """The choices to offer, ending at the maximum."""
        usual = (timedelta(minutes=m) for m in (15, 30, 60, 120, 240, 480, 720, 1440))
        return tuple(sorted({d for d in usual if d < self.maximum} | {self.default, self.maximum}))


@dataclass(frozen=True)
class Policy:
    """A whole policy file. `hash` is the SHA-256 of its text and stands in every decision."""

    hash: str
    accounts: Mapping[str, tuple[str, ...]]  # person's name -> Slack ids, the first is the person's own
    groups: Mapping[str, frozenset[str]]
    admins: frozenset[str]
    rules: tuple[Rule, ...]
    pending_for: timedelta = timedelta(hours=1)
    most_pending: int = 5  # requests of one person that wait at the same time
    most_per_hour: int = 20  # asks of one person, refused ones too
    auditors: frozenset[str] = frozenset()
    text: str = field(default="", repr=False)  # the file, as it was hashed
    _by_account: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        owners = {account: name for name, accounts in self.accounts.items() for account in accounts}
        object.__setattr__(self, "_by_account", owners)

    # People

    def person(self, team: str, account: str, handle: str) -> Person:
        """The human behind a Slack account; one the file does not name belongs to no group."""
        name = self._by_account.get(account)
        if name is None:
            return Person(f"{team}/{account}", handle, account)
        return Person(f"{team}/{self.accounts[name][0]}", name, account)

    def same_person(self, one: Person, other: Person) -> bool:
        """Whether both are one human today, whatever workspace they came through and whatever was known before."""
        owner = self._by_account.get(one.slack_id)
        return one.id == other.id or (owner is not None and owner == self._by_account.get(other.slack_id))

    def accounts_of(self, names: frozenset[str]) -> tuple[str, ...]:
        """The first Slack id of each person that the names and groups stand for, by name."""
        return tuple(self.accounts[name][0] for name in sorted(self._members(names)))

    def names_of(self, names: frozenset[str]) -> tuple[str, ...]:
        """The persons that the names and groups stand for."""
        return tuple(sorted(self._members(names)))

    def is_admin(self, person: Person) -> bool:
        return self._is_in(person, self.admins)

    def is_auditor(self, person: Person) -> bool:
        """May look into the audit log, of everybody."""
        return self._is_in(person, self.auditors)

    # What there is

    def rule(self, target: str, role: str) -> Rule | None:
        """The rule for exactly this target and role."""
        return next((r for r in self.rules if r.target == target and r.role == role), None)

    def offers(self, person: Person) -> tuple[Rule, ...]:
        """What this person may ask for, in the file's order."""
        return tuple(r for r in self.rules if self._is_in(person, r.who))

    def target_named(self, word: str, person: Person) -> str | None:
        """The target that a typed word means for this person: name, alias, or the only one that starts so."""
        wanted, offers = word.lower(), self.offers(person)
        for rule in offers:
            if wanted in (rule.target.lower(), *(alias.lower() for alias in rule.aliases)):
                return rule.target
        starts = {r.target for r in offers if r.target.lower().startswith(wanted)}
        return starts.pop() if len(starts) == 1 else None

    def nearest(self, word: str, person: Person) -> str | None:
        """The target that a misspelt word most likely means, for a “did you mean”."""
        known = {name.lower(): r.target for r in self.offers(person) for name in (r.target, *r.aliases)}
        close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
        return known[close[0]] if close else None

    # Judgments

    def judge_ask(self, ask: Ask) -> Verdict:
        """May this be asked for?"""
        rule = self.rule(ask.target, ask.role)
        if rule is None or not self._is_in(ask.by, rule.who):
            # The same sentence for both: who may not ask need not learn what exists.
            return Verdict(allowed=False, rule="", why=f"You cannot ask for {ask.target} · {ask.role}.", field="target")
        return _judge_terms(rule, ask)

    def judge_decision(self, request: Request, by: Person) -> Verdict:
        """May this person approve or deny this request, now?"""
        rule = self.rule(request.target, request.role)
        if rule is None:
            return Verdict(allowed=False, rule="", why=f"The policy no longer knows {request.target} · {request.role}.")
        if self.same_person(by, request.requester):
            return Verdict(allowed=False, rule=rule.name, why="Nobody approves their own request.")
        if not self._is_in(by, rule.approvers):
            who = ", ".join(self.deciders(rule, request.requester)) or "nobody at the moment"
            return Verdict(allowed=False, rule=rule.name, why=f"This is decided by {who}.")
        return Verdict(allowed=True, rule=rule.name, why=f"{by.name} is among the approvers of {rule.name}.")

    def deciders(self, rule: Rule, requester: Person) -> tuple[str, ...]:
        """The names of those who may decide, without the requester."""
        return tuple(n for n in self.names_of(rule.approvers) if n != self._by_account.get(requester.slack_id))

    def _is_in(self, person: Person, names: frozenset[str]) -> bool:
        return self._by_account.get(person.slack_id) == person.name and person.name in self._members(names)

    def _members(self, names: frozenset[str]) -> frozenset[str]:
        people = {name for name in names if name in self.accounts}
        return frozenset(people.union(*(self.groups[name] for name in names if name in self.groups)))


def _judge_terms(rule: Rule, ask: Ask) -> Verdict:
    what, ticket = f"{rule.target} · {rule.role}", ask.ticket
    terms = (
        (ask.duration > rule.maximum, "duration", f"At most {in_words(rule.maximum)} for {what}."),
        (ask.duration < timedelta(seconds=1), "duration", "Ask for at least a second."),
        (
            rule.reason_required and not ask.reason.strip(),
            "reason",
            "Say why you need it: one sentence that a colleague understands.",
        ),
        (
            len(ask.reason) > LONGEST_REASON,
            "reason",
            f"Keep the reason under {LONGEST_REASON} characters; the ticket holds the rest.",
        ),
        (rule.ticket_required and not ticket, "ticket", "This target needs a ticket."),
        (
            ticket and not (len(ticket) <= LONGEST_TICKET and re.fullmatch(rule.ticket_pattern, ticket)),
            "ticket",
            f"“{ticket[:40]}” does not look like a ticket. One looks like OPS-123.",
        ),
    )
    for broken, which, why in terms:
        if broken:
            return Verdict(allowed=False, rule=rule.name, why=why, field=which)
    return Verdict(allowed=True, rule=rule.name, why=f"{rule.name} lets {ask.by.name} ask.")
