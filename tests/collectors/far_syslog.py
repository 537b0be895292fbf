"""A syslog server as a program of its own, so that it can be killed and stopped: octet counting over TCP or TLS.

    far_syslog.py PORT OUT [CERT KEY]

Each message it has read is one line of OUT (newlines in it as spaces). It closes when its peer has closed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys


def serve(port: int, out: str, certificate: list[str]) -> None:
    with socket.create_server(("127.0.0.1", port)) as listening, open(out, "ab", buffering=0) as lines:  # noqa: PTH123
        while True:
            plain, _ = listening.accept()
            with contextlib.suppress(OSError), plain:
                one(plain, lines, certificate)


def one(plain: socket.socket, lines: object, certificate: list[str]) -> None:
    if not certificate:
        read_all(plain, lines)
        return
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as tls:
        read_all(tls, lines)
        tls.unwrap()


def read_all(connection: socket.socket, lines: object) -> None:
    unread = b""
    while received := connection.recv(65_536):
        unread += received
        while True:
            length, space, rest = unread.partition(b" ")
            if not space or len(rest) < int(length):
                break
            lines.write(rest[: int(length)].replace(b"\n", b" ") + b"\n")  # type: ignore[attr-defined]
            unread = rest[int(length) :]
    assert not unread


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
