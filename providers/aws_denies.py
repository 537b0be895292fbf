"""The inline policy `prodaccess-revoke` of a role: which grants' sessions are denied, and until when. Pure.

All that has to be remembered is in the document itself: a statement's id says when its sessions have ended by
themselves, and so when it may go. Statements that are not ours are kept as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

POLICY_NAME = "prodaccess-revoke"
BUDGET = 10_240  # characters: of all inline policies of a role together
KEPT = timedelta(minutes=15)  # after the last session's end, for clocks and for AWS's own delay
LONGEST_SESSION = timedelta(hours=12)
SKEW = timedelta(seconds=5)  # between AWS's clock, which dates a session, and ours

_STEP = timedelta(minutes=15)  # grants that end about together share a statement
_STAMP = "%Y%m%dT%H%MZ"
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Denies:
    """`grants`: label (`pa-7`) to the end of its last session. `everyone`: sessions issued before, and until when."""

    grants: Mapping[str, datetime] = field(default_factory=dict)
    everyone: tuple[datetime, datetime] | None = None
    others: tuple[Mapping[str, Any], ...] = ()

    def covers(self, label: str, now: datetime) -> bool:
        """Whether all sessions that this grant may have by now are denied."""
        return label in self.grants or (self.everyone is not None and now < self.everyone[0])

    def with_grant(self, label: str, until: datetime) -> Denies:
        """Deny this grant's sessions too."""
        return replace(self, grants={**self.grants, label: until})

    def with_everyone(self, now: datetime) -> Denies:
        """Deny every session issued until now, whoever has it: all named grants are among them."""
        before = now.replace(microsecond=0) + SKEW
        return replace(self, grants={}, everyone=(before, now + LONGEST_SESSION))

    def joined(self, other: Denies) -> Denies:
        """What either of them denies."""
        everyone = max((e for e in (self.everyone, other.everyone) if e), default=None)
        return replace(self, grants={**other.grants, **self.grants}, everyone=everyone)

    def needed(self, now: datetime) -> Denies:
        """Without what denies only sessions that have ended by themselves."""
        grants = {label: until for label, until in self.grants.items() if now < until + KEPT}
        return replace(
            self, grants=grants, everyone=self.everyone if self.everyone and now < self.everyone[1] else None
        )

    def document(self) -> str:
        """The policy document without white space; empty when nothing is denied."""
        by_end: dict[datetime, list[str]] = {}
        for label, until in sorted(self.grants.items()):
            by_end.setdefault(_round_up(until), []).append(f"*:{label}-*")
        statements = [
            _statement(f"GrantsUntil{end:{_STAMP}}", "StringLike", "aws:userid", users)
            for end, users in sorted(by_end.items())
        ]
        if self.everyone:
            before, until = self.everyone
            sid = f"EveryoneUntil{_round_up(until):{_STAMP}}"
            statements.append(_statement(sid, "DateLessThan", "aws:TokenIssueTime", f"{before:{_MOMENT}}"))
        statements += [dict(statement) for statement in self.others]
        if not statements:
            return ""
        return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def read_denies(document: Mapping[str, Any]) -> Denies:
    """From a policy document, as IAM gives it back; empty for none."""
    statements = document.get("Statement", [])
    read = Denies()
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        try:
            read = read.joined(_read_statement(statement))
        except (KeyError, TypeError, ValueError, AttributeError):
            read = replace(read, others=(*read.others, statement))
    return read


def _read_statement(statement: Mapping[str, Any]) -> Denies:
    """Raises KeyError, TypeError, ValueError or AttributeError for what we did not write."""
    what, _, stamp = statement["Sid"].partition("Until")
    until, condition = _moment(stamp, _STAMP), statement["Condition"]
    if what == "Everyone":
        return Denies(everyone=(_moment(condition["DateLessThan"]["aws:TokenIssueTime"], _MOMENT), until))
    if what != "Grants":
        raise ValueError(what)
    users = condition["StringLike"]["aws:userid"]
    return Denies({user.removeprefix("*:").removesuffix("-*"): until for user in _listed(users)})


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _moment(text: str, form: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def _statement(sid: str, operator: str, key: str, value: str | list[str]) -> dict[str, Any]:
    condition = {operator: {key: value}}
    return {"Sid": sid, "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}


def _round_up(moment: datetime) -> datetime:
    return moment + (datetime.min.replace(tzinfo=UTC) - moment) % _STEP
