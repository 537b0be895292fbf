"""Two sides joined: what the client says is recorded, then forwarded; what the server answers is forwarded, then told.

The same bytes go out that came in. Only between two messages of the server is anything of ours put in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from audit.recording.writer import RecorderFailed
from gateways.postgres import messages as m
from gateways.postgres.conversation import Act, Conversation
from gateways.postgres.frames import NotTheProtocol
from gateways.postgres.side import Side


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
        self._notices: list[bytes] = []
        self._last_word: bytes = b""
        self.talk = Conversation()

    def start(self) -> None:
        self._server.pass_on(
            self._from_server, lambda: self._lost("the database closed the connection"), self._to_server
        )
        self._client.pass_on(self._from_client, lambda: self._lost("closed"), self._to_client)

    # What passes

    def _from_client(self, data: bytes) -> None:
        try:
            if acts := self.talk.from_client(data):
                self._tape.asked(acts)
        except (NotTheProtocol, RecorderFailed) as error:
            self.end(str(error), m.error("58030", f"This session has ended: {error}"))
            return
        self._server.write(data)

    def _from_server(self, data: bytes) -> None:
        try:
            acts = self.talk.from_server(data)
        except NotTheProtocol as error:
            self.end(str(error))
            return
        self._client.write(data)
        try:
            if acts:
                self._tape.answered(acts)
        except RecorderFailed as error:
            self.end(str(error), m.error("58030", f"This session has ended: {error}"))
            return
        self._say()

    # A side that cannot take more slows the other down

    def _to_server(self, room: bool) -> None:  # noqa: FBT001 (a callback's shape)
        _read_on(self._client, room=room)

    def _to_client(self, room: bool) -> None:  # noqa: FBT001 (the same)
        _read_on(self._server, room=room)

    # What is put in

    def tell(self, notice: str) -> None:
        """As soon as a message may stand there, the client is told."""
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
        if self._over:
            return
        self._over = True
        if last_word and self.talk.at_boundary:
            self._client.write(last_word)
        self._client.close()
        self._server.close()
        self._ended(why)

    def _lost(self, why: str) -> None:
        self.end(why)


def _read_on(side: Side, *, room: bool) -> None:
    if side.lost:
        return
    if room:
        side.transport.resume_reading()
    else:
        side.transport.pause_reading()
