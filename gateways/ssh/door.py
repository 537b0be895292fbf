"""The gateway's door onto the rest of the house: a key proves who comes, and each connection becomes a session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from access.errors import AccessError, Refused
from access.sessions.admission import Visit
from access.sessions.flags import OPAQUE
from access.sessions.model import SSH
from gateways.desk import Desk
from gateways.holding import Answer, Waiting, Wish
from gateways.live import Hold, Live
from gateways.ssh.line import Asked
from gateways.ssh.reception import Visitor
from gateways.ssh.tape import FORM, SshTape, flags_of
from gateways.ssh.upstream import Upstream
from gateways.ssh.uses import faults, forwards, listed

_GONE = Answer(allowed=False, why="Nobody waits for it any more.")


@dataclass(frozen=True)
class SshDoor:
    """`gateways.ssh.gateway.Door` over one desk."""

    desk: Desk

    async def knows(self, name: str, key: str) -> bool:
        """Whether a pass has it. A log or a database that does not answer lets nobody in."""
        try:
            return await self.desk.admission.pass_with(name, SSH, key) is not None
        except AccessError:
            return False

    async def admit(self, visitor: Visitor) -> SshSession:
        given = await self.desk.admission.pass_with(visitor.name, SSH, visitor.key)
        if given is None:
            raise Refused("The pass that let you in has ended.")
        live = await self.desk.open(Visit(SSH, given.name, visitor.address, visitor.client), FORM, SshTape)
        try:
            return SshSession(self.desk, live, upstream_of(live))
        except BaseException as error:
            self.desk.over(live, str(error) or type(error).__name__)
            raise


@dataclass(frozen=True)
class SshSession:
    """`gateways.ssh.gateway.Session`."""

    desk: Desk
    live: Live
    upstream: Upstream

    @property
    def tape(self) -> SshTape:
        assert isinstance(self.live.tape, SshTape)  # `admit` made it
        return self.live.tape

    def asks(self, asked: Asked) -> Awaitable[str] | None:
        flags = _flags(asked)
        if held := flags & self.live.watch.hold:
            return self._ask(asked, held)
        self.live.unheld |= flags & {OPAQUE}  # from here on, what is typed into it is not asked about
        return None

    async def _ask(self, asked: Asked, flags: frozenset[str]) -> str:
        gone: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        asked.gone.add_done_callback(lambda _: None if gone.done() else gone.set_result(_GONE))
        text, _ = self.live.tape.recorder.redaction.line(asked.text or asked.what)
        answer = await self.desk.holding.ask(Wish(text, flags), Waiting(self.live, asked.tell, gone))
        return "" if answer.allowed else answer.why or "It was not let run."

    def running(self, hold: Hold) -> None:
        self.desk.begun(self.live, hold)

    def over(self, why: str) -> None:
        self.desk.over(self.live, why)


def _flags(asked: Asked) -> frozenset[str]:
    """Nothing tells what will be typed into a shell, or what another subsystem than that of files does."""
    if asked.what == "command":
        return flags_of(asked.text)
    return frozenset() if (asked.what, asked.text) == ("subsystem", "sftp") else frozenset({OPAQUE})


def upstream_of(live: Live) -> Upstream:
    """Where the policy says that the host is. Raises Refused."""
    uses = live.admitted.grant.uses
    if wrong := faults(uses):
        raise Refused(f"The policy does not say how to reach the host of {live.ref}: {wrong[0]}")
    return Upstream(
        uses["host"], int(uses.get("port", "22")), uses["user"], live.admitted.credential.secret,
        host_keys=listed(uses, "host_key"), host_authorities=listed(uses, "host_ca"), name=uses.get("host_name", ""),
        marks=uses.get("marks", "yes") == "yes", forwards=forwards(uses),
    )  # fmt: skip
