"""Looking into the audit log: who may, what they find, and an entry for every look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from access.errors import NotFound, Refused
from access.events import AuditSearched
from access.model import Person, parse_ref
from access.model import ref as as_ref
from access.policy import Policy
from access.ports import Change, Clock, People, PolicySource, Store
from audit.log import Entry, Feed
from audit.search.find import Found, Touched
from audit.search.query import Query, parse_query

MOST = 200  # hits of one answer


class Searchable(Protocol):
    """The log's projections."""

    async def find(self, query: Query, limit: int) -> Found: ...

    async def who_touched(self, query: Query, limit: int) -> Touched: ...


@dataclass(frozen=True)
class Inquiry:
    """What auditors ask. Every question is an entry before its answer is given."""

    store: Store
    feed: Feed
    log: Searchable
    people: People
    policies: PolicySource
    clock: Clock

    async def search(self, text: str, by: Person, through: str, limit: int = 50) -> Found:
        """Newest first. `through`: `slack`, `terminal`. Raises BadInput (with what is wrong in it), Refused."""
        person = await self._auditor(by)
        query = parse_query(text, self.clock.now())
        found = await self.log.find(query, min(limit, MOST))
        await self._note(person, text, len(found.hits), through)
        return found

    async def who_touched(self, text: str, by: Person, through: str, limit: int = MOST) -> Touched:
        """`table:public.orders after:2026-11-01`: who did for certain, and who may have."""
        person = await self._auditor(by)
        touched = await self.log.who_touched(parse_query(text, self.clock.now()), min(limit, MOST))
        await self._note(person, f"who touched {text}", len(touched.definite) + len(touched.possible), through)
        return touched

    async def timeline(self, ref: str, by: Person, through: str) -> tuple[Entry, ...]:
        """Everything of one request, oldest first; its own people may look too, auditors at any."""
        number = parse_ref(ref)
        person, policy = await self.people.check(by), self.policies.current()
        request = await self.store.request(number)
        mine = request is not None and self._concerns(policy, person, request.requester)
        if request is None or not (mine or policy.is_auditor(person) or policy.is_admin(person)):
            raise NotFound(f"There is no {as_ref(number)} that you may see.")
        entries = await self.feed.entries_of(as_ref(number))
        if not mine:
            await self._note(person, as_ref(number), len(entries), through)
        return entries

    def _concerns(self, policy: Policy, person: Person, requester: Person) -> bool:
        return policy.same_person(person, requester)

    async def _auditor(self, by: Person) -> Person:
        person = await self.people.check(by)
        if not self.policies.current().is_auditor(person):
            raise Refused("Auditors search. The policy names them under `auditors`.")
        return person

    async def _note(self, by: Person, query: str, found: int, through: str) -> None:
        event = AuditSearched(at=self.clock.now(), by=by, query=query[:500], found=found, through=through)
        await self.store.commit(Change(events=(event,)))
