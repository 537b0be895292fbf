"""What a server or a crowd can do to the command that stands before a gateway."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.credentials.credential import rendered
from cli.exits import CliError, Unreachable
from cli.server.client import Server
from cli.through.binding import Key
from cli.through.passes import place_of
from cli.through.postgres import _is_private
from cli.through.serving import Serving, on_socket
from tests.cli.shell import ROOT


def given(host: str = "127.0.0.1", port: str = "6432", **more: str) -> dict[str, Any]:
    return {"hints": {"host": host, "port": port}, "client_certificate": "", **more}


def test_a_place_that_is_none_is_not_handed_to_a_tool() -> None:
    assert place_of(given("gate.example.com", "6432")) == ("gate.example.com", 6432)
    for host in ("", "/tmp/evil", "a b", "a,b", "a\nb", "-oProxyCommand=x", "a\0", "é"):
        with pytest.raises(CliError, match="where the gateway is"):
            place_of(given(host))
    for port in ("", "0", "65536", "22\n", "1e3", "²", "-1", "9" * 5000):
        with pytest.raises(CliError, match="where the gateway is"):
            place_of(given(port=port))
    with pytest.raises(CliError, match="where the gateway is"):
        place_of({"hints": {}})


def test_a_pass_that_was_asked_for_with_a_key_is_not_used_without_one_over_a_network() -> None:
    """Only a gateway of this machine may do without TLS, and so without the key."""
    assert not _is_private(given("gate.example.com", client_certificate="PEM"))
    for host in ("127.0.0.1", "::1", "localhost", "127.7.7.7"):
        assert _is_private(given(host))
    for host in ("gate.example.com", "127.evil.example", "localhost.evil.example", "10.0.0.1"):
        with pytest.raises(CliError, match="asks for no key"):
            _is_private(given(host))


def test_certificates_that_are_none_are_a_sentence_and_leave_nothing(tmp_path: Path) -> None:
    for certificate, trusted in (("nonsense", ""), ("", ""), ("", "nonsense"), ("", "é")):
        with pytest.raises(CliError, match="none that TLS can use"):
            Key().context(certificate, trusted, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_server_calls_a_grant_moves_no_cursor() -> None:
    credential = {
        **given(), "ref": "PA-1\x1b[2J", "target": "t", "role": "r", "secret": {}, "expires_at": "2026-01-01T00:00:00Z",
        "not_after": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert "\x1b" not in rendered(credential, "text")


class Endless:
    def read(self, most: int) -> bytes:
        return bytes(most)


def test_an_answer_without_end_is_not_kept() -> None:
    with pytest.raises(Unreachable, match="more than can be read"):
        Server("http://127.0.0.1")._whole(Endless())  # type: ignore[arg-type]


class Crowded:
    """A listener of a process that has no files left, for a moment."""

    def __init__(self, *later: socket.socket) -> None:
        self.later = [OSError(errno.EMFILE, "Too many open files"), *later]

    def accept(self) -> tuple[socket.socket, str]:
        if not self.later:
            raise OSError(errno.EBADF, "closed")
        if isinstance(first := self.later.pop(0), OSError):
            raise first
        return first, ""

    def shutdown(self, _: int) -> None: ...

    def close(self) -> None: ...


def test_a_moment_without_free_files_does_not_close_the_door_for_good() -> None:
    ours, theirs = socket.socketpair()
    came = threading.Event()
    serving = Serving(Crowded(theirs), lambda _: came.set())  # type: ignore[arg-type]
    assert came.wait(60)
    assert ours.recv(1) == b""
    ours.close()
    serving.close()


def test_a_crowd_of_tools_waits_in_line(tmp_path: Path) -> None:
    """libpq gives up where a socket has no room for one more."""
    with ExitStack() as stack:
        stack.enter_context(on_socket(tmp_path / "s"))
        for _ in range(200):
            tool = stack.enter_context(socket.socket(socket.AF_UNIX))
            tool.setblocking(False)
            tool.connect(str(tmp_path / "s"))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's own call")
def test_nobody_of_the_same_user_looks_into_the_memory_that_has_a_key() -> None:
    asks = (
        "import ctypes; from cli.through.unseen import keep_memory_private; keep_memory_private()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    done = subprocess.run([sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
