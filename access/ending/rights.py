"""Looking, every few minutes, whether those who have access may still have it: events that say so get lost."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from access.ending.endings import Endings
from access.errors import AccessError, Refused
from access.evidence.ticketing import is_asked, rule_of
from access.granting.custody import Custody
from access.lifecycle import GRANT_TERMINAL
from access.model import Cause, Grant, GrantState, Person, Request

log = logging.getLogger(__name__)

BATCH = 500  # grants read at a time: what is open may be much, and others read too
AT_ONCE = 4  # questions to Slack, which counts them; and to the ticket systems, which do too


@dataclass
class _Look:
    """One round: how many may be asked at a time, and who everybody is today, as far as they were asked about."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    today: dict[Person, Person | AccessError] = field(default_factory=dict)


@dataclass(frozen=True)
class Rights:
    """The same questions as at every collection, asked of what is already open. A silence ends nothing."""

    custody: Custody
    endings: Endings
    batch: int = BATCH

    async def check_all(self) -> None:
        """End what its requester may no longer have, and what its ticket was to last for."""
        look = _Look()
        async for grants in self._open_grants():
            await self._check_people(grants, look)
            await self._check_tickets(grants, look)

    async def check_group(self, look_up: str) -> None:
        """The same of the people, where it rests on a group that is said to have changed: `slack:S0OWNERS`."""
        policy, look = self.custody.policies.current(), _Look()
        async for grants in self._open_grants():
            touched = [grant for grant in grants if look_up in policy.look_ups(grant.target, grant.role)]
            await self._check_people(touched, look)

    async def _open_grants(self) -> AsyncIterator[Sequence[Grant]]:
        """Batch by batch, as they stand when it is their turn."""
        numbers = await self.custody.store.open_grants()
        for i in range(0, len(numbers), self.batch):
            grants = await self.custody.store.grants_by_number(numbers[i : i + self.batch])
            yield [
                grant
                for grant in grants.values()
                if grant.state not in GRANT_TERMINAL and grant.state is not GrantState.REVOKING
            ]

    # People

    async def _check_people(self, grants: Sequence[Grant], look: _Look) -> None:
        theirs: defaultdict[Person, list[Grant]] = defaultdict(list)
        for grant in grants:
            theirs[grant.requester].append(grant)
        await _all_of(self._check_person(person, held, look) for person, held in theirs.items())

    async def _check_person(self, person: Person, grants: Sequence[Grant], look: _Look) -> None:
        async with look.slots:
            lost = await self._lost(person, grants, look)
        await _all_of(self.endings.finish(grant.number, Cause.LOST_RIGHT) for grant in lost)

    async def _lost(self, person: Person, grants: Sequence[Grant], look: _Look) -> Sequence[Grant]:
        today = await self._today(person, look)
        if not isinstance(today, Person):
            return grants if isinstance(today, Refused) else ()
        policy = self.custody.policies.current()
        look_ups = frozenset[str]().union(*(policy.look_ups(grant.target, grant.role) for grant in grants))
        facts = await self.custody.knowing.facts(look_ups)
        verdicts = [(grant, policy.judge_grant(grant, today, facts)) for grant in grants]
        return [grant for grant, verdict in verdicts if not (verdict.allowed or verdict.unknown)]

    async def _today(self, person: Person, look: _Look) -> Person | AccessError:
        """Asked once, however many batches their grants are in."""
        if person not in look.today:
            try:
                look.today[person] = await self.custody.people.check(person)
            except AccessError as error:
                look.today[person] = error
        return look.today[person]

    # Tickets

    async def _check_tickets(self, grants: Sequence[Grant], look: _Look) -> None:
        if not any(rule.closing_ends for rule in self.custody.policies.current().rules):
            return
        asking = [grant for grant in grants if grant.ticket and not grant.glass]
        requests = await self.custody.store.requests_by_number([grant.number for grant in asking])
        await _all_of(self._check_ticket(requests.get(grant.number), grant, look) for grant in asking)

    async def _check_ticket(self, request: Request | None, grant: Grant, look: _Look) -> None:
        """Only what is said to be closed ends it: a ticket that cannot be found may be one that is no longer shown."""
        rule = rule_of(self.custody.policies.current(), request)
        if rule is None or not (rule.closing_ends and is_asked(rule, grant.ticket)):
            return
        async with look.slots:
            ticket = (await self.custody.tickets.look((rule,), grant.ticket, grant.requester)).ticket(rule)
        if ticket is not None and ticket.state == "closed":
            await self.endings.finish(grant.number, Cause.TICKET_CLOSED)


async def _all_of(checks: Iterable[Coroutine[Any, Any, None]]) -> None:
    """One that fails must not keep the others from being looked at."""
    for error in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(error, BaseException):
            log.error("rights were not checked", extra={"action": "rights"}, exc_info=error)
