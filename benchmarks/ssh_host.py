"""What the SSH benchmark runs beside itself: a real sshd, and the gateway in a process of its own, with recordings."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from access.secret import Secret
from audit.recording.form import KEY, Header
from audit.recording.writer import Recorder
from gateways.ssh.gateway import Hold, SshGateway
from gateways.ssh.line import Asked
from gateways.ssh.reception import Visitor
from gateways.ssh.tape import FORM, SshTape
from gateways.ssh.upstream import Upstream
from prodaccess.parts.part import Part, Program

PRINCIPAL = "gateway"
NAME = "PA-7"
RECORDED_BY = bytes(KEY)
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
PidFile none
PasswordAuthentication no
UsePAM no
StrictModes no
PermitRootLogin yes
AuthorizedKeysFile {directory}/authorized
TrustedUserCAKeys {directory}/ca.pub
AuthorizedPrincipalsFile {directory}/principals
Subsystem sftp internal-sftp
MaxSessions 1000
MaxStartups 2000
"""


class Host(Part):
    """Lets in the certificates of `authority`, and the key that goes there directly. As root, the account's shell is
    dash for the time of the run: what somebody's bash reads when it starts is not to be measured."""

    name = "sshd"

    def __init__(self, authority: str, direct: str) -> None:
        super().__init__()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self._files = {"ca.pub": authority, "authorized": direct, "principals": PRINCIPAL}

    def _prepare(self) -> Program:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / "host_key"], check=True)
        for name, text in self._files.items():
            (self.directory / name).write_text(text + "\n")
        config = self.directory / "sshd_config"
        config.write_text(_CONFIG.format(port=self.port, directory=self.directory))
        command = [shutil.which("sshd", path="/usr/sbin") or "sshd", "-D", "-e", "-f", str(config)]
        if os.geteuid() != 0:
            return Program(command)
        accounts = self.directory / "passwd"
        accounts.write_text(f"root:x:0:0::{self.directory}:/bin/dash\n" + Path("/etc/passwd").read_text())
        script = f'mount --bind "{accounts}" /etc/passwd && exec "$@"'
        return Program(["unshare", "-m", "sh", "-c", script, "sh", *command])

    def _ready(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    @property
    def key(self) -> str:
        return " ".join((self.directory / "host_key.pub").read_text().split()[:2])


@dataclass
class _Session:
    """One connection. What goes into the log each second is gathered and dropped: the log has its own benchmark."""

    upstream: Upstream
    tape: SshTape
    _timer: asyncio.TimerHandle | None = None

    def asks(self, asked: Asked) -> None:
        """Nobody is asked."""

    def running(self, _hold: Hold) -> None:
        self._harvest()

    def over(self, why: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.tape.harvest()
        self.tape.recorder.close(why)

    def _harvest(self) -> None:
        self.tape.harvest(self.tape.waiting)
        self._timer = asyncio.get_running_loop().call_later(1, self._harvest)


@dataclass(frozen=True)
class _Door:
    """Lets in one key, to a recording on disk as in production."""

    upstream: Upstream
    key: str
    directory: Path

    async def knows(self, name: str, key: str) -> bool:
        return name == NAME and key == self.key

    async def admit(self, visitor: Visitor) -> _Session:
        del visitor
        session = secrets.token_hex(8)
        header = Header(session=session, ref=NAME, form=FORM, started_at=time.time_ns() // 1000)
        (self.directory / "recordings").mkdir(exist_ok=True)
        return _Session(self.upstream, SshTape(Recorder(self.directory / "recordings" / session, header, RECORDED_BY)))


class Gateway(Part):
    """The gateway in a process of its own; `plan` is what it has to know."""

    name = "gateway"

    def __init__(self, plan: dict[str, object]) -> None:
        super().__init__()
        self._plan = plan
        self.pid = 0

    def _prepare(self) -> Program:
        plan = self._plan | {"own_port": self.port, "directory": str(self.directory)}
        (self.directory / "plan").write_text(json.dumps(plan))
        here = {"PYTHONPATH": str(Path(__file__).parents[1])}
        return Program([sys.executable, "-m", "benchmarks.ssh_host", str(self.directory / "plan")], environment=here)

    def _ready(self) -> bool:
        with closing(socket.socket()) as probe:
            if probe.connect_ex((self.host, self.port)) != 0:
                return False
        self.pid = int((self.directory / "pid").read_text())
        return True

    def memory(self) -> int:
        """Bytes of its own, with its share of what is shared."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def certified(authority: asyncssh.SSHKey, own: asyncssh.SSHKey) -> dict[str, str]:
    certificate = authority.generate_user_certificate(own, "benchmark", principals=[PRINCIPAL])
    return {
        "private_key": own.export_private_key().decode(),
        "certificate": certificate.export_certificate().decode(),
    }


async def _serve(plan: dict[str, object]) -> None:
    directory = Path(str(plan["directory"]))
    credential = plan["credential"]
    assert isinstance(credential, dict)
    upstream = Upstream(
        "127.0.0.1",
        int(str(plan["port"])),
        str(plan["user"]),
        Secret(credential),
        (str(plan["host_key"]),),
        marks=False,
    )
    gateway = SshGateway(_Door(upstream, str(plan["key"]), directory), str(plan["own_key"]))
    (directory / "pid").write_text(str(os.getpid()))
    server = await gateway.listen("127.0.0.1", int(str(plan["own_port"])))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(Path(sys.argv[1]).read_text())))
