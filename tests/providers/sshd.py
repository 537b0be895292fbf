"""What an engineer's machine does with an SSH certificate, at a real sshd."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from access.ports import Released
from prodaccess.parts.part import PartError
from prodaccess.parts.sshd import Sshd


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
