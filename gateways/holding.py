"""Statements and commands that wait until an approver lets them run: asked for by whatever protocol, decided elsewhere.

What is held is written down before anybody is asked, and runs only where the store says so while it still waits. Where
the store cannot be asked it does not run. Nothing of this is needed where the policy holds nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from access.duration import in_words
from access.errors import AccessError, Stale
from access.events import StatementHeld
from access.evidence.pace import Pace
from access.ports import Change, Clock, SessionStore, Store
from access.sessions.flags import WORDS, in_order
from access.sessions.holding import Asked, refused
from access.sessions.model import Held, HeldState
from gateways.live import Live

log = logging.getLogger(__name__)

LONGEST = 6_000  # characters of text and values: nobody lets run what they cannot read
MOST = 60  # of one grant within an hour: each is an entry of the log, and stands in the thread
MOST_CALLED = 10  # of these: of the others, the thread alone tells
PATIENCE = 3.0  # seconds for the log to take that something is held
REFUSED, STOPPED = "42501", "57014"  # SQLSTATE: insufficient_privilege, query_canceled
_RACES = 5
_NOT_TAKEN_UP = "It was let run, and the audit log did not take in time that it does. Try again in a moment."
_NOBODY_ASKED = "Nobody could be asked to let it run: the audit log does not answer. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be run, and what it is held for; `text` and `values` as they may be shown."""

    text: str
    flags: frozenset[str]
    tables: tuple[str, ...] = ()
    values: str = ""
    coverage: str = "full"
    in_transaction: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`why` and `code` (an SQLSTATE) where it does not run."""

    allowed: bool
    why: str = ""
    code: str = REFUSED


@dataclass
class Waiting:
    """What one connection waits with: `tell` shows it a sentence; `gone` is set with why nobody waits any more."""

    live: Live
    tell: Callable[[str], None]
    gone: asyncio.Future[Answer]


_Wait = tuple[datetime, asyncio.Future[Held | None]]  # until when; None: nobody has decided it by then


@dataclass
class Holding:
    """Of one desk, which calls `look` whenever it looks at its sessions."""

    store: Store
    sessions: SessionStore
    clock: Clock
    asked: Asked
    _pace: Pace = field(default_factory=Pace, repr=False)
    _waits: dict[tuple[int, int, int], _Wait] = field(default_factory=dict)

    async def ask(self, wish: Wish, waiting: Waiting) -> Answer:
        """Wait until somebody decides, or nobody has in time. Never raises AccessError."""
        size = len(wish.text) + len(wish.values)
        if size > LONGEST:
            why = f"It would have to be approved, and is too long for that: {size} characters of {LONGEST}."
            return Answer(allowed=False, why=why)
        if not self._pace.counts(waiting.live.ref, MOST, self.clock.now()):
            return Answer(
                allowed=False, why=f"{MOST} statements of {waiting.live.ref} had to wait within an hour: no more."
            )
        try:
            held = await self._write(wish, waiting.live)
        except (AccessError, TimeoutError) as error:
            log.warning("nobody was asked", extra={"action": "hold", "ref": waiting.live.ref, "why": str(error)})
            return Answer(allowed=False, why=_NOBODY_ASKED)
        waiting.tell(_notice(held, wish))
        return await self._decided(held, waiting)

    async def look(self) -> None:
        """What was decided since, here or elsewhere. Raises Unavailable."""
        if not self._waits:
            return
        for held in await self.sessions.held(list(self._waits)):
            _, decided = self._waits.get((held.grant, held.session, held.n), (None, None))
            if decided is not None and held.standing is not HeldState.WAITING and not decided.done():
                decided.set_result(held)

    def hold_deadlines(self) -> None:
        """By the clock alone, also where the store does not answer."""
        now = self.clock.now()
        for lapses_at, decided in self._waits.values():
            if lapses_at <= now and not decided.done():
                decided.set_result(None)

    async def _write(self, wish: Wish, live: Live) -> Held:
        """Raises AccessError, TimeoutError."""
        now, watch, session = self.clock.now(), live.watch, live.session
        live.held += 1
        calls = self._pace.refused(live.ref, now) <= MOST_CALLED
        held = Held(session.grant, session.n, live.held, now, min(now + watch.hold_for, live.until))
        async with asyncio.timeout(PATIENCE):
            asked = await self.asked.of(live.admitted.grant)
            event = StatementHeld(
                at=now, ref=session.ref, by=session.requester, session=session.id, held=held.id, text=wish.text,
                flags=in_order(wish.flags), lapses_at=held.lapses_at, tables=wish.tables, coverage=wish.coverage,
                values=wish.values, in_transaction=wish.in_transaction, to=asked.to if calls else (),
                rule=asked.rule, policy_hash=asked.policy_hash,
            )  # fmt: skip
            await self.store.commit(Change(held=(held,), events=(event,)))
        return replace(held, version=1)

    async def _decided(self, held: Held, waiting: Waiting) -> Answer:
        key = (held.grant, held.session, held.n)
        decided: asyncio.Future[Held | None] = asyncio.get_running_loop().create_future()
        self._waits[key] = (held.lapses_at, decided)
        try:
            either: list[asyncio.Future[Any]] = [decided, waiting.gone]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waits.pop(key, None)
        if waiting.gone.done():
            return await self._given_up(held, waiting.gone.result())
        if (found := decided.result()) is not None:
            return await self._settled(found, waiting)
        most = in_words(held.lapses_at - held.asked_at)
        late = Answer(allowed=False, why=f"Nobody let {held.id} run within {most}.")
        return await self._given_up(held, late, still=waiting)

    async def _settled(self, held: Held, waiting: Waiting) -> Answer:
        """What somebody has let run is taken up first: until then, anybody may find that nobody waits for it."""
        if held.state is not HeldState.WAITING:
            return _answer(held)
        taken = replace(held, state=HeldState.ALLOWED)
        try:
            async with asyncio.timeout(PATIENCE):
                await self.store.commit(Change(held=(taken,)))
        except (AccessError, TimeoutError) as error:
            log.warning("it was not taken up", extra={"action": "hold", "held": held.id, "why": str(error)})
            return await self._given_up(held, Answer(allowed=False, why=_NOT_TAKEN_UP))
        if waiting.gone.done():  # meanwhile
            return await self._given_up(replace(taken, version=taken.version + 1), waiting.gone.result())
        return Answer(allowed=True)

    async def _given_up(self, held: Held, answer: Answer, still: Waiting | None = None) -> Answer:
        """Nobody waits any more, unless (`still`) it was let run in the last moment."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._close(held, answer, still)
        except (AccessError, TimeoutError) as error:  # a server says so, once it answers again
            log.warning("what was held was not closed", extra={"action": "hold", "held": held.id, "why": str(error)})
        return answer

    async def _close(self, held: Held, answer: Answer, still: Waiting | None) -> Answer:
        """Raises AccessError."""
        for _ in range(_RACES):
            try:
                await self.store.commit(refused(held, answer.why, self.clock.now()))
            except Stale:
                (held,) = await self.sessions.held([(held.grant, held.session, held.n)])
            else:
                return answer
            if still is not None and not still.gone.done():
                return await self._settled(held, still)
            if held.state is HeldState.REFUSED:
                return answer
        return answer


def _answer(held: Held) -> Answer:
    if held.state is HeldState.ALLOWED:
        return Answer(allowed=True)
    return Answer(allowed=False, why=f"{held.by.name} has refused {held.id}." if held.by else f"{held.id} was refused.")


def _notice(held: Held, wish: Wish) -> str:
    what = ", ".join(WORDS[flag] for flag in in_order(wish.flags))
    locks = " The locks of this transaction are held meanwhile." if wish.in_transaction else ""
    most = in_words(held.lapses_at - held.asked_at)
    return f"{held.id} waits until an approver lets it run ({what}), for at most {most}.{locks}"
