"""Looking, every few minutes, whether those who have access may still have it: events that say so get lost."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from access.custody import Custody
from access.endings import Endings
from access.errors import AccessError, Refused
from access.lifecycle import GRANT_TERMINAL
from access.model import Cause, Grant, GrantState, Person

log = logging.getLogger(__name__)

AT_ONCE = 4  # questions to Slack, which counts them


@dataclass(frozen=True)
class Rights:
    """The same question as at every collection, asked of what is already open."""

    custody: Custody
    endings: Endings

    async def check_all(self) -> None:
        """End what its requester may no longer have. Where nobody can say who they are, nothing changes."""
        slots, theirs = asyncio.Semaphore(AT_ONCE), await self._grants_by_person()
        results = await asyncio.gather(
            *(self._check(person, grants, slots) for person, grants in theirs.items()), return_exceptions=True
        )
        for error in results:
            if isinstance(error, BaseException):  # one that fails must not keep the others from being looked at
                log.error("rights were not checked", extra={"action": "rights"}, exc_info=error)

    async def _grants_by_person(self) -> Mapping[Person, Sequence[Grant]]:
        numbers = [request.number for request in await self.custody.store.open_requests()]
        theirs = defaultdict(list)
        for grant in (await self.custody.store.grants_by_number(numbers)).values():
            if grant.state not in GRANT_TERMINAL and grant.state is not GrantState.REVOKING:
                theirs[grant.requester].append(grant)
        return theirs

    async def _check(self, person: Person, grants: Sequence[Grant], slots: asyncio.Semaphore) -> None:
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
