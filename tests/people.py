"""The small world most tests live in: a policy, its people, and a clock that only moves when told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from access.errors import Refused, Unavailable
from access.model import Ask, Person
from access.policy import Policy
from audit.log import ORIGIN, Ledger
from audit.payloads import KEY, PayloadKey
from prodaccess.policies.file import parse_policy

TEAM = "T0ACME"
LEDGER = Ledger(ORIGIN, PayloadKey(bytes(range(KEY))))
POLICY = """
version: 1
people: {ada: [U0ADA, U0ADA2], grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
groups: {engineers: [ada, grace, linus], orders-owners: [ada, grace]}
admins: [margaret]
auditors: [margaret]
targets:
  orders-db:
    aliases: [orders]
    roles:
      read:
        {provider: memory, uses: {}, who: [engineers], approvers: [orders-owners], max: 4h, default: 1h}
      write:
        provider: memory
        who: [engineers]
        approvers: [orders-owners, margaret]
        approvals: 2
        max: 1h
        ticket: {required: false}
"""


def person(account: str, policy: Policy | None = None) -> Person:
    return (policy or parse_policy(POLICY)).person(TEAM, account, account.lower())


ADA, GRACE, LINUS, MARGARET = (person(a) for a in ("U0ADA", "U0GRACE", "U0LINUS", "U0MARGARET"))
STRANGER = person("U0NOBODY")


def ask(by: Person = LINUS, **changes: object) -> Ask:
    fields: dict[str, object] = {
        "target": "orders-db", "role": "read", "duration": timedelta(hours=1), "reason": "refunds stuck",
        "ticket": "OPS-412", "key": f"key-{id(changes)}-{datetime.now(UTC).timestamp()}",
    }  # fmt: skip
    return Ask(by=by, **{**fields, **changes})  # type: ignore[arg-type]


class ManualClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_by(self, **duration: float) -> None:
        self.time += timedelta(**duration)


class Directory:
    """`access.ports.People` whose people can leave, or be unknown for a while."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.silent: set[str] = set()

    async def check(self, person: Person) -> Person:
        if person.id in self.silent:
            raise Unavailable(f"Slack does not say who {person.name} is.")
        if person.id in self.gone:
            raise Refused(f"{person.name} is deactivated in Slack.")
        return person
