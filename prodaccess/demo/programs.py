"""A directory for the PATH of another terminal: `prodaccess` as an engineer of the demo has it, and `psql`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from prodaccess.demo.stack import ROOT, Stack

MEMORY = Path("/dev/shm")  # noqa: S108 (our own directory in there, 0700)


@contextmanager
def programs(stack: Stack) -> Iterator[Path]:
    """Yields the directory. What the command remembers between calls goes with it: the sign-in in memory only."""
    with ExitStack() as kept:
        environment = {
            "PRODACCESS_SERVER": stack.server.url,
            "XDG_CONFIG_HOME": str(stack.directory / "config"),
            "AWS_ENDPOINT_URL": stack.issuers.aws_server.endpoint,
            "PYTHONPATH": str(ROOT),
        }
        if os.access(MEMORY, os.W_OK):
            state = kept.enter_context(TemporaryDirectory(prefix="prodaccess-demo-", dir=MEMORY))
            environment["PRODACCESS_STATE_DIR"] = state
        directory = stack.directory / "bin"
        directory.mkdir()
        (directory / "psql").symlink_to(stack.issuers.postgres.psql)
        command = directory / "prodaccess"
        command.write_text(wrapper(environment))
        command.chmod(0o700)
        yield directory


def wrapper(environment: dict[str, str]) -> str:
    """A shell script that is the real command, told where the demo is."""
    told = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
    return f'#!/bin/sh\n{told}\nexec {shlex.quote(sys.executable)} -m prodaccess "$@"\n'
