"""A part leaves no process and no file behind, however its owner ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.part import HOST, Part, PartError, Program, free_port, is_free
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.supervisor import family

OWNER = """
import sys, time
from prodaccess.parts.postgres import Postgres
part = Postgres().start()
print(part.directory, flush=True)
time.sleep(60)
"""


class Listener(Part):
    """A part that only listens; it can be told to say something and die instead."""

    name = "Listener"
    last_words = ""

    def _prepare(self) -> Program:
        if self.last_words:
            return Program(["/bin/sh", "-c", f"echo '{self.last_words}'; exit 3"])
        code = f"import socket, time; s = socket.create_server(('{HOST}', {self.port})); time.sleep(60)"
        return Program([sys.executable, "-I", "-S", "-c", code])

    def _ready(self) -> bool:
        return not is_free(self.port)


class Stubborn(Listener):
    """A part that does not listen to its stop signal."""

    def _prepare(self) -> Program:
        code = (
            "import signal, socket, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            f"s = socket.create_server(('{HOST}', {self.port})); time.sleep(60)"
        )
        return Program([sys.executable, "-I", "-S", "-c", code])


def lives(pid: int) -> bool:
    """A zombie does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(seconds: float, directory: Path, pids: list[int]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not directory.exists() and not any(lives(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def test_a_stopped_part_leaves_nothing() -> None:
    part = Listener().start()
    directory, pids = part.directory, family(int((part.directory / "pid").read_text()))
    assert directory.stat().st_mode & 0o777 == 0o700
    part.stop()
    part.stop()
    assert gone_within(0.5, directory, pids)
    with pytest.raises(PartError, match="Call start"):
        _ = part.directory


def test_a_part_that_ignores_its_signal_is_killed() -> None:
    part = Stubborn().start()
    directory, pid = part.directory, int((part.directory / "pid").read_text())
    part.stop()
    assert not directory.exists()
    assert not lives(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_the_owner(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        directory = Path(owner.stdout.readline().strip())
        pids = [pid for pid in family(owner.pid) if lives(pid)]  # a worker of PostgreSQL's may just have ended
        assert len(pids) > 4  # owner, supervisor, postmaster and its workers
        owner.send_signal(number)
        owner.wait(30)
    assert gone_within(10, directory, pids)


def test_nothing_outlives_a_killed_supervisor() -> None:
    part = Listener().start()
    directory, pid = part.directory, int((part.directory / "pid").read_text())
    supervisor = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    part.stop()
    assert gone_within(2, directory, [pid])


def test_a_part_outlives_the_thread_that_started_it() -> None:
    part = Listener()
    thread = threading.Thread(target=part.start)
    thread.start()
    thread.join()
    with part:
        time.sleep(0.1)
        assert not is_free(part.port)


def test_a_busy_port_is_replaced_and_a_free_one_kept() -> None:
    with socket.create_server((HOST, 0)) as busy:
        taken = busy.getsockname()[1]
        with Listener(port=taken) as part:
            assert part.port != taken
    wanted = free_port()
    with Listener(port=wanted) as part:
        assert part.port == wanted


def test_a_part_that_dies_says_what_its_log_said() -> None:
    part = Listener()
    part.last_words = "the disk is on fire"
    with pytest.raises(PartError, match=r"ended while starting.*(?s:.*)the disk is on fire"):
        part.start()
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("prodaccess-listener-*"))


def test_a_part_can_be_started_again_on_its_port() -> None:
    part = Listener().start()
    port = part.port
    part.stop()
    with part:
        assert part.port == port


def test_the_owners_environment_stays_with_the_owner() -> None:
    environment = {**os.environ, "SLACK_BOT_TOKEN": "xoxb-canary"}
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        seen = []
        for pid in family(owner.pid)[1:]:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a helper of the part may just have ended
                seen.append(Path(f"/proc/{pid}/environ").read_bytes())
        owner.terminate()
        owner.wait(30)
    assert any(b"TMPDIR=" in environ for environ in seen)
    assert not any(b"canary" in environ for environ in seen)


@pytest.mark.parametrize("kind", [Postgres, OpenBao])
def test_a_frozen_part_stays_silent_until_it_is_resumed(kind: type[Postgres | OpenBao]) -> None:
    with kind() as part:
        part.pause()
        with socket.create_connection((part.host, part.port), timeout=0.3) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)
        part.resume()
        assert part._ready()
        part.pause()  # and a frozen part can be stopped
        directory, pids = part.directory, family(int((part.directory / "pid").read_text()))
    assert gone_within(1, directory, pids)


class Raced(Listener):
    """Somebody else takes its port just after it has looked."""

    thief: socket.socket | None = None

    def _prepare(self) -> Program:
        self.thief = self.thief or socket.create_server((HOST, self.port))
        return super()._prepare()

    def _ready(self) -> bool:
        return self.thief is not None and self.thief.getsockname()[1] != self.port and super()._ready()


def test_a_port_that_is_taken_just_now_is_replaced() -> None:
    with Raced() as part, part.thief or socket.socket() as thief:
        assert part.port != thief.getsockname()[1]
