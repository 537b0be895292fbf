"""Two sides joined: what the client says is recorded, then forwarded; what the server answers is forwarded, then told.

The same bytes go out that came in. Only between two messages of the server is anything of ours put in.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from audit.recording.writer import RecorderFailed, failure
from gateways.live import LEFT
from gateways.postgres import messages as m
from gateways.postgres.acts import Act
from gateways.postgres.conversation import Conversation
from gateways.postgres.frames import NotTheProtocol
from gateways.postgres.loop import Carrier, carrier
from gateways.postgres.plain import RECOGNISES, ShortWay
from gateways.postgres.plain import Tape as LineTape
from gateways.postgres.side import Side

_LINGER = 5.0  # seconds for the client to take the last word


class Tape(Protocol):
    """Where the acts of a session are kept."""

    def asked(self, acts: Sequence[Act]) -> None:
        """Before anything of them reaches the server. Raises RecorderFailed."""
        ...

    def answered(self, acts: Sequence[Act]) -> None:
        """Raises RecorderFailed."""
        ...


class Relay:
    """One session's bytes. `ended` is called once, with why."""

    def __init__(self, client: Side, server: Side, tape: Tape, ended: Callable[[str], None]) -> None:
        self._client = client
        self._server = server
        self._tape = tape
        self._ended = ended
        self._over = False
        self._slow = False  # whoever keeps the record wants no more for now
        self._full = False  # the server takes no more for now
        self._notices: list[bytes] = []
        self._last_word: bytes = b""
        self.talk = Conversation()
        self._short = ShortWay(self.talk, tape) if RECOGNISES and isinstance(tape, LineTape) else None
        self._carrier: Carrier | None = None
        self._carried = -1  # the client's descriptor, while what it says passes by itself

    def start(self) -> None:
        self._carrier = carrier()
        self._client.on_end = self._server.on_end = self._take_back
        self._server.pass_on(
            self._from_server, lambda: self._lost("the database closed the connection"), self._to_server
        )
        self._client.pass_on(self._from_client, lambda: self._lost(LEFT), self._to_client)

    # What passes

    def _from_client(self, data: bytes) -> None:
        if self._over:  # TLS gives what it had already taken in
            return
        try:
            if (self._short is None or not self._short.ask(data)) and (acts := self.talk.from_client(data)):
                self._tape.asked(acts)
        except (NotTheProtocol, RecorderFailed) as error:
            self._break(error)
            return
        self._server.write(data)

    def _from_server(self, data: bytes) -> None:
        if self._over:
            return
        try:
            self._pass_back(data)
        except NotTheProtocol as error:
            self.end(str(error))
            return
        except RecorderFailed as error:
            self._break(error)
            return
        if self._notices:
            self._say()

    def _pass_back(self, data: bytes) -> None:
        """Raises NotTheProtocol, RecorderFailed."""
        self._client.write(data)  # what it answers is no secret to the client: it need not wait until it is understood
        if self._short is not None and self._short.answer(data):
            if self._carrier is not None and self._short.is_likely:
                self._hand_over(self._short, self._carrier)
        elif acts := self.talk.from_server(data):
            self._tape.answered(acts)

    # What passes by itself

    def _hand_over(self, short: ShortWay, to: Carrier) -> None:
        """Where nothing waits here. Raises RecorderFailed."""
        if self._notices or not self._has_room:
            return
        client = self._client.lend()
        server = None if client is None else self._server.lend()
        if client is None:
            return
        if server is not None and short.hand_over(to, (client, server), self._take_back):
            self._carried = client.descriptor
        else:
            self._client.lent_back()
            if server is not None:
                self._server.lent_back()
            self._read_on()

    def _take_back(self) -> None:
        """What passed by itself passes through here again; what came of it is gone on with."""
        client, self._carried = self._carried, -1
        if client < 0 or self._short is None or self._carrier is None:
            return
        try:
            left = self._short.take_back(self._carrier, client)
        except BaseException:  # what passed meanwhile is not known, so nothing passes any more
            self._client.hang_up()
            self._server.hang_up()
            raise
        self._client.lent_back(left.untaken)
        self._server.lent_back(left.unsent)
        self._read_on()
        if left.failed:
            self._break(failure(OSError(left.failed, os.strerror(left.failed))))
            return
        if left.torn:
            self.end("the connection broke")
            return
        if left.answer:
            self._from_server(left.answer)
        if left.said:
            self._from_client(left.said)

    def _read_on(self) -> None:
        self._read_client()
        _read_on(self._server, room=True)

    @property
    def busy(self) -> bool:
        """Whether the server still has something to answer."""
        self._take_back()
        return self.talk.busy

    # A side that cannot take more slows the other down

    def _to_server(self, room: bool) -> None:  # noqa: FBT001 (a callback's shape)
        self._full = not room
        self._read_client()

    def slow(self, *, down: bool) -> None:
        """From outside: nothing more is read from the client for now."""
        self._take_back()
        self._slow = down
        self._read_client()

    @property
    def _has_room(self) -> bool:
        return not (self._full or self._slow)

    def _read_client(self) -> None:
        _read_on(self._client, room=self._has_room)

    def _to_client(self, room: bool) -> None:  # noqa: FBT001 (the same)
        _read_on(self._server, room=room)

    # What is put in

    def tell(self, notice: str) -> None:
        """As soon as a message may stand there, the client is told."""
        self._take_back()
        self._notices.append(m.notice(notice))
        self._say()

    def _say(self) -> None:
        if self._over or not self.talk.at_boundary:
            return
        for notice in self._notices:
            self._client.write(notice)
        self._notices.clear()

    def end(self, why: str, last_word: bytes = b"") -> None:
        """Once. The client hears the last word only where a message may stand; in the midst of one it is cut off."""
        self._take_back()
        if self._over:
            return
        self._over = True
        if last_word and self.talk.at_boundary:
            self._client.write(last_word)
        self._client.close()
        asyncio.get_running_loop().call_later(_LINGER, self._client.hang_up)  # one that does not read keeps nothing
        if last_word:
            self._server.drop()
        else:
            self._server.close()
        self._ended(why)

    def _break(self, error: Exception) -> None:
        self.end(str(error), m.error("58030", f"This session has ended: {error}"))

    def stop_waiting(self) -> bool:
        """A client wants what it waits for stopped; False where it is the database that has to."""
        return False

    def _lost(self, why: str) -> None:
        self.end(why)


def _read_on(side: Side, *, room: bool) -> None:
    if side.lost:
        return
    if room:
        side.transport.resume_reading()
    else:
        side.transport.pause_reading()
