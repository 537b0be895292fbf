"""The bytes between a tool and a gateway: all of them, however slow one side is; and what the agent signs."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from struct import pack

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from audit.payloads import KEY, PayloadKey
from cli.credentials.room import Room
from cli.exits import CliError, Usage
from cli.through import agent
from cli.through.binding import Key
from cli.through.relay import Way
from cli.through.serving import Serving, nook, on_loopback, on_socket
from prodaccess.gateways.passes import PassAuthority
from prodaccess.gateways.tls import server_tls
from prodaccess.settings import Settings

MUCH = os.urandom(1 << 20) * 8


@contextmanager
def way_to(place: Path, far: Callable[[ssl.SSLSocket], None]) -> Iterator[Way]:
    """To something that speaks the gateway's TLS, and wants a key of its authority."""
    authority, key = PassAuthority(PayloadKey(bytes(KEY))), Key()
    values = {f"PRODACCESS_GATEWAY_{name}": "" for name in ("CERT", "KEY", "CA")}
    ours, theirs = place / "terminal", place / "gateway"
    ours.mkdir()
    settings = Settings(values | {"PRODACCESS_RECORDINGS": str(theirs)}, {})
    context, trusted = server_tls(settings, "127.0.0.1", authority.certificate)
    assert context is not None
    context.verify_mode = ssl.CERT_REQUIRED
    listener = on_loopback()

    def speak(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as secured:
            far(secured)

    server = Serving(listener, speak)
    shown = key.context(authority.vouch(key.public, timedelta(hours=1)).certificate, trusted, ours)
    try:
        yield Way("127.0.0.1", listener.getsockname()[1], shown, pytest.fail)
    finally:
        server.close(60)
    assert not list(ours.iterdir())  # no key of a pass is left


@contextmanager
def tool(way: Way) -> Iterator[socket.socket]:
    """A tool's end of a connection that is carried."""
    ours, theirs = socket.socketpair()
    carrying = threading.Thread(target=Serving._serve, args=(_serving(way), theirs), daemon=True)
    carrying.start()
    with ours:
        ours.settimeout(60)
        yield ours
    carrying.join(60)
    assert not carrying.is_alive()


def _serving(way: Way) -> Serving:
    made = Serving.__new__(Serving)
    made._handle, made._busy = way.carry, set()
    return made


def all_of(end: socket.socket) -> bytes:
    parts = []
    while part := end.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def test_all_bytes_pass_both_ways_though_neither_side_reads_before_it_has_written(tmp_path: Path) -> None:
    def far(end: ssl.SSLSocket) -> None:
        writing = threading.Thread(target=end.sendall, args=(MUCH[:100],))
        writing.start()
        got = bytearray()
        while len(got) < len(MUCH):
            got += end.recv(1 << 16)
        writing.join()
        assert got == MUCH
        end.sendall(MUCH[::-1])

    with way_to(tmp_path, far) as way, tool(way) as ours:
        ours.sendall(MUCH)
        assert all_of(ours) == MUCH[:100] + MUCH[::-1]


def test_what_a_tool_says_last_arrives_though_it_reads_nothing(tmp_path: Path) -> None:
    heard = []

    def far(end: ssl.SSLSocket) -> None:
        end.sendall(b"x" * 1000)
        heard.append(all_of(end))

    with way_to(tmp_path, far) as way, tool(way) as ours:
        ours.sendall(MUCH)
    assert heard == [MUCH]


def test_a_side_that_does_not_read_slows_the_other_down(tmp_path: Path) -> None:
    """Nothing but the kernel's own buffers fills up."""
    may_end = threading.Event()

    def far(end: ssl.SSLSocket) -> None:
        may_end.wait(60)

    with way_to(tmp_path, far) as way, tool(way) as ours:
        ours.settimeout(0.3)
        with pytest.raises(TimeoutError):
            ours.sendall(MUCH * 8)
        may_end.set()


def test_a_directory_for_one_tool_is_private_and_what_a_killed_one_left_goes(memory: Path) -> None:
    room = Room(memory, in_memory=True)
    child = subprocess.Popen(["true"])
    child.wait()
    (memory / f"connect-{child.pid}-left").mkdir()
    with nook(room) as first, nook(room) as second:
        assert sorted(room.names()) == sorted((first.name, second.name))
        assert first.stat().st_mode & 0o777 == 0o700
        on_socket(first / "s").close()
        assert (first / "s").stat().st_mode & 0o777 == 0o600
        (memory / "session.json").write_text("{}")
        room.remove(second.name)
    assert room.names() == ["session.json"]


def test_a_room_with_a_long_name_is_not_where_sockets_lie(tmp_path: Path) -> None:
    far = tmp_path / ("x" * 80)
    far.mkdir()
    with nook(Room(far, in_memory=True)) as made:
        on_socket(made / ".s.PGSQL.5432").close()
        assert far not in made.parents


# The agent


def userauth(user: str, key: agent.Key, *, service: bytes = b"ssh-connection", kind: int = 50) -> bytes:
    """What an SSH client has signed to log in (RFC 4252 §7)."""
    blob = load_blob(key)
    parts = (user.encode(), service, b"publickey")
    return s(b"session") + bytes((kind,)) + b"".join(map(s, parts)) + b"\1" + s(b"ssh-ed25519") + s(blob)


def load_blob(key: agent.Key) -> bytes:
    return base64.b64decode(key.public.split()[1])


def s(data: bytes) -> bytes:
    return pack(">I", len(data)) + data


def test_an_agent_signs_the_logins_it_is_for_and_nothing_else() -> None:
    key = agent.Key()
    key.users = ("PA-7.k3f9qz",)
    blob = load_blob(key)

    def asked(data: bytes, of: bytes = blob) -> bytes:
        return key.answer(b"\x0d" + s(of) + s(data) + bytes(4))

    good = userauth("PA-7.k3f9qz", key)
    signed = asked(good)
    assert signed[:1] == b"\x0e"
    load_ssh_public_key(key.public.encode()).verify(signed[-64:], good)  # type: ignore[union-attr,call-arg]
    for bad in (
        userauth("root", key), userauth("PA-7.k3f9qz", key, service=b"other"), userauth("PA-7.k3f9qz", key, kind=51),
        b"", b"hello", s(b"") + good[11:], s(b"session"), good[:20], b"\xff\xff\xff\xff" + good,
    ):  # fmt: skip
        assert asked(bad) == b"\x05", bad
    assert asked(good, of=b"another") == b"\x05"
    binding = b"\x1b" + s(b"session-bind@openssh.com")
    for request in (b"", b"\x0d", b"\x0d\0\0\0\xff", b"\x13", b"\x11" + s(blob), binding):
        assert key.answer(request) == b"\x05", request
    assert key.answer(b"\x0b") == b"\x0c" + pack(">I", 1) + s(blob) + s(b"prodaccess")


def test_an_agent_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(Usage, match="No agent is running"):
        agent.Key().give(10)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "nowhere"))
    with pytest.raises(CliError, match="does not answer"):
        agent.Key().give(10)
