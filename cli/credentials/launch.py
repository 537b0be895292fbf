"""Starting a command with a credential that only it holds."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from ..exits import Usage
from .credential import CONFLICTING, Credential, ends_at, environment, pgpass_lines, postgres_place

_GRACE = 10.0  # seconds between SIGTERM and SIGKILL


class Prepared(NamedTuple):
    """The environment of the command, and the file descriptors it must inherit."""

    environment: dict[str, str]
    descriptors: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return "Prepared(…)"


def find_command(command: Sequence[str]) -> str:
    """Its path. Raises Usage; asked before a credential is made for nothing."""
    path = shutil.which(command[0])
    if path is None:
        raise Usage(f"“{command[0]}” is not a command here. Is it installed, and on your PATH?")
    return path


def prepare(credential: Credential) -> Prepared:
    """The password in an anonymous file in memory where the system has those, else in the environment."""
    dropped = CONFLICTING.get(credential["kind"], ())
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    label = {"PRODACCESS_REF": credential["ref"], "PRODACCESS_EXPIRES_AT": ends_at(credential)}
    if credential["kind"] == "postgres" and sys.platform == "linux":
        handle = _memory_file(pgpass_lines(credential) + "\n")
        place = {**postgres_place(credential), "PGPASSFILE": f"/proc/self/fd/{handle}"}
        return Prepared({**inherited, **label, **place}, (handle,))
    return Prepared({**inherited, **label, **environment(credential)})


def become(path: str, command: Sequence[str], prepared: Prepared) -> int:
    """Replace this process, so that no parent keeps the secret. Returns only when that fails."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(path, list(command), prepared.environment)  # noqa: S606  no shell is the point
    except OSError as error:
        print(f"prodaccess: {command[0]} cannot be started: {error.strerror}.", file=sys.stderr)
        return 126


def watch(path: str, command: Sequence[str], prepared: Prepared, deadline: float) -> int:
    """Run it as a child and end it at `deadline` (seconds since the epoch, or `math.inf`): SIGTERM, 10 s later SIGKILL.

    Returns its exit code, 128 + n when signal n ended it.
    """
    child = subprocess.Popen(
        list(command), executable=path, env=prepared.environment, pass_fds=prepared.descriptors
    )  # fmt: skip
    for handle in prepared.descriptors:
        os.close(handle)
    prepared.environment.clear()
    for typed in (signal.SIGINT, signal.SIGQUIT):  # Ctrl-C and Ctrl-\ reach the child by themselves; it decides
        signal.signal(typed, signal.SIG_IGN)
    for forwarded in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(forwarded, lambda number, _frame: child.send_signal(number))
    code = wait_until(child, deadline)
    return code if code >= 0 else 128 - code


def wait_until(child: subprocess.Popen[bytes], deadline: float, grace: float = _GRACE) -> int:
    """Its return code; from `deadline` on it is stopped, gently for `grace` seconds."""
    while (
        left := deadline - time.time()
    ) > 0:  # by the wall clock, so that a suspended machine wakes up late, not never
        try:
            return child.wait(min(left, 5.0) if math.isfinite(left) else None)
        except subprocess.TimeoutExpired:
            continue
    print("prodaccess: the grant has ended; stopping the command.", file=sys.stderr)
    child.terminate()
    try:
        return child.wait(grace)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _memory_file(text: str) -> int:
    handle = os.memfd_create("pgpass", 0)
    os.fchmod(handle, 0o600)  # libpq refuses a password file that others could read
    os.write(handle, text.encode())
    os.set_inheritable(handle, True)  # noqa: FBT003  the system's own signature
    return handle
