"""Looking into the audit log: who may, what they find, and an entry for every look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from access.afterwards.refusals import Refusals, refused
from access.errors import AccessError, NotFound, Refused
from access.events import AuditSearched
from access.model import Person, parse_ref
from access.model import ref as as_ref
from access.policy import Policy
from access.ports import Change, Clock, People, PolicySource, Store
from audit.log import Entry, Feed
from audit.search.find import Found, Touched
from audit.search.query import Query, parse_query

MOST = 200  # hits of one answer
MOST_ENTRIES = 500  # of one page of a timeline


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a timeline: at most `limit` entries, from the first with `seq > after` on."""

    after: int = -1
    limit: int = MOST_ENTRIES


FIRST = Page()


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of it; `more` come after its last entry."""

    entries: tuple[Entry, ...]
    more: bool


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
    refusals: Refusals = field(default_factory=Refusals)

    async def search(self, text: str, by: Person, through: str, limit: int = 50) -> Found:
        """Newest first. `through`: `slack`, `terminal`. Raises BadInput (with what is wrong in it), Refused."""
        person = await self._auditor(by)
        query = self._query(text)
        found = await self.log.find(query, min(limit, MOST))
        await self._note(person, query.text, len(found.hits), through)
        return found

    async def who_touched(self, text: str, by: Person, through: str, limit: int = MOST) -> Touched:
        """`table:public.orders after:2026-11-01`: who did for certain, and who may have."""
        person = await self._auditor(by)
        query = self._query(text)
        touched = await self.log.who_touched(query, min(limit, MOST))
        found = len(touched.definite) + len(touched.possible)
        await self._note(person, f"who touched {query.text}", found, through)
        return touched

    async def timeline(self, ref: str, by: Person, through: str, page: Page = FIRST) -> Timeline:
        """What happened to one request, oldest first; its own people may look too, auditors at any."""
        number = parse_ref(ref)
        person, policy = await self.people.check(by), self.policies.current()
        request = await self.store.request(number)
        mine = request is not None and self._concerns(policy, person, request.requester)
        if request is None or not (mine or policy.is_auditor(person) or policy.is_admin(person)):
            if policy.is_auditor(person) or policy.is_admin(person):
                raise NotFound(f"There is no {as_ref(number)}.")
            error = NotFound(f"There is no {as_ref(number)} that you may see.")
            raise await self._no(person, f"see {as_ref(number)} in the audit log", error)
        entries = await self.feed.entries_of(as_ref(number), None, page.after, page.limit + 1)
        told = Timeline(entries[: page.limit], more=len(entries) > page.limit)
        if not mine:
            rest = f" after entry {page.after}" if page.after >= 0 else ""
            await self._note(person, f"{as_ref(number)}{rest}", len(told.entries), through)
        return told

    def _concerns(self, policy: Policy, person: Person, requester: Person) -> bool:
        return policy.same_person(person, requester)

    def _query(self, text: str) -> Query:
        """What is written down is what is looked for, all of it: no blanks before which it could be cut."""
        now = self.clock.now()
        parse_query(text, now)  # first as it was typed, so that an error names the place there
        return parse_query(" ".join(text.split()), now)

    async def _auditor(self, by: Person) -> Person:
        person = await self.people.check(by)
        if not self.policies.current().is_auditor(person):
            error = Refused("Auditors search. The policy names them under `auditors`.")
            raise await self._no(person, "search the audit log", error)
        return person

    async def _no(self, person: Person, act: str, error: AccessError) -> AccessError:
        await self.refusals.tell(self.store, refused(person, act, error, self.clock.now()))
        return error

    async def _note(self, by: Person, query: str, found: int, through: str) -> None:
        event = AuditSearched(at=self.clock.now(), by=by, query=query, found=found, through=through)
        await self.store.commit(Change(events=(event,)))
