"""Hosts behind the gateway: a real sshd where there is one, and asyncssh's server, which is there everywhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from access.secret import Secret
from gateways.ssh.upstream import Upstream
from prodaccess.parts import small_ssh_host
from prodaccess.parts.part import Program
from prodaccess.parts.sshd import Sshd, find_sshd

MORE = """\
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

    def upstream(self, keys: Keys) -> Upstream:
        return Upstream("127.0.0.1", self.port, self.user, keys.credential(), host_keys=(self.key,), marks=False)


def own_namespace() -> bool:
    """Whether a process of ours may see another /etc/passwd than everybody else."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@asynccontextmanager
async def in_process(keys: Keys, certificate: asyncssh.SSHCertificate | None = None) -> AsyncIterator[Upstream]:
    key = (keys.host, certificate) if certificate else keys.host
    running: set[asyncio.Task[None]] = set()

    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.ensure_future(small_ssh_host.run(process))
        running.add(task)
        await asyncio.wait([task])
        running.discard(task)

    server = await small_ssh_host.listen(keys.authority.convert_to_public(), [key], 0, run)
    try:
        port = server.get_port()
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
