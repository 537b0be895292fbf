"""A relay in which single statements wait until somebody lets them run.

Messages are looked at one by one, and what follows one that waits waits behind it. A statement that is refused is
replaced by one that the database refuses by itself, so that its transaction, its batch and whatever the client believes
about both are as after any statement that failed; the client hears our sentence instead of the database's.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Sequence
from itertools import takewhile
from struct import pack
from typing import Protocol

import msgspec

from access.sessions.flags import HOLDABLE, OPAQUE
from audit.recording.writer import RecorderFailed
from gateways.holding import STOPPED, Answer, Wish
from gateways.live import LEFT
from gateways.postgres import messages as m
from gateways.postgres.acts import Act, Answered, Asked
from gateways.postgres.conversation import SURELY, Conversation, Due
from gateways.postgres.frames import Frame, NotTheProtocol
from gateways.postgres.names import Given
from gateways.postgres.pieces import Pieces
from gateways.postgres.relay import Relay, Tape
from gateways.postgres.side import Side
from gateways.postgres.statements import SHORT, understand

_JUDGED = frozenset((m.QUERY, m.PARSE, m.BIND, m.EXECUTE, m.CALL))
_RUN = frozenset((m.QUERY, m.EXECUTE, m.CALL))
MOST_BEHIND = 256 << 10  # bytes that wait behind a statement before nothing more is read
_LOOK = 0.5  # seconds
_REPREPARES = re.compile(r"\bprepare\b", re.IGNORECASE)
_RUNS_PREPARED = re.compile(r"\bexecute\b", re.IGNORECASE)
_TAKEN_BACK = Answer(allowed=False, why="canceling statement due to user request", code=STOPPED)
_ENDED = Answer(allowed=False, why="Its session has ended.")
_MOOT = Answer(allowed=False, why="A statement before it in the same batch has failed, so that it is not run.")


class Gate(Protocol):
    """Who is asked. `hold`: the flags of what has to wait; `shown`: text and values as others may see them."""

    @property
    def hold(self) -> frozenset[str]: ...

    def shown(self, text: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...]]: ...

    async def ask(self, wish: Wish, tell: Callable[[str], None], gone: asyncio.Future[Answer]) -> Answer: ...


class Watched(Conversation):
    """A conversation that says what its last message would have run."""

    def __init__(self) -> None:
        super().__init__()
        self.newest: Due | None = None
        self.given: Given | None = None  # of a Parse, a Bind or an Execute
        self._told: str | None = None  # the portal of a refused Bind, of which it is told already

    def _expect(self, due: Due) -> bool:
        is_run = super()._expect(due)
        if is_run:
            self.newest = due
            self.given = due.given or self.given
        return is_run

    def _execute(self, frame: Frame, acts: list[Act]) -> None:
        portal = m.portal_of(frame.payload)
        if self._skips == SURELY and portal == self._told:
            return
        self.given = self._portals.look_up(portal, self._batch, self._reopened if portal else self.queried)
        super()._execute(frame, acts)

    def tried(self, bind: Due) -> list[Act]:
        """That a statement was to be run which is refused at its Bind already."""
        if bind.given is None:
            return []
        self.asked += 1
        bind.n, self._told = self.asked, bind.name
        text = bind.given.text
        return [Asked(bind.n, text.text, bind.given.values, bind.given.exact, text.size, text.digest)]

    def next_answered(self) -> Due | None:
        """What the server's next answer is about."""
        return self._head()

    def runs_before(self, due: Due) -> bool:
        """Whether the server has been sent something to run that it has not answered, before this one."""
        return any(each.kind in _RUN for each in takewhile(lambda each: each is not due, self._due))

    def expects(self, due: Due) -> bool:
        return any(each is due for each in self._due)


class HoldingRelay(Relay):
    """`gate` is asked for each statement of a kind that is held."""

    def __init__(self, sides: tuple[Side, Side], tape: Tape, ended: Callable[[str], None], gate: Gate) -> None:
        super().__init__(*sides, tape, ended)
        self.talk: Watched = Watched()
        self._gate = gate
        self._behind = Pieces(_JUDGED)
        self._answers = Pieces(frozenset((m.ERROR,)))
        self._prepared: frozenset[str] = frozenset()  # what any statement under a name could be held for
        self._refused: list[tuple[Due, Answer]] = []  # whose answer is still to come
        self._waits: tuple[Due, asyncio.Future[Answer]] | None = None
        self._settled = asyncio.Event()  # of what was refused, the database has refused it, too
        self._work: asyncio.Task[None] | None = None

    # From the client

    def _from_client(self, data: bytes) -> None:
        if self._over:
            return
        self._behind.feed(data)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._go_on())
        elif len(self._behind) > MOST_BEHIND:
            self._read_client()

    @property
    def _has_room(self) -> bool:
        return super()._has_room and (self._work is None or len(self._behind) <= MOST_BEHIND)

    async def _go_on(self) -> None:
        try:
            while not self._over and (piece := self._behind.next()) is not None:
                await self._pass(*piece)
        except (NotTheProtocol, RecorderFailed) as error:
            self._break(error)
        except BaseException:
            self.end("the gateway failed", m.error("58030", "This session has ended: the gateway failed."))
            raise
        finally:
            self._work = None
            if not self._over:
                self._read_client()

    async def _pass(self, kind: int, piece: bytes) -> None:
        """Raises NotTheProtocol, RecorderFailed."""
        self.talk.newest = self.talk.given = None
        acts = self.talk.from_client(piece)
        due = self.talk.newest
        if kind and due is not None and (wish := await self._wish(kind, acts)) is not None:
            given = self.talk.given
            answer = await self._wait(wish, due)
            if self._over:
                return
            if not answer.allowed:
                piece = _instead(kind)
                acts = acts or self.talk.tried(due)
                self._refused.append((due, answer))
            elif given is not None:
                given.let = True
        if acts:
            self._tape.asked(acts)
        self._server.write(piece)
        while self._refused and not self._over:  # until then it is not certain what becomes of the rest of its batch
            self._settled.clear()
            await self._settled.wait()

    async def _wait(self, wish: Wish, due: Due) -> Answer:
        gone: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waits = waits = (due, gone)
        self._look_out(waits)
        try:
            return await self._gate.ask(wish, self.tell, gone)
        finally:
            self._waits = None

    def _look_out(self, waits: tuple[Due, asyncio.Future[Answer]]) -> None:
        """Where nothing more is read, nobody else sees that the client leaves."""
        if self._waits is not waits or self._over:
            return
        if not self._has_room and self._client.has_left:
            self._lost(LEFT)
        else:
            asyncio.get_running_loop().call_later(_LOOK, self._look_out, waits)

    def _wake(self, answer: Answer) -> None:
        if self._waits is not None and not self._waits[1].done():
            self._waits[1].set_result(answer)

    def stop_waiting(self) -> bool:
        """And where the database may still be at something that came before, that as well."""
        waits = self._waits
        self._wake(_TAKEN_BACK)
        return waits is not None and not self.talk.runs_before(waits[0])

    def end(self, why: str, last_word: bytes = b"") -> None:
        super().end(why, last_word)
        self._wake(_ENDED)
        self._settled.set()

    # What is held

    async def _wish(self, kind: int, acts: Sequence[Act]) -> Wish | None:
        """None where it need not wait."""
        given, asked = self.talk.given, next((act for act in acts if isinstance(act, Asked)), None)
        if asked is not None:
            text, values, exact, cut = asked.text, asked.values, asked.exact, bool(asked.digest)
        elif given is not None:
            text, values, exact, cut = given.text.text, given.values, given.exact, bool(given.text.digest)
        else:
            return None
        flags = await self._flags(text, exact=exact, cut=cut)
        if kind == m.PARSE or _REPREPARES.search(text):
            self._prepared |= flags
        held = flags & self._gate.hold
        if kind == m.PARSE or not held or (given is not None and given.let and kind == m.EXECUTE):
            return None
        known = understand(text)
        shown, values = self._gate.shown(text, values)
        return Wish(
            shown, held, known.touches[:_MOST_TABLES], json.dumps(values, ensure_ascii=False) if values else "",
            known.coverage if exact else OPAQUE, self.talk.state != "I",
        )  # fmt: skip

    async def _flags(self, text: str, *, exact: bool, cut: bool) -> frozenset[str]:
        """What a text is to be held for, if anything: whatever could be meant where it is not certain what is run."""
        if cut:
            return HOLDABLE
        known = understand(text) if len(text) <= SHORT else await asyncio.to_thread(understand, text)
        if exact and not _RUNS_PREPARED.search(text):
            return known.flags
        return known.flags | self._prepared | (frozenset() if exact else {OPAQUE})

    # From the server

    def _pass_back(self, data: bytes) -> None:
        self._answers.feed(data)
        while (piece := self._answers.next()) is not None:
            is_error, part = piece
            about = self.talk.next_answered() if is_error and self._refused else None
            acts = self.talk.from_server(part)
            answer = next((answer for due, answer in self._refused if due is about), None)
            if answer is not None:
                part = m.error(answer.code, answer.why, severity="ERROR")
                acts = [_reworded(act, answer) for act in acts]
            self._client.write(part)
            if acts:
                self._tape.answered(acts)
            self._refused = [each for each in self._refused if each[0] is not about and self.talk.expects(each[0])]
            self._settled.set()
        if self._waits is not None and not self.talk.expects(self._waits[0]):
            self._wake(_MOOT)


_MOST_TABLES = 50


def _reworded(act: Act, answer: Answer) -> Act:
    """As it was told to the client; what else failed with it was skipped."""
    if not isinstance(act, Answered) or not act.code:
        return act
    return msgspec.structs.replace(act, code=answer.code, message=answer.why)


def _instead(kind: int) -> bytes:
    """What the database refuses by itself, whatever state it is in, and without any other effect.

    Nobody can give its name to something that could be run: it is made for this one time.
    """
    name = f"refused by prodaccess {secrets.token_hex(16)}\0".encode()
    if kind == m.BIND:
        return m.message(m.BIND, b"\0" + name + pack(">HHH", 0, 0, 0))
    if kind == m.EXECUTE:
        return m.message(m.EXECUTE, name + pack(">I", 0))
    return m.message(m.QUERY, name)  # which is no SQL
