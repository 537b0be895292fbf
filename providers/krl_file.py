"""The revocation list as a file that hosts read: one writer at a time, never seen half written, read back after it.

A host whose `RevokedKeys` names a missing file lets nobody in; one that reads an emptied file lets the ended in again.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from access.errors import ProviderRefused, ProviderSilent
from access.ports import Clock
from providers.krl import Krl, KrlFault, read_krl, write_krl

PATIENCE = 5.0  # seconds to wait for another writer
_PUBLIC = 0o644  # it names grants and people, and no secret; sshd and web servers must be able to read it


class KrlFile:
    """Blocking, and safe to use from several threads and processes. Raises ProviderRefused, ProviderSilent."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._written = Krl()  # in case the file is lost
        self._known = (b"", Krl())  # bytes that need no second reading, and what they say
        self._turn = Lock()  # held by whoever writes
        self._waiting = Krl()  # what the next one to write takes along for all that wait
        self._seen = Krl()  # what the last one to write has then read
        self._counter = Lock()  # around the two

    def add(self, what: Krl) -> Krl:
        """Revoke this too, and see it in the file; the list as it then stands. Many at once share a write."""
        with self._counter:
            self._waiting = self._waiting.joined(what)
        with self._turn:
            with self._counter:
                if not self._waiting.covers(what) and self._seen.covers(what):
                    return self._seen  # somebody took ours along, and saw it
                batch, self._waiting, self._seen = self._waiting.joined(what), Krl(), Krl()
            self._seen = self._store(batch)
            return self._seen

    def _store(self, batch: Krl) -> Krl:
        with self._alone():
            stored = self._read()
            if stored is None or not stored.covers(batch):
                self._write((stored or Krl()).joined(batch), stored or Krl())
                stored = self._read()
        if stored is None or not stored.covers(batch):
            raise ProviderSilent(f"the revocation list {self.path} does not show what was written to it")
        return stored

    def tidy(self) -> None:
        """Drop what has ended by itself. Where there is no list yet, begin one."""
        with self._alone():
            stored = self._read()
            if stored is None or stored.needed(self._clock.now()) != stored:
                self._write(stored or Krl(), stored or Krl())

    def stored(self) -> Krl:
        """As hosts read it now; empty where there is no list."""
        return self._read() or Krl()

    def fault(self) -> str:
        """Empty, or why hosts cannot rely on it."""
        try:
            stored = self._read()
        except ProviderRefused as error:
            return f"{error}."
        if stored is None:
            return f"There is no revocation list at {self.path}: hosts that read it let nobody in."
        return ""

    def _read(self) -> Krl | None:
        """None where there is none. A list that somebody else wrote is not ours to change."""
        known, krl = self._known
        try:
            data = self.path.read_bytes()
            return krl if data == known else read_krl(data)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProviderRefused(f"the revocation list {self.path} cannot be read ({error.strerror})") from None
        except KrlFault as fault:
            raise ProviderRefused(
                f"the revocation list {self.path} is not prodaccess' own ({fault}): give prodaccess a file of its own"
            ) from None

    def _write(self, wanted: Krl, earlier: Krl) -> None:
        now = self._clock.now()
        following = wanted.joined(self._written).needed(now).following(earlier, now)
        data = write_krl(following)
        try:
            _replace(self.path, data)
        except OSError as error:
            raise self._unwritable(error) from None
        self._written, self._known = following, (data, following)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._take(lock)
            yield
        finally:
            os.close(lock)

    def _take(self, lock: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(BlockingIOError):
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.monotonic() > deadline:
                raise ProviderRefused(f"the revocation list {self.path} is held by another process")
            time.sleep(random.uniform(0.001, 0.005))  # noqa: S311  so that two processes do not keep step

    def _unwritable(self, error: OSError) -> ProviderRefused:
        return ProviderRefused(f"the revocation list {self.path} cannot be written ({error.strerror})")


def _replace(path: Path, data: bytes) -> None:
    """All of it or nothing, also when the machine loses power."""
    fresh = path.with_name(f".{path.name}.new")  # one writer at a time: a remnant of a crash is ours to overwrite
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, _PUBLIC)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), _PUBLIC)  # whatever the umask
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
