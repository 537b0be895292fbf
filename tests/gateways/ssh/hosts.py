"""Hosts behind the gateway: a real sshd where there is one, and asyncssh's server, which is there everywhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from access.secret import Secret
from gateways.ssh.upstream import Upstream
from prodaccess.parts.part import Program
from tests.providers.sshd import Sshd, find_sshd

MORE = """\
Subsystem sftp internal-sftp
AcceptEnv LC_* PRODACCESS_*
AllowTcpForwarding yes
MaxSessions 100
MaxStartups 2000
"""
PRINCIPAL = "gateway"


@dataclass(frozen=True)
class Keys:
    """An authority of users and its key pair for the gateway; the host's key."""

    authority: asyncssh.SSHKey
    own: asyncssh.SSHKey
    host: asyncssh.SSHKey

    @classmethod
    def make(cls) -> Keys:
        return cls(*(asyncssh.generate_private_key("ssh-ed25519") for _ in range(3)))

    def credential(self, principal: str = PRINCIPAL, valid: str = "+1h") -> Secret:
        certificate = self.authority.generate_user_certificate(
            self.own, "PA-7:ana", principals=[principal], valid_before=valid, serial=5
        )
        return Secret({"private_key": private(self.own), "certificate": certificate.export_certificate().decode()})


def private(key: asyncssh.SSHKey) -> str:
    return key.export_private_key().decode()


def public(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


class OpenSshd(Sshd):
    """With an account of its own where this process may make one: an empty home, and bash.

    `engineer`: that account is not root's. sshd does some things otherwise for root.
    """

    name = "sshd"

    def __init__(self, authority: str, *, engineer: bool = False) -> None:
        super().__init__(authority, Path("none"), PRINCIPAL)
        self._uid = os.geteuid()
        if engineer:
            self.user, self._uid = "engineer", 4242

    def _prepare(self) -> Program:
        program = super()._prepare()
        config = self.directory / "sshd_config"
        config.write_text(config.read_text().replace("RevokedKeys none\n", "") + MORE)
        if not own_namespace():
            return program
        script = f'mount --bind "{self._accounts()}" /etc/passwd && exec "$@"'
        return Program(["unshare", "-m", "sh", "-c", script, "sh", *program.command])

    def _accounts(self) -> Path:
        home = self.directory / "home"
        home.mkdir()
        self.directory.chmod(0o711)
        os.chown(home, self._uid, self._uid)
        others = [
            line
            for line in Path("/etc/passwd").read_text().splitlines(keepends=True)
            if not line.startswith(f"{self.user}:")
        ]
        accounts = self.directory / "passwd"
        accounts.write_text(f"{self.user}:x:{self._uid}:{self._uid}::{home}:/bin/bash\n" + "".join(others))
        return accounts

    @property
    def key(self) -> str:
        return " ".join((self.directory / "host_key.pub").read_text().split()[:2])

    def upstream(self, keys: Keys) -> Upstream:
        return Upstream("127.0.0.1", self.port, self.user, keys.credential(), host_keys=(self.key,), marks=False)


def own_namespace() -> bool:
    """Whether a process of ours may see another /etc/passwd than everybody else."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


class _Owner(asyncssh.SSHServer):
    """Lets in whoever has a certificate of the authority, and forwards."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key == self._keys.authority.convert_to_public()

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return True


async def _run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """What was asked for, by the machine's own shell, killed with its channel."""
    child = await asyncio.create_subprocess_shell(
        process.command or "exec sh", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    feeding = asyncio.ensure_future(_feed(process.stdin, child.stdin))
    drained = asyncio.gather(_drain(child.stdout, process.stdout), _drain(child.stderr, process.stderr))
    gone = asyncio.ensure_future(process.channel.wait_closed())
    await asyncio.wait([drained, gone], return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        child.kill()
        drained.cancel()
    with suppress(asyncssh.Error, OSError, asyncio.CancelledError):
        await drained
        process.exit(await child.wait())
    await child.stdout.read()  # a program has not ended for asyncio before its pipes have
    await child.stderr.read()
    await child.wait()
    for task in (gone, feeding):
        task.cancel()
    await asyncio.gather(drained, gone, feeding, return_exceptions=True)


async def _feed(source: asyncssh.SSHReader[bytes], sink: asyncio.StreamWriter) -> None:
    with suppress(asyncssh.Error, asyncssh.SignalReceived, asyncssh.BreakReceived, OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _drain(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


@asynccontextmanager
async def in_process(keys: Keys, certificate: asyncssh.SSHCertificate | None = None) -> AsyncIterator[Upstream]:
    key = (keys.host, certificate) if certificate else keys.host
    running: set[asyncio.Task[None]] = set()

    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.ensure_future(_run(process))
        running.add(task)
        await asyncio.wait([task])
        running.discard(task)

    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: _Owner(keys), server_host_keys=[key], process_factory=run,
        sftp_factory=True, allow_scp=True, encoding=None, line_editor=False, config=None, gss_host=None,
    )  # fmt: skip
    try:
        port = server.sockets[0].getsockname()[1]
        user = "gateway"  # a certificate has to name it
        yield Upstream("127.0.0.1", port, user, keys.credential(user), host_keys=(public(keys.host),), marks=False)
    finally:
        server.close()
        await server.wait_closed()
        async with asyncio.timeout(20):
            while running:
                await asyncio.wait(running)
                await asyncio.sleep(0)


def has_sshd() -> bool:
    return bool(find_sshd())
