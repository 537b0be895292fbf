"""A gateway whose door is open to one key; what it recorded; and clients."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import pytest

from access.errors import AccessError
from audit.recording.writer import RecorderFailed
from gateways.ssh.acts import Act
from gateways.ssh.gateway import Hold, SshGateway
from gateways.ssh.line import Asked
from gateways.ssh.reception import Visitor
from gateways.ssh.upstream import Upstream
from tests.gateways.ssh.hosts import private, public

A = TypeVar("A")
NAME = "PA-7.k3f9q"


@dataclass
class Tape:
    """Keeps what it is given; `fail` makes it refuse from then on."""

    acts: list[Act] = field(default_factory=list)
    fails: bool = False

    def write(self, acts: Sequence[Act]) -> None:
        if self.fails:
            raise RecorderFailed("The recording cannot be written: no space left.")
        self.acts += acts

    def of(self, kind: type[A]) -> list[A]:
        return [act for act in self.acts if isinstance(act, kind)]


@dataclass
class Session:
    """One admitted connection."""

    upstream: Upstream
    visitor: Visitor
    tape: Tape = field(default_factory=Tape)
    hold: Hold | None = None
    ask: Callable[[Asked], Awaitable[str]] | None = None
    why: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def asks(self, asked: Asked) -> Awaitable[str] | None:
        return None if self.ask is None else self.ask(asked)

    def running(self, hold: Hold) -> None:
        self.hold = hold

    def over(self, why: str) -> None:
        assert not self.why, "a session ends once"
        self.why = why
        self.ended.set()

    async def wait(self) -> Session:
        async with asyncio.timeout(20):
            await self.ended.wait()
        return self


@dataclass
class Door:
    """Opens to one key."""

    upstream: Upstream
    key: str
    refusal: str = ""
    ask: Callable[[Asked], Awaitable[str]] | None = None
    sessions: list[Session] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def knows(self, name: str, key: str) -> bool:
        self.asked.append(name)
        return name == NAME and key == self.key

    async def admit(self, visitor: Visitor) -> Session:
        if self.refusal:
            raise AccessError(self.refusal)
        self.sessions.append(Session(self.upstream, visitor, ask=self.ask))
        return self.sessions[-1]


@dataclass
class Bench:
    """The gateway and how to reach it."""

    door: Door
    gateway: SshGateway
    port: int
    client_key: asyncssh.SSHKey
    gateway_key: asyncssh.SSHKey
    directory: Path

    def upstream(self, **changes: Any) -> None:
        self.door.upstream = replace(self.door.upstream, **changes)

    @property
    def session(self) -> Session:
        return self.door.sessions[-1]

    @property
    def tape(self) -> Tape:
        return self.session.tape

    async def recorded(self) -> Tape:
        """All of it, once the session is over."""
        return (await self.session.wait()).tape

    @asynccontextmanager
    async def connect(self, **changes: Any) -> AsyncIterator[asyncssh.SSHClientConnection]:
        options: dict[str, Any] = {
            "username": NAME, "client_keys": [self.client_key], "agent_path": None, "config": None, "gss_host": None,
            "known_hosts": ([self.gateway_key.convert_to_public()], [], []),
        }  # fmt: skip
        async with asyncssh.connect("127.0.0.1", self.port, **(options | changes)) as connection:
            yield connection

    def words(self, program: str, *said: str) -> list[str]:
        """The command line of OpenSSH's `ssh`, `scp` or `sftp`; without them, the test is skipped."""
        if shutil.which(program) is None:
            pytest.skip("openssh-client is not installed")
        key, known = self.directory / "id", self.directory / "known_hosts"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(private(self.client_key))
            known.write_text(f"[127.0.0.1]:{self.port} {public(self.gateway_key)}\n")
        options = ["BatchMode=yes", f"UserKnownHostsFile={known}", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes",
                   f"User={NAME}"]  # fmt: skip
        port = "-p" if program == "ssh" else "-P"
        flags = [word for option in options for word in ("-o", option)]
        return [program, "-F", "none", "-i", str(key), port, str(self.port), *flags, *said]

    @asynccontextmanager
    async def again(self) -> AsyncIterator[int]:
        """Another listener, with what has been changed in the gateway since; its port."""
        server = await self.gateway.listen("127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await server.wait_closed()

    async def run(self, *words: str, given: bytes = b"") -> Ran:
        child = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        try:
            async with asyncio.timeout(40):
                out, err = await child.communicate(given)
        except BaseException:
            child.kill()
            await child.wait()
            raise
        return Ran(child.returncode or 0, out, err)


@dataclass(frozen=True)
class Ran:
    """How a program ended."""

    status: int
    out: bytes
    err: bytes


@asynccontextmanager
async def bench(upstream: Upstream, directory: Path) -> AsyncIterator[Bench]:
    client, own = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    door = Door(upstream, public(client))
    gateway = SshGateway(door, private(own))
    server = await gateway.listen("127.0.0.1", 0)
    try:
        yield Bench(door, gateway, server.sockets[0].getsockname()[1], client, own, directory)
    finally:
        server.close()
        await gateway.close("the test is over")
        await server.wait_closed()


async def until(true: Callable[[], object]) -> None:
    """Looks again and again; generous, for other work runs beside it."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 (what it waits for has no event)
            await asyncio.sleep(0.01)
