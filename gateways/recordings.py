"""Where this process keeps its recordings: one directory that nobody else writes to, each file under its own key."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from access.errors import Unavailable
from access.sessions.model import Session
from audit.canonical import micros
from audit.payloads import PayloadKey
from audit.recording.form import Header
from audit.recording.reader import Recording
from audit.recording.writer import Recorder

LEAST_FREE = 256 << 20  # bytes: below it no session begins, so that those that run can be recorded to their end
_MOST = 64  # processes beside each other


@dataclass(frozen=True)
class Shelf:
    """One process's recordings. `name` stays with the directory, wherever that is mounted."""

    path: Path
    name: str
    key: PayloadKey
    lock: int  # held open for life: the kernel frees it even on `kill -9`
    least: int = LEAST_FREE

    def begin(self, session: Session, form: str) -> Recorder:
        """Raises RecorderFailed."""
        header = Header(session=session.id, ref=session.ref, form=form, started_at=micros(session.opened_at))
        return Recorder(self.file(session), header, self._key_of(session))

    def read(self, session: Session) -> Recording:
        """Reading it raises Broken, OSError."""
        return Recording(self.file(session), self._key_of(session))

    def file(self, session: Session) -> Path:
        return self.path / f"{session.id}.rec"

    def must_have_room(self) -> None:
        """Raises Unavailable."""
        try:
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise Unavailable(f"The gateway cannot record: {error.strerror}.") from error
        if free < self.least:
            raise Unavailable("The gateway has too little room left to record a session. Tell an admin.")

    def close(self) -> None:
        os.close(self.lock)

    def _key_of(self, session: Session) -> bytes:
        return self.key.of_recording(bytes.fromhex(session.seed))


def free_shelves(place: Path, key: PayloadKey) -> Iterator[Shelf]:
    """Each directory below `place` that no living process has, taken; a new one where there is none."""
    found = False
    for number in range(1, _MOST + 1):
        path = place / f"{number}"
        is_new = not path.exists()
        if is_new and found:
            return
        if (shelf := _take(path, key)) is not None:
            found = True
            yield shelf
        if is_new and found:
            return


def _take(path: Path, key: PayloadKey) -> Shelf | None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    name = os.read(lock, 64).decode("ascii", "replace")
    if not name:
        name = secrets.token_hex(8)
        os.write(lock, name.encode())
        os.fsync(lock)
    return Shelf(path, name, key, lock)
