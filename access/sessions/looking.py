"""Looking at recorded connections, and ending one: by whoever may see or end the grant that they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from access.broker import Broker
from access.errors import NotFound, Refused
from access.events import AuditSearched
from access.model import Person
from access.ports import Change, SessionStore
from access.sessions.ending import Cutting, parse_session
from access.sessions.holding import Deciding
from access.sessions.model import Session

_NONE = "There is no such session that you may see."


@dataclass(frozen=True)
class Sessions:
    """For every face."""

    broker: Broker
    store: SessionStore

    @property
    def held(self) -> Deciding:
        """What waits in them until somebody lets it run."""
        return Deciding(self.broker, self.store)

    async def of(self, number: int, by: Person) -> tuple[Session, ...]:
        """Of one grant, for its requester, its approvers, admins and auditors. Raises NotFound."""
        if not self.broker.policies.current().is_auditor(by):
            await self.broker.see(number, by)
        return await self.store.sessions_of(number)

    async def open_ones(self, by: Person) -> tuple[Session, ...]:
        """Those that run now: one's own; everybody's for admins and auditors."""
        policy, found = self.broker.policies.current(), await self.store.open_sessions()
        if policy.is_admin(by) or policy.is_auditor(by):
            return found
        return tuple(session for session in found if policy.same_person(session.requester, by))

    async def one(self, session_id: str, by: Person) -> Session:
        """Raises BadInput, NotFound."""
        number, n = parse_session(session_id)
        found = next((session for session in await self.of(number, by) if session.n == n), None)
        if found is None:
            raise NotFound(_NONE)
        return found

    async def cut(self, session_id: str, by: Person) -> Session:
        """By the requester, an approver or an admin. Raises BadInput, NotFound, Refused, TooLate."""
        number, n = parse_session(session_id)
        try:
            await self.broker.see(number, by)
        except NotFound:
            if self.broker.policies.current().is_auditor(by):
                raise Refused("Auditors look. Its requester, its approvers and admins may end it.") from None
            raise
        session = await self.store.session(number, n)
        if session is None:
            raise NotFound(_NONE)
        await Cutting(self.broker.grants.custody, self.store).cut(session, by)
        return session

    async def note_look(self, name: str, by: Person, found: int, through: str, how: str = "replay") -> None:
        """That somebody is shown what was done in what is named so; before it is shown. `how`: `replay`, `look`."""
        event = AuditSearched(
            at=self.broker.clock.now(), by=by, query=f"{how} session:{name}", found=found, through=through
        )
        await self.broker.store.commit(Change(events=(event,)))
