"""`prodaccess demo` as a newcomer has it: its own process, any of its ports taken, ended by a signal, nothing left."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from prodaccess.demo.stack import API_PORT, DB_PORT, PAGE_PORT
from prodaccess.parts.part import HOST
from prodaccess.parts.supervisor import family

ROOT = Path(__file__).parents[2]


class Demo:
    """A running `prodaccess demo` with a temporary directory of its own, and what it said so far."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.output = temporary.with_suffix(".out")
        environment = {"PATH": os.defpath, "HOME": str(temporary), "TMPDIR": str(temporary), "LC_ALL": "C.UTF-8"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prodaccess", "demo"], cwd=ROOT, env=environment, stdout=output,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str) -> None:
        until(lambda: words in self.said or self.process.poll() is not None, 60)
        assert words in self.said

    def ctrl_c(self, number: signal.Signals) -> int:
        """As a terminal does: to the whole foreground group."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=60)


def until(true: Callable[[], Any], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.05)


def shared_memory(pids: list[int]) -> set[str]:
    """The files in /dev/shm that these processes have mapped."""
    found: set[str] = set()
    for pid in pids:
        with suppress(OSError):  # it ended meanwhile
            found |= set(re.findall(r"/dev/shm/\S+", Path(f"/proc/{pid}/maps").read_text()))
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def demo() -> Iterator[Demo]:
    temporary = Path(tempfile.mkdtemp(prefix="test-demo-"))
    temporary.chmod(0o711)  # PostgreSQL may run as another user, who must get through
    running = Demo(temporary)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()
    shutil.rmtree(temporary, ignore_errors=True)
    running.output.unlink()


@pytest.fixture
def taken_ports() -> Iterator[tuple[int, ...]]:
    """The demo's usual ports, all in use."""
    ports = (PAGE_PORT, API_PORT, DB_PORT)
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(_taken(port))
        yield ports


def _taken(port: int) -> socket.socket:
    """Another demo may have it for a while, and let it go just when ours looks."""
    for _ in range(600):
        with suppress(OSError):
            return socket.create_server((HOST, port))
        time.sleep(0.1)
    raise AssertionError(f"{port} is never free")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("number", "when"),
    [
        (signal.SIGINT, "Ready"),
        (signal.SIGTERM, "Ready"),
        (signal.SIGHUP, "Ready"),
        (signal.SIGINT, "Starting"),
    ],
)
def test_it_leaves_nothing_behind(demo: Demo, number: signal.Signals, when: str) -> None:
    demo.wait_for(when)
    if when == "Starting":
        until(lambda: len(list(demo.temporary.iterdir())) >= 3, 20)
    else:
        until(lambda: len(family(demo.process.pid)) > 10, 10)
    pids = family(demo.process.pid)
    shared = shared_memory(pids) | set(re.findall(r"/dev/shm/[\w.-]+", _wrapper(demo)))
    assert when == "Starting" or len(shared) >= 2
    assert demo.ctrl_c(number) == 0
    assert "Traceback" not in demo.said
    assert demo.said.endswith("Stopped. Nothing is kept.\n")
    assert [pid for pid in pids if is_running(pid)] == []
    assert list(demo.temporary.iterdir()) == []
    assert [path for path in shared if Path(path).exists()] == []


def test_taken_ports_are_replaced_and_the_right_addresses_said(taken_ports: tuple[int, ...], demo: Demo) -> None:
    demo.wait_for("Ready")
    page = re.findall(r"http://127\.0\.0\.1:(\d+)/ui/\?as=(\w+)", demo.said)
    assert [who for _, who in page] == ["linus", "ada"]
    server = re.findall(r"PRODACCESS_SERVER=http://127\.0\.0\.1:(\d+)", _wrapper(demo))[0]
    settings = next(demo.temporary.glob("prodaccess-postgresql-*/settings.conf")).read_text()
    database = re.findall(r"^port = (\d+)$", settings, re.MULTILINE)[0]
    assert not {int(page[0][0]), int(server), int(database)} & set(taken_ports)
    for url in (f"http://127.0.0.1:{page[0][0]}/ui/?as=linus", f"http://127.0.0.1:{server}/readyz"):
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.status == 200
    socket.create_connection((HOST, int(database)), timeout=5).close()
    exported = re.findall(r'export PATH="([^:]+):\$PATH"', demo.said)
    assert (Path(exported[0]) / "prodaccess").is_file()
    assert demo.ctrl_c(signal.SIGINT) == 0


def _wrapper(demo: Demo) -> str:
    """The `prodaccess` that the welcome puts on the visitor's PATH."""
    return "".join(path.read_text() for path in demo.temporary.glob("prodaccess-demo-*/bin/prodaccess"))
