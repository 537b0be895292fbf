"""Erasing people's words on purpose: the texts go, the log still verifies, and it says who erased what and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from access.afterwards.refusals import Refusals, refused
from access.errors import BadInput, NotFound, Refused, TooLate
from access.events import AuditSearched, RecordingErased, TextErased
from access.lifecycle import GRANT_TERMINAL
from access.model import Person, RequestState, parse_ref
from access.model import ref as as_ref
from access.ports import Change, Clock, People, PolicySource, PrivateTexts, SessionStore, Store

LONGEST_WHY = 500
AT_ONCE = 100  # entries of one transaction: whoever else writes waits for it


@dataclass(frozen=True)
class Erasing:
    """Admins erase; what is still decided or used is not erased under somebody's hands."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    refusals: Refusals = field(default_factory=Refusals)
    sessions: SessionStore | None = None  # where there are gateways

    async def erase(self, ref: str, why: str, by: Person) -> tuple[PrivateTexts, ...]:
        """Every private text of one request: its reason, the reason of a denial, what was typed; and the keys of its
        recordings, wherever those are.

        Returns the texts. Raises BadInput, Refused, NotFound, TooLate (while it is open).
        """
        number = parse_ref(ref)
        person = await self._admin(as_ref(number), why, by)
        await self._must_be_over(number)
        await self._destroy_keys(number, why, person)
        return await self._destroy(await self.store.private_texts(as_ref(number)), why, person)

    async def erase_entry(self, seq: int, why: str, by: Person) -> tuple[PrivateTexts, ...]:
        """The private texts of one entry, also one that belongs to no request: a refused ask, a search. As above.

        Nobody takes away what their own search was for.
        """
        person, held = await self._admin(f"entry {seq}", why, by), await self.store.private_texts_at(seq)
        for text in held:
            if text.ref:
                await self._must_be_over(parse_ref(text.ref))
            if text.kind == AuditSearched.TAG and text.by and self.policies.current().same_person(text.by, person):
                error = Refused("This was your own search. Another admin can erase its words.")
                raise await self._no(person, f"entry {seq}", error)
        return await self._destroy(held, why, person)

    async def _admin(self, what: str, why: str, by: Person) -> Person:
        person = await self.people.check(by)
        if not self.policies.current().is_admin(person):
            raise await self._no(person, what, Refused("Admins erase. The policy names them under `admins`."))
        if not why.strip() or len(why) > LONGEST_WHY:
            raise BadInput(f"Say why, in 1 to {LONGEST_WHY} characters: it stays in the log.", field="why")
        return person

    async def _destroy(self, held: tuple[PrivateTexts, ...], why: str, by: Person) -> tuple[PrivateTexts, ...]:
        """Many go step by step, and each step holds: asked again, it goes on with what is left."""
        for i in range(0, len(held), AT_ONCE):
            now = self.clock.now()
            events = tuple(
                TextErased(at=now, ref=text.ref, by=by, seq=text.seq, fields=text.fields, why=why.strip())
                for text in held[i : i + AT_ONCE]
            )
            await self.store.commit(Change(events=events))
        return held

    async def _destroy_keys(self, number: int, why: str, by: Person) -> None:
        """One after the other: asked again, it goes on with what is left. Raises TooLate, Stale."""
        found = () if self.sessions is None else await self.sessions.sessions_of(number)
        if still := next((session for session in found if session.closed_at is None), None):
            raise TooLate(f"{still.id} is not closed yet. Erase it when it is.")
        for session in (session for session in found if session.seed):
            event = RecordingErased(at=self.clock.now(), ref=session.ref, by=by, session=session.id, why=why.strip())
            await self.store.commit(Change(sessions=(replace(session, seed=""),), events=(event,)))

    async def _no(self, person: Person, what: str, error: Refused) -> Refused:
        event = refused(person, f"erase {what}", error, self.clock.now())
        await self.refusals.tell(self.store, event)
        return error

    async def _must_be_over(self, number: int) -> None:
        request, grant = await self.store.request(number), await self.store.grant(number)
        if request is None:
            raise NotFound(f"There is no {as_ref(number)}.")
        if request.state is RequestState.PENDING or (grant is not None and grant.state not in GRANT_TERMINAL):
            raise TooLate(f"{as_ref(number)} is still open. Erase it when it has ended.")
