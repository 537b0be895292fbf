"""Where this process keeps its recordings: one directory that nobody else writes to, each file under its own key."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from access.errors import Unavailable
from access.policy.secrets import Secret
from access.sessions.model import Session
from audit.canonical import micros
from audit.payloads import PayloadKey
from audit.recording.form import Broken, Header
from audit.recording.reader import Recording
from audit.recording.redaction import Redaction
from audit.recording.redaction_rules import own_rules
from audit.recording.room import Room
from audit.recording.writer import Recorder

LEAST_FREE = 256 << 20  # bytes: below it no session begins, so that those that run can be recorded to their end
RESERVE = 64 << 20  # bytes: below it those that run end, too
_MOST = 64  # processes beside each other


@dataclass(frozen=True)
class Shelf:
    """One process's recordings. `name` stays with the directory, wherever that is mounted."""

    path: Path
    name: str
    key: PayloadKey
    lock: int  # held open for life: the kernel frees it even on `kill -9`
    least: int = LEAST_FREE
    reserve: int = RESERVE
    room: Room = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "room", Room(self.path, self.reserve))

    def begin(self, session: Session, form: str, secrets: Iterable[Secret] = ()) -> Recorder:
        """`secrets`: the policy's own. Raises RecorderFailed."""
        header = Header(
            session=session.id, ref=session.ref, form=form, started_at=micros(session.opened_at), raw=session.raw
        )
        recorder = Recorder(self.file(session), header, key_of(session, self.key), self.room)
        recorder.redaction = Redaction(own_rules(secrets), raw=session.raw)
        return recorder

    def read(self, session: Session) -> Recording:
        """Raises Broken; reading it, also OSError."""
        return Recording(self.file(session), key_of(session, self.key))

    def file(self, session: Session) -> Path:
        return self.path / f"{session.id}.rec"

    def names(self) -> list[str]:
        """The sessions that have a file here."""
        return [path.stem for path in self.path.glob("PA-*.rec")]

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


def key_of(session: Session, key: PayloadKey) -> bytes:
    """Raises Broken: without its seed there is none."""
    if not session.seed:
        raise Broken("the key of this recording was destroyed on purpose")
    return key.of_recording(bytes.fromhex(session.seed))


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


def idle_shelves(place: Path, key: PayloadKey) -> Iterator[Shelf]:
    """Those that no living process has, each taken while it is looked at."""
    for number in range(1, _MOST + 1):
        if (place / f"{number}").exists() and (shelf := _take(place / f"{number}", key)) is not None:
            try:
                yield shelf
            finally:
                shelf.close()


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
