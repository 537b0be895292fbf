"""The messages of sessions, kept up to date while there is time for it: what is urgent never waits for them.

Which of them no longer say what the log says stands in the cursor, beside the place up to which the log was read: a
process that takes over, or comes back after a crash, paints what was left.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from access.errors import AccessError
from access.events import Event, SessionClosed, SessionCut, SessionOpened
from bot.look.sessions import ALONE, event_session, is_lead, number_of, session_key
from bot.slack.outbox import retry_after
from bot.slack.people import SILENT, code
from bot.thread.painter import Painter

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds between two paintings of one message, unless it is about its end
MOST = 20  # paintings in a minute, of the 50 updates that Slack takes: the others are for what is urgent
_MINUTE = 60.0
_PAUSE = 5.0  # seconds after a failure


@dataclass
class Running:
    """`stale`: which messages are to be painted, with their grant; `paint` is called again and again."""

    painter: Painter
    every: float = EVERY
    most: int = MOST
    now: Callable[[], float] = time.monotonic
    stale: dict[str, str] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)  # not before then
    _painted: deque[float] = field(default_factory=deque)
    _not_before: float = -math.inf

    def take(self, stale: Mapping[str, str]) -> None:
        """What somebody else has left."""
        self.stale = dict(stale)
        self._due.clear()

    def heard(self, event: Event) -> None:
        """The log goes on. The opening of a session is a message, and what follows makes that one stale."""
        session = event_session(event)
        if not session or (isinstance(event, SessionOpened) and is_lead(session)):
            return
        key = session_key(event.ref, session)
        self.stale[key] = event.ref
        if isinstance(event, SessionCut | SessionClosed) and number_of(session) <= ALONE:
            self._due.pop(key, None)

    def wait(self) -> float:
        """Seconds until there is something to paint; infinite where nothing is."""
        if not self.stale:
            return math.inf
        now, first = self.now(), min(self._due.get(key, -math.inf) for key in self.stale)
        self._forget(now)
        full = self._painted[0] + _MINUTE if len(self._painted) >= self.most else -math.inf
        return max(0.0, max(first, full, self._not_before) - now)

    async def paint(self, *, patient: bool) -> dict[str, tuple[str, int]]:
        """One message that is due, if any. By its key: grant and entry of the receipt that it is to get later.

        Never raises: a session's message must not hold up an approval.
        """
        if self.wait() > 0:
            return {}
        key = min(self.stale, key=lambda key: self._due.get(key, -math.inf))
        ref = self.stale.pop(key)  # what comes while it is painted makes it stale again
        try:
            if not await self.painter.counts(ref):  # it has gone on for long, and is counted from its beginning
                self.stale.setdefault(key, ref)
                return {}
            now = self.now()
            self._due[key] = now + self.every
            self._painted.append(now)
            owed = await self.painter.paint_session(key, ref, patient=patient)
        except (*SILENT, AccessError) as error:
            self.stale.setdefault(key, ref)
            self._not_before = self.now() + max(retry_after(error), _PAUSE)
            why = code(error) or type(error).__name__
            log.info("a session's message waits", extra={"action": "session message", "key": key, "why": why})
            return {}
        except Exception:
            self._not_before = self.now() + _MINUTE
            log.exception("a session's message was not painted", extra={"action": "session message", "key": key})
            return {}
        return {} if owed is None else {key: (ref, owed)}

    def _forget(self, now: float) -> None:
        while self._painted and self._painted[0] <= now - _MINUTE:
            self._painted.popleft()
        for key in [key for key, due in self._due.items() if due <= now]:
            del self._due[key]
