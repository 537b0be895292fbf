"""All sessions of one gateway process: let in, watched, ended on time.

The rows are the truth, looked at twice a second and whenever the log of this process grows: a grant that has ended,
a cut that somebody ordered, a new end. The deadline needs nobody: the clock alone holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from access.duration import in_words
from access.errors import AccessError, Refused, Unavailable
from access.granting.timing import warning_at
from access.model import Grant, GrantState
from access.ports import Change, Clock, SessionStore, Store
from access.sessions.admission import Admission, Visit, end_of
from access.sessions.ending import closed
from access.sessions.flags import WORDS, in_order
from access.sessions.holding import Asked
from access.sessions.model import Stop
from access.tasks import Tasks
from audit.log import Feed
from audit.recording.writer import Recorder, RecorderFailed
from gateways.holding import Holding
from gateways.live import Hold, Live, Stoppable, Tape
from gateways.recordings import Shelf
from gateways.telling import GRACE, Telling

log = logging.getLogger(__name__)

LOOK = 0.5  # seconds: what another process has ordered is seen by then
LEAST = 0.05  # between two looks
STALE = timedelta(seconds=5)  # a stop that comes later would stop something else
_STOPPING = "The gateway is being stopped."


@dataclass
class Desk:
    """`run` keeps it going; `open`, `begun` and `over` are called by the gateways."""

    admission: Admission
    store: Store
    sessions: SessionStore
    feed: Feed
    clock: Clock
    shelf: Shelf
    tasks: Tasks
    lives: dict[str, Live] = field(default_factory=dict)
    _some: asyncio.Event = field(default_factory=asyncio.Event)
    _is_stopping: bool = False

    def __post_init__(self) -> None:
        asked = Asked(self.admission.grants.custody)
        self.holding = Holding(self.store, self.sessions, self.clock, asked)
        self.telling = Telling(self.store, self.sessions, self.clock, self.lives, self._cut)

    # For the gateways

    async def open(self, visit: Visit, form: str, tape: Callable[[Recorder], Tape]) -> Live:
        """Let somebody in. Raises AccessError."""
        if self._is_stopping:
            raise Unavailable("This gateway is being stopped. Connect again in a moment.")
        self.shelf.must_have_room()
        try:
            admitted = await self.admission.admit(visit)
        finally:
            self._some.set()  # also a credential that was made for nobody is minded
        try:
            secrets = self.admission.grants.custody.policies.current().secrets
            began = self.clock.now()  # before the recording: nothing of it lies ahead of now
            recorder = self.shelf.begin(admitted.session, form, secrets)
        except RecorderFailed as error:
            await self.store.commit(closed(admitted.session, str(error), self.clock.now()))
            raise Unavailable(str(error)) from error
        live = Live(admitted, admitted.session, tape(recorder), began, admitted.until)
        if self._is_stopping:  # since a moment ago: it is cut as soon as it could be used
            live.cutting = _STOPPING
        self.lives[live.session.id] = live
        log.info("session opened", extra=_named(live))
        return live

    def begun(self, live: Live, hold: Hold) -> None:
        """Bytes pass from here on. Raises Refused where it was ended while its target was being reached."""
        why = live.ended or live.cutting or (_deadline(live) if self.clock.now() >= live.until else "")
        if why:
            raise Refused(why)
        live.hold = hold
        self._follow_policy()

    def over(self, live: Live, why: str) -> None:
        """No byte passes any more."""
        if not live.ended:
            live.ended, live.ended_at = why, self.clock.now()
            log.info("session ended", extra={**_named(live), "why": why})
        self.telling.hurry()

    async def pass_on(self, mark: str, pid: int) -> None:
        """A statement is to be stopped in the session of this mark, which another process holds. Raises Unavailable."""
        session = await self.sessions.stoppable(mark)
        if session is not None:
            await self.store.commit(Change(stops=(Stop(session.id, pid, self.clock.now()),)))

    # Watching

    async def run(self) -> None:
        """For ever, until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._watch())
            both.create_task(self._keep_time())

    async def _keep_time(self) -> None:
        """Beside the looks, which a database that hangs would hold up."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self._nap() or LEAST)
            self._follow_policy()
            self._hold_deadlines()
            self.telling.mind()

    async def _watch(self) -> None:
        head = -1
        while True:
            await self._some.wait()
            try:
                head = await self._look(head)
            except AccessError as error:
                log.warning("sessions are not looked at", extra={"action": "session", "why": str(error)})
                await asyncio.sleep(self._nap())
            except Exception:
                log.exception("a look at the sessions failed", extra={"action": "session"})
                await asyncio.sleep(self._nap())
            await asyncio.sleep(min(LEAST, self._nap()))
            if not (self.lives or self.admission.held):
                self._some.clear()

    async def _look(self, head: int) -> int:
        """Wait for something to have happened, or for a deadline; then see what it means."""
        await self.feed.wait(head, self._nap())
        head = await self.feed.head()  # before the rows, so that nothing falls between the two
        lives = [live for live in self.lives.values() if not live.ended]
        held = self.admission.held
        grants = await self.store.grants_by_number(sorted({live.session.grant for live in lives} | held))
        cuts, stops = await self.sessions.orders([live.session.id for live in lives])
        await self.holding.look()
        for number in held:
            if not _is_active(grants.get(number)):
                self.admission.forget(number)
        for live in lives:
            self._see(live, grants.get(live.session.grant))
            if order := cuts.get(live.session.id):
                self._cut(live, f"{order.by.name} has ended this session.")
            if stop := stops.get(live.session.id):
                self._stop(live, stop)
        return head

    def _nap(self) -> float:
        """Until the next look, or the next deadline."""
        now = self.clock.now()
        left = [(live.until - now).total_seconds() for live in self.lives.values() if not live.is_cut]
        return max(0.0, min([LOOK, *left]))

    def _see(self, live: Live, grant: Grant | None) -> None:
        now = self.clock.now()
        if grant is None or not _is_active(grant):
            self._cut(live, _deadline(live) if now >= live.until else f"{live.ref} has ended.")
            return
        if (until := end_of(grant, live.admitted.credential)) != live.until:
            live.until, live.warned = until, False
        live.goes_on = until < grant.expires_at
        warning = warning_at(grant)
        if warning is not None and warning <= now < live.until and live.hold is not None and not live.warned:
            live.warned = True
            live.hold.tell(_soon(live, now))

    def _follow_policy(self) -> None:
        """What it holds from now on waits also in sessions that began before; where it cannot, they end."""
        policy = self.admission.policy
        for live in list(self.lives.values()):
            if unheld := live.follow(policy):
                what = ", ".join(WORDS[flag] for flag in in_order(unheld))
                self._cut(live, f"By the policy, what {what} waits for approval now. Connect again.")

    def _hold_deadlines(self) -> None:
        now = self.clock.now()
        self.holding.hold_deadlines()
        for live in list(self.lives.values()):
            if now >= live.until:
                self._cut(live, _deadline(live))

    def _stop(self, live: Live, stop: Stop) -> None:
        """Once, and not what is run long after: another process was asked for it."""
        if live.stopped_at is not None and stop.at <= live.stopped_at:
            return
        live.stopped_at = stop.at
        if isinstance(live.hold, Stoppable) and self.clock.now() - stop.at < STALE:
            self.tasks.start(live.hold.stop(stop.pid), name=f"stop a statement of {live.session.id}")

    def _cut(self, live: Live, why: str) -> None:
        """Once. A session that has not begun yet is cut when it does."""
        live.cutting = live.cutting or why
        if live.hold is not None and not live.is_cut and not live.ended:
            live.is_cut = True
            self.tasks.start(live.hold.cut(live.cutting), name=f"cut {live.session.id}")

    # Stopping

    async def stop(self) -> None:
        """End every session and tell the log, as far as that goes in a few seconds."""
        self._is_stopping = True
        cuts = [self._end(live, _STOPPING) for live in list(self.lives.values())]
        await asyncio.gather(*cuts)  # at once: a database that hangs would keep the others waiting
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                while self.lives:
                    await self.telling.tell()
                    await asyncio.sleep(LEAST)

    async def _end(self, live: Live, why: str) -> None:
        if live.hold is not None:
            await live.hold.cut(why)
        else:  # it is about to begin, and is refused then
            self.over(live, why)


def _is_active(grant: Grant | None) -> bool:
    return grant is not None and grant.state is GrantState.ACTIVE


def _named(live: Live) -> dict[str, object]:
    return {"action": "session", "ref": live.ref, "session": live.session.id}


def _deadline(live: Live) -> str:
    if live.goes_on:
        return f"{live.ref} was extended, and the login of this connection ends as it was made. Connect again."
    return f"{live.ref} has reached its end."


def _soon(live: Live, now: datetime) -> str:
    left = in_words(live.until - now)
    return f"{live.ref} ends at {live.until:%H:%M} UTC, in {left}. More time: prodaccess extend {live.ref} 30m"
