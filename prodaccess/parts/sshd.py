"""A host to log in at by certificate: the machine's own sshd where it has one, or else a small server of ours."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from prodaccess.parts.part import Part, Program, is_free

ROOT = Path(__file__).parents[2]
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
Subsystem sftp internal-sftp
"""


def find_sshd() -> str:
    """Its path, or an empty text: it is part of the system, not of our packages."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""


class Sshd(Part):
    """Trusts Vault's certificate authority (`ca`), and reads the revocation list `krl`.

    `user` is the account of this process: sshd without root can let in nobody else. `principal` is what certificates
    have to be for; without one, that account.
    """

    name = "sshd"

    def __init__(self, ca: str, krl: Path, principal: str = "") -> None:
        super().__init__()
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self._ca = ca
        self._krl = krl
        self._principal = principal or self.user

    @property
    def log(self) -> str:
        return (self.directory / "server.log").read_text(errors="replace")

    @property
    def key(self) -> str:
        """The host's public one."""
        return (self.directory / "host_key.pub").read_text().strip()

    def _prepare(self) -> Program:
        self._make_key()
        (self.directory / "ca.pub").write_text(self._ca)
        (self.directory / "principals").write_text(self._principal + "\n")
        if not (sshd := find_sshd()):
            small = [sys.executable, "-m", "prodaccess.parts.small_ssh_host", str(self.directory), str(self.port)]
            return Program(small, environment={"PYTHONPATH": str(ROOT)})
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks its unprivileged half in
        config = self.directory / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, directory=self.directory, krl=self._krl))
        return Program([sshd, "-D", "-e", "-f", str(config)])

    def _make_key(self) -> None:
        made, path = Ed25519PrivateKey.generate(), self.directory / "host_key"
        path.touch(mode=0o600)
        path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        public = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        path.with_name("host_key.pub").write_bytes(public + b"\n")

    def _ready(self) -> bool:
        return not is_free(self.port)
