"""What was signed last, in a small file beside a file signing key: a database that is older, or another, is noticed.

Whoever owns the database does not own it; whoever holds the key can write it anyway.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from access.errors import Unavailable

SUFFIX = ".signed"
_LONGEST = 10_000  # bytes; such a note has about 250


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
        new = self._path.with_name(self._path.name + ".new")
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(note.encode())
                file.flush()
                os.fsync(handle)  # else a power cut leaves an empty file, and no start that is not refused
            new.replace(self._path)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot keep what was signed last ({error.strerror}).") from error
