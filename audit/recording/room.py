"""Room on the disk that recordings are written to: below the reserve nothing is recorded, and so nothing passes."""

from __future__ import annotations

import shutil
from pathlib import Path

_STEP = 4 << 20  # bytes that are written before the disk is looked at again


class RecorderFailed(Exception):
    """The recording cannot be written. Nothing may pass that is not recorded, so the session has to end."""


class Room:
    """Of one disk, for all recordings on it. `reserve`: bytes that are kept free, so that each can still be closed."""

    def __init__(self, path: Path, reserve: int) -> None:
        self._path = path
        self._reserve = reserve
        self._left = 0  # bytes that may be written without another look
        self._lent = 0  # bytes that somebody may still write without asking

    def take(self, size: int) -> None:
        """Before so many bytes are written. Raises RecorderFailed."""
        self._left -= size
        if self._left < 0:
            self.look()

    def lend(self, size: int) -> None:
        """Of what is written past this, until it is lent back. Raises RecorderFailed."""
        self.take(size)
        self._lent += size

    def lent_back(self, size: int) -> None:
        self._lent -= size

    def look(self) -> None:
        """Others write to the disk, too. Raises RecorderFailed."""
        self._left = -1
        try:
            free = shutil.disk_usage(self._path).free
        except OSError as error:
            raise RecorderFailed(f"The recording cannot be written: {error.strerror}.") from error
        free -= self._lent
        if free < self._reserve:
            raise RecorderFailed("The recording cannot be written: the gateway's disk is nearly full. Tell an admin.")
        self._left = min(_STEP, free - self._reserve)
