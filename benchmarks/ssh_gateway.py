"""The SSH gateway with its recording on, against going there directly and through OpenSSH's ProxyJump, in turn.

OpenSSH's own client everywhere. Everything shares this machine, so look at the ratios. Needs openssh-server.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncssh

from benchmarks.figures import Figure, Result, median, percentile
from benchmarks.ssh_host import NAME, Gateway, Host, certified

ROUNDS = 3
SIZE = 256 << 20  # bytes
KEYS = 300  # round trips of one byte
SESSIONS = 500
HELD = 10  # seconds, with a key each second in each session

Way = Callable[..., list[str]]


@dataclass(frozen=True)
class _Ways:
    """Command lines: `direct`, by `jump`, and through the `gateway`."""

    directory: Path
    host: Host
    gateway: Gateway

    def direct(self, program: str, *said: str) -> list[str]:
        return self._words(program, self.host.port, self.host.user, *said)

    def jump(self, program: str, *said: str) -> list[str]:
        through = " ".join(self._words("ssh", self.host.port, self.host.user, "-W", "%h:%p", "127.0.0.1"))
        return self._words(program, self.host.port, self.host.user, "-o", f"ProxyCommand={through}", *said)

    def through(self, program: str, *said: str) -> list[str]:
        return self._words(program, self.gateway.port, NAME, *said)

    def _words(self, program: str, port: int, user: str, *said: str) -> list[str]:
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   "IdentitiesOnly=yes", f"User={user}", f"Port={port}"]  # fmt: skip
        flags = [word for option in options for word in ("-o", option)]
        return [program, "-F", "none", "-i", str(self.directory / "id"), *flags, *said]


def measure() -> Result:
    with tempfile.TemporaryDirectory() as name, _running(Path(name)) as ways:
        (ways.directory / "big").write_bytes(b"\0" * SIZE)
        figures = [figure for task in _tasks(ways.directory) for figure in _compared(*task, ways)]
        figures += _echoed(ways)
        figures += asyncio.run(_many(ways))
    return Result("ssh_gateway", tuple(figures))


@contextmanager
def _running(directory: Path) -> Iterator[_Ways]:
    authority, own, shown, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(4))
    (directory / "id").touch(mode=0o600)
    (directory / "id").write_bytes(client.export_private_key())
    public = " ".join(client.export_public_key().decode().split()[:2])
    with Host(authority.export_public_key().decode(), public) as host:
        plan: dict[str, object] = {
            "port": host.port, "user": host.user, "host_key": host.key, "credential": certified(authority, own),
            "key": public, "own_key": shown.export_private_key().decode(),
        }  # fmt: skip
        with Gateway(plan) as gateway:
            yield _Ways(directory, host, gateway)


# Bulk and logins


def _tasks(directory: Path) -> Iterator[tuple[str, Callable[[Way], float]]]:
    big = directory / "big"
    yield "a login and a command", lambda way: _took(way("ssh", "127.0.0.1", "true"), times=5)
    yield "256 MiB out of a command", lambda way: _took(way("ssh", "127.0.0.1", f"cat {big}"))
    yield "256 MiB into a command", lambda way: _took(way("ssh", "127.0.0.1", "cat > /dev/null"), given=big)
    for verb in ("get", "put"):
        script = directory / verb
        script.write_text(f"{verb} {big} /dev/null\n")
        yield f"sftp {verb} of 256 MiB", partial(_transferred, script)


def _transferred(script: Path, way: Way) -> float:
    return _took(way("sftp", "-b", str(script), "127.0.0.1"))


def _took(words: list[str], *, times: int = 1, given: Path | None = None) -> float:
    """Milliseconds each."""
    began = time.perf_counter()
    for _ in range(times):
        with (given or Path(os.devnull)).open("rb") as source:
            subprocess.run(words, stdin=source, stdout=subprocess.DEVNULL, check=True, timeout=300)
    return (time.perf_counter() - began) * 1000 / times


def _compared(name: str, task: Callable[[Way], float], ways: _Ways) -> list[Figure]:
    """The best of some rounds: what else runs on the machine only ever adds to it."""
    took: dict[str, list[float]] = {"direct": [], "jump": [], "through": []}
    for _ in range(ROUNDS):
        for way, times in took.items():
            times.append(task(getattr(ways, way)))
    best = {way: min(times) for way, times in took.items()}
    return [
        Figure(f"{name}, to direct", best["through"], "ms", best["direct"]),
        Figure(f"{name}, to ProxyJump", best["through"], "ms", best["jump"], aim=1.1),
    ]


# One key


def _echoed(ways: _Ways) -> list[Figure]:
    took = {way: _echo(getattr(ways, way)("ssh", "127.0.0.1", "cat")) for way in ("direct", "jump", "through")}
    return [
        Figure("one byte and back, to direct", took["through"], "ms", took["direct"]),
        Figure("one byte and back, to ProxyJump", took["through"], "ms", took["jump"]),
    ]


def _echo(words: list[str]) -> float:
    """Median, in milliseconds."""
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        times = []
        for _ in range(KEYS):
            began = time.perf_counter()
            child.stdin.write(b"x")
            child.stdout.read(1)
            times.append((time.perf_counter() - began) * 1000)
        child.stdin.close()
    return median(times)


# Many at once


async def _many(ways: _Ways) -> list[Figure]:
    """Each on a connection of its own, with a terminal."""
    before = ways.gateway.memory()
    began = time.perf_counter()
    clients: list[asyncssh.SSHClientConnection] = []
    shells: list[asyncssh.SSHClientProcess[bytes]] = []
    for _ in range(SESSIONS // 10):
        opened = await asyncio.gather(*(_open(ways) for _ in range(10)))
        clients += [client for client, _ in opened]
        shells += [shell for _, shell in opened]
    rate = SESSIONS / (time.perf_counter() - began)
    each = (ways.gateway.memory() - before) / SESSIONS
    times = [took for shell in await asyncio.gather(*map(_typing, shells)) for took in shell]
    for client in clients:
        client.abort()
    await asyncio.gather(*(client.wait_closed() for client in clients))
    return [
        Figure(f"{SESSIONS} sessions: opened each second", rate, "sessions"),
        Figure(f"{SESSIONS} sessions: memory of each", each / 1024, "KiB", aim=150),
        Figure(f"{SESSIONS} sessions: a key and back, median", median(times), "ms"),
        Figure(f"{SESSIONS} sessions: a key and back, 95 %", percentile(times, 95), "ms"),
    ]


async def _open(ways: _Ways) -> tuple[asyncssh.SSHClientConnection, asyncssh.SSHClientProcess[bytes]]:
    client = await asyncssh.connect(
        "127.0.0.1", ways.gateway.port, username=NAME, client_keys=[str(ways.directory / "id")], known_hosts=None,
        config=None, agent_path=None,
    )  # fmt: skip
    shell = await client.create_process("stty raw -echo; echo ready; cat", term_type="xterm", encoding=None)
    await shell.stdout.readuntil(b"ready")
    return client, shell


async def _typing(shell: asyncssh.SSHClientProcess[bytes]) -> list[float]:
    await asyncio.sleep(os.urandom(1)[0] / 256)  # not all at the same moment
    times = []
    for _ in range(HELD):
        began = time.perf_counter()
        shell.stdin.write(b"x")
        while b"x" not in await shell.stdout.read(64):
            pass
        times.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(1)
    return times
