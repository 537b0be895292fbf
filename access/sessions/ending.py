"""How a session ends other than by itself: cut by somebody, or with its grant."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.errors import AccessError, BadInput, Stale, TooLate
from access.events import SessionClosed, SessionCut
from access.granting.custody import Custody
from access.lifecycle import GRANT_TERMINAL
from access.model import Grant, Person
from access.ports import Change, SessionStore
from access.sessions.model import Cut, Session

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds that a revocation waits for the gateways; it ends the connections by itself, too
LOST_AFTER = timedelta(minutes=1)  # after its grant's end, nobody will say any more how a session ended
_LOOK = 0.02
_ID = re.compile(r"(?:PA-)?([1-9][0-9]{0,14})-([1-9][0-9]{0,8})", re.IGNORECASE)


def parse_session(text: str) -> tuple[int, int]:
    """`PA-7-2` as the grant's number and the session's. Raises BadInput."""
    match = _ID.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"“{text[:40]}” is not a session. They look like PA-7-2; `sessions` shows yours.")
    return int(match.group(1)), int(match.group(2))


def is_session(text: str) -> bool:
    """Whether that is how a session is called."""
    return _ID.fullmatch(text) is not None


async def sessions_first(custody: Custody, grant: Grant) -> None:
    """Wait until a grant that is ending has no open session, for a moment. Whatever happens, the revocation follows."""
    if not grant.gateway or custody.sessions is None:
        return
    until = time.monotonic() + PATIENCE
    try:
        while (await custody.sessions.tally(grant.number))[0] and time.monotonic() < until:  # noqa: ASYNC110 (rows)
            await asyncio.sleep(_LOOK)
    except AccessError as error:
        log.warning("sessions are not looked at", extra={"action": "end", "ref": grant.ref, "why": str(error)})


@dataclass(frozen=True)
class Cutting:
    """Ending one connection. Its pass lets nobody in any more, or the tool would be back at once."""

    custody: Custody
    sessions: SessionStore

    async def cut(self, session: Session, by: Person) -> None:
        """By whoever may end its grant, which is for the caller to know. Raises TooLate, Unavailable.

        Ordered once: whoever comes second, or presses twice, changes nothing.
        """
        if session.closed_at is not None:
            raise TooLate(f"{session.id} has ended already.")
        if await self._is_ordered(session):
            return
        now = self.custody.clock.now()
        given = await self.sessions.pass_named(session.pass_name)
        passes = (replace(given, ended_at=now),) if given is not None and given.ended_at is None else ()
        event = SessionCut(at=now, ref=session.ref, by=by, session=session.id)
        try:
            await self.custody.store.commit(Change(passes=passes, cuts=(Cut(session.id, by, now),), events=(event,)))
        except Stale:
            if not await self._is_ordered(session):
                raise

    async def _is_ordered(self, session: Session) -> bool:
        cuts, _ = await self.sessions.orders([session.id])
        return session.id in cuts


@dataclass(frozen=True)
class Lost:
    """Sessions whose gateway is gone and has not come back: closed once their grant is surely over."""

    custody: Custody
    sessions: SessionStore

    async def close(self) -> None:
        """A chore. Raises Unavailable."""
        found = await self.sessions.open_sessions()
        grants = await self.custody.store.grants_by_number(sorted({session.grant for session in found}))
        over = {grant.number for grant in grants.values() if self._is_over(grant)}
        await self._close(session for session in found if session.grant in over)

    def _is_over(self, grant: Grant) -> bool:
        ended = grant.ended_at
        return grant.state in GRANT_TERMINAL and ended is not None and self.custody.clock.now() > ended + LOST_AFTER

    async def _close(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            why = "its gateway never said how it ended; its grant is over"
            await self.custody.try_commit(closed(session, why, self.custody.clock.now(), late=True))


def closed(session: Session, why: str, now: datetime, *, late: bool = False) -> Change:
    """That it is over; what the session says of its recording is final. `late`: written after its gateway was gone."""
    over = replace(session, closed_at=now, why=why)
    event = SessionClosed(
        at=now, ref=session.ref, by=session.requester, session=session.id, why=why, actions=session.acts,
        recording=session.recording, size=session.size, late=late,
    )  # fmt: skip
    return Change(sessions=(over,), events=(event,))
