"""What was signed last, in a small file beside a file signing key: a database that is older, or another, is noticed.

Whoever owns the database does not own it; whoever holds the key can write it anyway. Several processes may share it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from access.errors import Unavailable

SUFFIX = ".signed"
_LONGEST = 10_000  # bytes; such a note has about 250
_PATIENCE = 1.0  # seconds with another process that writes


class FileMemory:
    """`notary.ports.Memory` in the file KEY.signed."""

    def __init__(self, key: Path) -> None:
        self._path = key.with_name(key.name + SUFFIX)
        self.where = str(self._path)

    async def last(self) -> str | None:
        return await asyncio.to_thread(self._read)

    async def keep(self, note: str) -> None:
        await asyncio.to_thread(self._write, note)

    def _read(self) -> str | None:
        try:
            with self._path.open("rb") as file:
                return file.read(_LONGEST).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"{self._path}, which says what was signed last, cannot be read ({error}).") from error

    def _write(self, note: str) -> None:
        try:
            with self._alone():
                if _size(note) >= _size(self._read() or ""):  # what another signed later must not be forgotten
                    self._replace(note)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot keep what was signed last ({error.strerror}).") from error

    def _replace(self, note: str) -> None:
        new = self._path.with_name(self._path.name + ".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(note.encode())
            file.flush()
            os.fsync(handle)  # else a power cut leaves an empty file, and no start that is not refused
        new.replace(self._path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """By a lock on the directory: two that write one new file would leave a mixture. Raises OSError."""
        directory, until = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY), time.monotonic() + _PATIENCE
        try:
            while not _try_lock(directory, until):
                time.sleep(0.005)
            yield
        finally:
            os.close(directory)


def _try_lock(handle: int, until: float) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if time.monotonic() > until:
            raise
        return False
    return True


def _size(note: str) -> int:
    """The entries that a checkpoint speaks of: its second line."""
    lines = note.splitlines()
    return int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else 0
