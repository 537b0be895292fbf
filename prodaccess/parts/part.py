"""What every part shares: a free port, a private directory, a supervised process, a ready check."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from prodaccess.parts.supervisor import all_stopped, signal_family

HOST = "127.0.0.1"
READY_WITHIN = 30.0
SUPERVISOR = Path(__file__).with_name("supervisor.py")


class PartError(RuntimeError):
    """A part could not be found or started; the text says what its log said last."""


@dataclass(frozen=True)
class Program:
    """One server to run: its command, the account it runs as and the signal that stops it well."""

    command: Sequence[str]
    stop_signal: signal.Signals = signal.SIGTERM
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(wanted: int = 0) -> int:
    """Return the wanted port when it is free, otherwise another one.

    Chosen below the ephemeral range, where no outgoing connection can take it before the server does.
    """
    candidates = [wanted] if wanted else []
    candidates += random.SystemRandom().sample(range(20_000, 32_000), 100)
    for port in candidates:
        if is_free(port):
            return port
    raise PartError("No free port was found on 127.0.0.1. Stop other servers and try again.")


class Part(ABC):
    """A real server in a process of its own, gone without trace when it is stopped or its owner ends.

    Blocking: from a coroutine, call start and stop through asyncio.to_thread.
    """

    name: ClassVar[str]

    def __init__(self, port: int = 0) -> None:
        """Take a wanted port, or 0 for any; `port` holds the one in use after start()."""
        self.host = HOST
        self.port = port
        self._directory: Path | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _prepare(self) -> Program:
        """Write what the server reads into self.directory and return how to run it."""

    @abstractmethod
    def _ready(self) -> bool:
        """Say whether the server answers; called until it does."""

    @property
    def directory(self) -> Path:
        """The part's private directory, which disappears with it."""
        if self._directory is None:
            raise PartError(f"{self.name} is not running. Call start() first.")
        return self._directory

    def start(self) -> Self:
        """Start the server and return when it answers; raises PartError. Does nothing when it runs."""
        if self._directory is not None:
            return self
        wanted = self.port
        self.port = free_port(wanted)
        try:
            self._start()
        except PartError:
            if is_free(self.port):
                raise
            self.port = free_port(wanted)  # somebody took it between our look and the server's
            self._start()
        return self

    def _start(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix=f"prodaccess-{self.name.lower()}-"))
        try:
            self._supervisor = self._launch(self._prepare())
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its directory; does nothing when it does not run."""
        supervisor, self._supervisor = self._supervisor, None
        directory, self._directory = self._directory, None
        if supervisor is not None:
            # Exactly this pipe's end is what the supervisor waits for; it escalates to SIGKILL by itself.
            assert supervisor.stdin is not None
            supervisor.stdin.close()
            supervisor.wait()
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def pause(self) -> None:
        """Freeze the server, as an overloaded host would: it accepts connections and answers nothing."""
        self._signal(signal.SIGSTOP)
        for _ in range(100):  # a busy machine takes its time to stop every thread
            if all_stopped(self._pid):
                return
            time.sleep(0.01)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _launch(self, program: Program) -> subprocess.Popen[bytes]:
        arguments = [str(self.directory), str(int(program.stop_signal)), program.user, *program.command]
        # A bare environment: nothing of the owner's, secrets included, reaches the server.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        environment |= {"HOME": str(self.directory), "TMPDIR": str(self.directory), **program.environment}
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), *arguments],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not self._ready():
            if (self.directory / "exit-status").exists():
                raise PartError(f"{self.name} ended while starting. {self._last_words()}")
            if time.monotonic() > deadline:
                raise PartError(f"{self.name} did not answer within {READY_WITHIN:.0f} s. {self._last_words()}")
            time.sleep(0.02)

    def _last_words(self) -> str:
        log = self.directory / "server.log"
        lines = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
        return "Its log ends with:\n" + "\n".join(lines) if lines else "Its log is empty."

    def _signal(self, number: signal.Signals) -> None:
        signal_family(self._pid, number)

    @property
    def _pid(self) -> int:
        return int((self.directory / "pid").read_text())
