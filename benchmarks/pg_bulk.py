"""Bulk through a connection, by a client that costs next to nothing: what it measures is what stands in between."""

from __future__ import annotations

import os
import socket
from struct import pack
from time import perf_counter

import psycopg

ROWS = 1_000_000
SELECT = f"select * from pgbench_accounts limit {ROWS}"
COPY_OUT = f"copy ({SELECT}) to stdout"
COPY_IN = "copy sink from stdin"
_BLOCK = 64 * 1024
_READY = b"Z\0\0\0\x05I"


class Raw:
    """A socket that libpq has logged in."""

    def __init__(self, dsn: str) -> None:
        self._held = psycopg.connect(dsn, autocommit=True)
        self._socket = socket.socket(fileno=os.dup(self._held.pgconn.socket))
        self._socket.setblocking(True)

    def ask(self, text: str) -> None:
        self._send(b"Q", text.encode() + b"\0")

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._socket.sendall(kind + pack(">I", len(payload) + 4) + payload)

    def take(self) -> int:
        """Reads until the server waits again; how many bytes there were. The rows here hold nothing that looks so."""
        taken, buffer = 0, bytearray(1 << 18)
        end = b""
        while not end.endswith(_READY):
            size = self._socket.recv_into(buffer)
            if not size:
                raise ConnectionError("the connection ended midway")
            taken += size
            end = (end + bytes(buffer[max(0, size - 6) : size]))[-6:]
        return taken

    def give(self, data: bytes) -> None:
        """Rows for a COPY that has been asked for."""
        view = memoryview(data)
        for start in range(0, len(data), _BLOCK):
            self._send(b"d", bytes(view[start : start + _BLOCK]))
        self._send(b"c", b"")

    def close(self) -> None:
        self._socket.close()
        self._held.close()


def rate_out(dsn: str, text: str) -> float:
    """Megabytes a second."""
    raw = Raw(dsn)
    began = perf_counter()
    raw.ask(text)
    taken = raw.take()
    spent = perf_counter() - began
    raw.close()
    return taken / spent / 1e6


def rate_in(dsn: str, data: bytes) -> float:
    """Megabytes a second, into an empty table without a log of its own."""
    raw = Raw(dsn)
    raw.ask("truncate sink")
    raw.take()
    began = perf_counter()
    raw.ask(COPY_IN)
    raw.give(data)
    raw.take()
    spent = perf_counter() - began
    raw.close()
    return len(data) / spent / 1e6


def make(dsn: str) -> bytes:
    """The table that is copied into; what goes into it."""
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("create unlogged table sink (like pgbench_accounts)")
        with db.cursor().copy(COPY_OUT.encode()) as copy:
            return b"".join(bytes(part) for part in copy)
