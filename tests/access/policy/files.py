"""A policy that uses all of the language, for the tests of this directory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from access.model import Ask, Person, Request, RequestState, Vote
from access.policy import Facts, Looked, NotLooked, Policy
from prodaccess.policies.file import parse_policy

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # a Monday, noon in Berlin
NIGHT = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
FROZEN = datetime(2026, 12, 24, 11, 0, tzinfo=UTC)
OWNERS, ROTA = "slack:S0OWNERS", "pagerduty:PI7DH85"

TEXT = """
version: 1
people:
  ada: U0ADA
  grace: {slack: [U0GRACE, U0GRACE2], email: [Grace@example.com], pagerduty: PGRACE}
  linus: U0LINUS
  margaret: U0MARGARET
  katherine: U0KATHERINE
groups:
  team: [ada, grace]
  engineers: [team, linus]
  owners: {slack: S0OWNERS}
  security: [margaret, katherine]
on_call:
  orders: {pagerduty: PI7DH85}
hours:
  work: {days: [mon-fri], from: "08:00", to: "18:00", zone: Europe/Berlin}
  nights: {days: [mon-sun], from: "18:00", to: "08:00", zone: Europe/Berlin}
freezes:
  - {name: holidays, from: "2026-12-23T18:00:00+01:00", to: "2027-01-02T08:00:00+01:00", targets: [orders-db],
     except: [security], why: Nobody is here to mend it.}
deny:
  - {who: [katherine], targets: all, why: She is on leave.}
  - {who: [ada], targets: [payroll], roles: [read], even_break_glass: no, why: Ada asked for it.}
targets:
  orders-db:
    sensitivity: high
    owner: [team]
    ticket: {system: jira, projects: [OPS]}
    roles:
      read:
        provider: memory
        rules:
          - {who: [on_call.orders], max: 2h, approve: nobody, ticket: {required: no}}
          - {who: [engineers], hours: work, max: 4h, default: 1h, total: 8h, approve: {by: owner}}
          - {who: [engineers], max: 1h, approve: {by: [owner, security], count: 2}}
        break_glass: {who: [engineers], max: 15m}
      write:
        provider: memory
        who: [engineers]
        max: 1h
        clock: first_use
        use_within: 30m
        approve:
          stages:
            - {by: owner}
            - {by: on_call.orders, after: 10m}
            - {by: security}
  payroll:
    roles:
      read:
        provider: memory
        who: [engineers, owners]
        max: 1h
        approve: {any: [{by: [linus], own_request: yes}, {by: team, count: 2}]}
        break_glass: {who: [ada, grace], max: 10m, reason: optional}
"""


def policy(text: str = TEXT) -> Policy:
    return parse_policy(text, "policy.yml")


def facts(now: datetime = NOON, owners: object = (), rota: object = ()) -> Facts:
    """Slack ids of those in the group and on call; a sentence where nobody can tell."""
    members = {
        name: NotLooked(who, now) if isinstance(who, str) else Looked(frozenset(who), now)  # type: ignore[call-overload]
        for name, who in ((OWNERS, owners), (ROTA, rota))
    }
    return Facts(now, members)


def person(name: str, of: Policy | None = None) -> Person:
    return (of or policy()).person("T0ACME", f"U0{name.upper()}", name)


def ask(name: str, target: str = "orders-db", role: str = "read", **changes: object) -> Ask:
    given = {"duration": timedelta(hours=1), "reason": "refunds", "ticket": "OPS-1", "key": "k", **changes}
    return Ask(person(name), target, role, **given)  # type: ignore[arg-type]


def request(name: str, target: str = "orders-db", role: str = "read", **changes: object) -> Request:
    asked, needed = ask(name, target, role), policy().rule(target, role)
    given = {"created_at": NOON, "rule": f"{target}/{role}", "approvals_needed": needed.approvals if needed else 1,
             **changes}  # fmt: skip
    return Request(
        id="r1", number=1, key="k", requester=asked.by, target=target, role=role, duration=asked.duration,
        reason=asked.reason, ticket=asked.ticket, state=RequestState.PENDING, lapses_at=NOON, due_at=NOON,
        policy_hash="p", **given,  # type: ignore[arg-type]
    )  # fmt: skip


def votes(*names: str, at: datetime = NOON) -> list[Vote]:
    return [Vote("r1", person(name), at, "") for name in names]
