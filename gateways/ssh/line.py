"""What a program needs of the connection that it belongs to, and of its two channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from audit.recording.writer import RecorderFailed
from gateways.ssh.acts import Act, Refused

if TYPE_CHECKING:
    from gateways.ssh.program import Program

CHANNEL, CONNECTION, LOG, APPROVAL = "channel", "connection", "log", "approval"  # what has no room, or is waited for


@dataclass(frozen=True, slots=True)
class Asked:
    """A `shell`, `command` or `subsystem` that is to be started. `tell` shows the client a line; `gone` is done when
    nobody waits for it any more."""

    what: str
    text: str
    tell: Callable[[str], None]
    gone: asyncio.Future[None]


class Line(Protocol):
    """The connection that a program belongs to."""

    marks: bool

    def write(self, acts: Sequence[Act]) -> None:
        """Raises RecorderFailed."""
        ...

    def refused(self, act: Refused) -> None:
        """The same."""
        ...

    def failed(self, error: RecorderFailed) -> None:
        """Nothing may pass any more."""
        ...

    def may(self, asked: Asked) -> Awaitable[str] | None:
        """Why it may not be started, once that is known; None: it may."""
        ...

    def gone(self, program: Program) -> None: ...

    def notices(self) -> list[str]:
        """What is still to be told to whoever can be told."""
        ...


class Channel(Protocol):
    """What of an asyncssh channel is used, be it a session's or a forwarded connection's."""

    def write(self, data: bytes, datatype: int | None = None) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
