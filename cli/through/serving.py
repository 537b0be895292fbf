"""Small servers of this command for the tools that it starts: in a directory that nobody else can look into."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..credentials.room import Room

_LONGEST = 60  # characters of the room's path: that of a socket has a limit of 104 or 108
_NAME = "connect-"
_MOST = 200  # connections at once
_QUEUE = 512  # that are not taken yet: libpq does not wait where a socket's is full
_PAUSE = 0.1  # seconds


@contextmanager
def nook(room: Room) -> Iterator[Path]:
    """A directory for one tool, 0700, gone with it."""
    for name in room.names():
        if name.startswith(_NAME) and not _lives(name):  # its command was killed
            room.remove(name)
    above = room.path if len(str(room.path)) <= _LONGEST else None
    made = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=above))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _lives(name: str) -> bool:
    number = name.removeprefix(_NAME).partition("-")[0]
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True


def on_socket(path: Path) -> socket.socket:
    """Only its owner may connect."""
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_QUEUE)
    return listener


def on_loopback() -> socket.socket:
    """On any free port of this machine alone."""
    return socket.create_server(("127.0.0.1", 0), backlog=_QUEUE)


class Serving:
    """Each connection on a thread of its own, until `close`."""

    def __init__(self, listener: socket.socket, handle: Callable[[socket.socket], None]) -> None:
        self._listener = listener
        self._handle = handle
        self._busy: set[threading.Thread] = set()
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self, patience: float = 1.0) -> None:
        """Nobody new; what is being said may be said to its end, within so many seconds."""
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # on Linux this wakes the thread that waits for somebody
        self._listener.close()
        for thread in list(self._busy):
            thread.join(patience)
            patience = patience if not thread.is_alive() else 0

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # it is closed, or this process has as many files open as it may: for now
                time.sleep(_PAUSE)
                continue
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        try:
            if len(self._busy) < _MOST:  # more is somebody else's doing: a port is open to all of this machine
                self._busy.add(thread)
                thread.start()
                return
        except RuntimeError:  # no thread can be had: for now
            self._busy.discard(thread)
        connection.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._handle(connection)
        except OSError:  # the tool has gone, or what it spoke to
            pass
        finally:
            self._busy.discard(threading.current_thread())
