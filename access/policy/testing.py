"""Cases for a policy: who asks for what, and what must come of it. For a repository's own checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from access.model import Person
from access.policy.explaining import Explanation, explain
from access.policy.facts import Facts, Looked
from access.policy.faults import Path, PolicyFaults, Values
from access.policy.judging import Wanted
from access.policy.policy import Policy

_CASE = ("as", "target", "role", "for", "reason", "ticket", "at", "members", "expect", "asks", "because")
_TEAM = "T0"


@dataclass(frozen=True, slots=True)
class Case:
    """What is not said of an ask is taken to be right; without `at` nobody knows the time."""

    who: str
    target: str
    role: str
    allowed: bool
    duration: timedelta | None = None
    reason: str | None = None
    ticket: str | None = None
    at: datetime | None = None
    members: tuple[tuple[str, tuple[str, ...]], ...] = ()
    asks: frozenset[str] | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`wrong` is empty where the case holds, else one sentence per thing that is otherwise."""

    case: Case
    explanation: Explanation
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        case, said = self.case, self.explanation
        head = f"{case.who} · {case.target} · {case.role}: {'allowed' if said.allowed else 'refused'}. {said.why}"
        return f"ok    {head}" if not self.wrong else f"WRONG {head}\n      {' '.join(self.wrong)}"


def read_cases(data: Any) -> tuple[Case, ...]:
    """Out of parsed YAML: a list of cases. Raises PolicyFaults."""
    reader = _Cases()
    cases = tuple(reader.case(item, path) for path, item in reader.items(data, ()))
    if not cases and not reader.faults:
        reader.fault((), "There is no case in it.")
    if reader.faults:
        raise PolicyFaults(reader.faults)
    return cases


def run_case(policy: Policy, case: Case) -> Outcome:
    """Judged as it would be at that time, with those in the groups that the case puts there."""
    wanted = Wanted(person_called(policy, case.who), case.target, case.role, case.duration, case.reason, case.ticket)
    said = explain(policy, wanted, facts_of(policy, case.at, dict(case.members)))
    return Outcome(case, said, tuple(_wrong(case, said)))


def person_called(policy: Policy, name: str) -> Person:
    """The person of the file with this name, else somebody whom it does not name, by their Slack id."""
    account = policy.accounts[name][0] if name in policy.accounts else name
    return policy.person(_TEAM, account, name)


def facts_of(policy: Policy, at: datetime | None, members: dict[str, tuple[str, ...]]) -> Facts:
    """`members`: of groups that are kept elsewhere, by their name in the file, as people of the file or Slack ids."""
    if at is None:
        return Facts()
    looked = {}
    for name, people in members.items():
        accounts = frozenset(account for who in people for account in policy.accounts.get(who, (who,)))
        looked[policy.looked_up.get(name, name)] = Looked(accounts, at)
    return Facts(at, looked)


def _wrong(case: Case, said: Explanation) -> list[str]:
    wrong = []
    if said.allowed is not case.allowed:
        wrong.append(f"Expected to be {'allowed' if case.allowed else 'refused'}.")
    if case.asks is not None and case.asks != frozenset(said.asked):
        asked = ", ".join(said.asked) or "nobody"
        wrong.append(f"Expected to ask {', '.join(sorted(case.asks)) or 'nobody'}; it asks {asked}.")
    if case.because not in said.why:
        wrong.append(f"Expected because: “{case.because}”.")
    return wrong


class _Cases(Values):
    def case(self, data: Any, path: Path) -> Case:
        row = self.mapping(data, path, _CASE)
        expect = self.one_of(("allowed", "refused"), row.get("expect"), (*path, "expect"))
        at = self.moment(row["at"], (*path, "at")) if "at" in row else None
        members = self.mapping(row.get("members", {}), (*path, "members"))
        if members and at is None:
            self.fault((*path, "members"), "Say also `at` when: members are known for a time.")
        return Case(
            who=self.word(row.get("as"), (*path, "as")),
            target=self.word(row.get("target"), (*path, "target")),
            role=self.word(row.get("role"), (*path, "role")),
            allowed=expect == "allowed",
            duration=self.duration(row["for"], (*path, "for")) if "for" in row else None,
            reason=str(row["reason"] or "") if "reason" in row else None,
            ticket=str(row["ticket"] or "") if "ticket" in row else None,
            at=at,
            members=tuple((name, self.names(who, (*path, "members", name))) for name, who in members.items()),
            asks=frozenset(self.names(row["asks"], (*path, "asks"))) if "asks" in row else None,
            because=str(row.get("because", "")),
        )
