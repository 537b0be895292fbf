"""Looking, every few minutes, whether those who have access may still have it: events that say so get lost."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from access.custody import Custody
from access.endings import Endings
from access.errors import AccessError, Refused
from access.lifecycle import GRANT_TERMINAL
from access.model import Cause, Grant, GrantState, Person, Request
from access.ticketing import is_asked, rule_of

log = logging.getLogger(__name__)

AT_ONCE = 4  # questions to Slack, which counts them; and to the ticket systems, which do too


@dataclass(frozen=True)
class Rights:
    """The same questions as at every collection, asked of what is already open. A silence ends nothing."""

    custody: Custody
    endings: Endings

    async def check_all(self) -> None:
        """End what its requester may no longer have, and what its ticket was to last for."""
        grants, slots = await self._open_grants(), asyncio.Semaphore(AT_ONCE)
        await self._check_people([grant for _, grant in grants], slots)
        await _all_of(self._check_ticket(request, grant, slots) for request, grant in grants)

    async def check_group(self, look_up: str) -> None:
        """The same of the people, where it rests on a group that is said to have changed: `slack:S0OWNERS`."""
        policy, grants = self.custody.policies.current(), await self._open_grants()
        touched = [grant for _, grant in grants if look_up in policy.look_ups(grant.target, grant.role)]
        await self._check_people(touched, asyncio.Semaphore(AT_ONCE))

    async def _open_grants(self) -> Sequence[tuple[Request, Grant]]:
        requests = {request.number: request for request in await self.custody.store.open_requests()}
        grants = await self.custody.store.grants_by_number(list(requests))
        return [
            (requests[number], grant)
            for number, grant in grants.items()
            if grant.state not in GRANT_TERMINAL and grant.state is not GrantState.REVOKING
        ]

    # People

    async def _check_people(self, grants: Sequence[Grant], slots: asyncio.Semaphore) -> None:
        theirs: defaultdict[Person, list[Grant]] = defaultdict(list)
        for grant in grants:
            theirs[grant.requester].append(grant)
        await _all_of(self._check_person(person, held, slots) for person, held in theirs.items())

    async def _check_person(self, person: Person, grants: Sequence[Grant], slots: asyncio.Semaphore) -> None:
        async with slots:
            lost = await self._lost(person, grants)
        await asyncio.gather(*(self.endings.finish(grant.number, Cause.LOST_RIGHT) for grant in lost))

    async def _lost(self, person: Person, grants: Sequence[Grant]) -> Sequence[Grant]:
        try:
            today = await self.custody.people.check(person)
        except Refused:
            return grants
        except AccessError:
            return ()
        policy = self.custody.policies.current()
        look_ups = frozenset[str]().union(*(policy.look_ups(grant.target, grant.role) for grant in grants))
        facts = await self.custody.knowing.facts(look_ups)
        verdicts = [(grant, policy.judge_grant(grant, today, facts)) for grant in grants]
        return [grant for grant, verdict in verdicts if not (verdict.allowed or verdict.unknown)]

    # Tickets

    async def _check_ticket(self, request: Request, grant: Grant, slots: asyncio.Semaphore) -> None:
        """Only what is said to be closed ends it: a ticket that cannot be found may be one that is no longer shown."""
        rule = rule_of(self.custody.policies.current(), request)
        if rule is None or grant.glass or not (rule.closing_ends and is_asked(rule, grant.ticket)):
            return
        async with slots:
            ticket = (await self.custody.tickets.look((rule,), grant.ticket, grant.requester)).ticket(rule)
        if ticket is not None and ticket.state == "closed":
            await self.endings.finish(grant.number, Cause.TICKET_CLOSED)


async def _all_of(checks: Iterable[Coroutine[Any, Any, None]]) -> None:
    """One that fails must not keep the others from being looked at."""
    for error in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(error, BaseException):
            log.error("rights were not checked", extra={"action": "rights"}, exc_info=error)
