"""Following sessions while they run: whose entries somebody may see, and that they watch is an entry itself."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from access.events import CommandRun, Event, FileTouched, QueryRun, SessionClosed, SessionCut, SessionOpened
from access.lifecycle import GRANT_TERMINAL
from access.model import Person, parse_ref
from access.model import ref as as_ref
from access.sessions.ending import parse_session
from access.sessions.looking import Sessions
from access.sessions.model import Session
from api.lasting import EVERY, Still
from api.parts import ApiParts
from audit.lately import lately
from audit.log import Entry

SESSION_KINDS = frozenset(
    kind.TAG for kind in (SessionOpened, QueryRun, CommandRun, FileTouched, SessionCut, SessionClosed)
)
LATELY = 10  # acts that a watch of one grant or session begins with
_AGAIN = 600.0  # seconds: whoever watches on is written down anew
_REMEMBERED = 4096
_PAGE = 500
_PAGES = 10  # of the whole log, in one call
_BREATH = 0.2  # seconds: a busy log is not looked at for each of its entries


@dataclass
class Watches:
    """Who watches what, so that a watch of ten minutes is one entry and not hundreds. Of this process."""

    now: Callable[[], float] = time.monotonic
    _since: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)

    async def note(self, looking: Sessions, name: str, by: Person) -> None:
        """Before anything is shown. Raises Unavailable where it cannot be written."""
        key, now = (by.id, name), self.now()
        if now - self._since.get(key, -_AGAIN) < _AGAIN:
            return
        await looking.note_look(name, by, 0, "terminal", "watch")
        self._since[key] = now
        self._since.move_to_end(key)
        while len(self._since) > _REMEMBERED:
            self._since.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came since, up to the entry `after`. `over`: nothing more will come; `more`: ask again at once."""

    sessions: Sequence[Session]
    entries: Sequence[Entry]
    after: int
    over: bool = False
    more: bool = False


@dataclass(frozen=True)
class Watch:
    """One grant, one session of it, or all that somebody may see; each look asks anew whether they still may."""

    parts: ApiParts
    looking: Sessions
    by: Person
    name: str  # `PA-7`, `PA-7-2`, or `all`
    ref: str = ""
    only: str = ""  # the session

    @classmethod
    def of(cls, name: str, by: Person, parts: ApiParts, looking: Sessions) -> Watch:
        """Raises BadInput."""
        if not name:
            return cls(parts, looking, by, "all")
        if "-" in name.strip().upper().removeprefix("PA-"):
            number, n = parse_session(name)
            return cls(parts, looking, by, f"{as_ref(number)}-{n}", as_ref(number), f"{as_ref(number)}-{n}")
        ref = as_ref(parse_ref(name))
        return cls(parts, looking, by, ref, ref)

    async def allowed(self) -> None:
        """Raises NotFound where this person may not look."""
        await self._open()

    async def begin(self) -> Seen:
        """What is open, the last acts of what was named, and where to go on. Raises NotFound."""
        head = await self.parts.feed.head()
        sessions, over = await self._open()
        found: tuple[Entry, ...] = ()
        if self.ref:
            wanted = (lambda session: session == self.only) if self.only else (lambda _: True)
            found = await lately(self.parts.feed, self.ref, LATELY, wanted)
        return Seen(sessions, [entry for entry in found if entry.seq <= head], head, over)

    async def since(self, after: int, seconds: float, still: Still) -> Seen:
        """As soon as there is something, or after so long. Raises NotFound, and meanwhile what `still` raises."""
        until = time.monotonic() + seconds
        while True:
            await still()
            head = await self.parts.feed.head()  # before looking, so that nothing falls between the look and the wait
            sessions, over = await self._open()
            seen = await self._page(after, sessions, over=over)
            left = until - time.monotonic()
            if seen.entries or seen.more or over or left <= 0:
                return seen
            after = seen.after
            await self.parts.feed.wait(max(head, after), min(left, EVERY))
            await asyncio.sleep(min(_BREATH, max(0.0, left)))

    async def _page(self, after: int, sessions: Sequence[Session], *, over: bool) -> Seen:
        if self.ref:
            page = await self.parts.feed.entries_of(self.ref, SESSION_KINDS, after, _PAGE)
            more = len(page) == _PAGE
            last = page[-1].seq if page else after
            return Seen(sessions, list(filter(self._is_wanted, page)), last, over and not more, more)
        for _ in range(_PAGES):
            page = await self.parts.feed.entries(after, _PAGE)
            found = list(filter(self._is_wanted, page))
            after = page[-1].seq if page else after
            if found or len(page) < _PAGE:
                return Seen(sessions, found, after, more=len(page) == _PAGE)
        return Seen(sessions, (), after, more=True)

    async def _open(self) -> tuple[Sequence[Session], bool]:
        """What runs, and whether nothing will any more. Raises NotFound where this person may not look."""
        if not self.ref:
            return await self.looking.open_ones(self.by), False
        if self.only:
            session = await self.looking.one(self.only, self.by)
            return [session], session.closed_at is not None
        number = parse_ref(self.ref)
        found = [session for session in await self.looking.of(number, self.by) if session.closed_at is None]
        grant = await self.parts.store.grant(number)
        return found, not found and grant is not None and grant.state in GRANT_TERMINAL

    def _is_wanted(self, entry: Entry) -> bool:
        event = entry.event
        if event.TAG not in SESSION_KINDS:
            return False
        if self.ref:
            return not self.only or getattr(event, "session", "") == self.only
        return self._may_see(event)

    def _may_see(self, event: Event) -> bool:
        """Of all: one's own; everybody's for admins and auditors."""
        policy = self.parts.policies.current()
        if policy.is_admin(self.by) or policy.is_auditor(self.by):
            return True
        return event.by is not None and not isinstance(event, SessionCut) and policy.same_person(event.by, self.by)
