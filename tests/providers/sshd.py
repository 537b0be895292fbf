"""A real sshd that trusts Vault's certificate authority and reads the revocation list."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

from access.ports import Released
from prodaccess.parts.part import Part, PartError, Program

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
PidFile none
LogLevel VERBOSE
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin yes
AuthorizedKeysFile none
TrustedUserCAKeys {directory}/ca.pub
AuthorizedPrincipalsFile {directory}/principals
RevokedKeys {krl}
"""


def find_sshd() -> str:
    """Its path, or an empty text: it is part of the system, not of our packages."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""


class Sshd(Part):
    """`user` is the account of this process: sshd without root can let in nobody else."""

    name = "sshd"

    def __init__(self, ca: str, krl: Path, principal: str) -> None:
        super().__init__()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self._ca = ca
        self._krl = krl
        self._principal = principal

    @property
    def log(self) -> str:
        return (self.directory / "server.log").read_text(errors="replace")

    def _prepare(self) -> Program:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks its unprivileged half in
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / "host_key"], check=True)
        (self.directory / "ca.pub").write_text(self._ca)
        (self.directory / "principals").write_text(self._principal + "\n")
        config = self.directory / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, directory=self.directory, krl=self._krl))
        return Program([find_sshd(), "-D", "-e", "-f", str(config)])

    def _ready(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex((self.host, self.port)) == 0


class Terminal:
    """What an engineer's machine does with a credential: the key in a file of its own, and OpenSSH's client."""

    def __init__(self, sshd: Sshd, directory: Path) -> None:
        self._sshd = sshd
        self._directory = directory

    def command(self, issued: Released, *said: str) -> list[str]:
        values = issued.secret.reveal()
        key = self._directory / issued.public_id.replace(" ", "_")
        key.touch(mode=0o600)
        key.write_text(values["private_key"])
        certificate = key.with_name(key.name + "-cert.pub")
        certificate.write_text(values["certificate"])
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   "IdentitiesOnly=yes", f"CertificateFile={certificate}"]  # fmt: skip
        flags = [word for option in options for word in ("-o", option)]
        where = ["-F", "none", "-i", str(key), "-p", str(self._sshd.port)]
        return ["ssh", *where, *flags, f"{self._sshd.user}@127.0.0.1", *said]

    def login(self, issued: Released, said: str = "true") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(issued, said),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def lets_in(self, issued: Released) -> bool:
        done = self.login(issued, "echo inside")
        if done.returncode == 0:
            assert done.stdout == "inside\n"
            return True
        if "Permission denied" not in done.stderr:
            raise PartError(done.stderr)
        return False

    def session(self, issued: Released) -> subprocess.Popen[str]:
        """An open one that answers lines with themselves."""
        opened = subprocess.Popen(
            self.command(issued, "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert says(opened, "first") == "first"
        return opened


def says(session: subprocess.Popen[str], line: str) -> str:
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(line + "\n")
    session.stdin.flush()
    return session.stdout.readline().strip()


def wait_past(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))
