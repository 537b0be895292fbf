"""`prodaccess audit verify --recordings`: the files of recordings against what the log says of each.

The log is what they are held against; of the sessions' rows only the seeds are taken, to open each frame. Without a
seed or the payload key, the running hashes alone tell between which two entries a file became another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from sqlalchemy import select
from sqlmodel import col

from access.errors import AccessError
from access.events import Event, RecordingErased, SessionClosed, SessionRecorded, SessionRemoved, SessionStored
from access.model import ref
from audit.payloads import PayloadKey
from audit.recording.form import Broken
from audit.recording.reader import Known, Reading, Recording, walked
from audit.tables import LedgerEntry
from notary.errors import BadSetting
from notary.spec import s3_place
from prodaccess.auditing.desk import Desk, in_transaction
from prodaccess.gateways.recordings_s3 import S3Depot, under
from store.log import SqlLog
from store.tables import AccessSession
from verifier.report import Finding, Report

_TOLD = (SessionRecorded, SessionClosed, SessionStored, SessionRemoved, RecordingErased)
_AT_ONCE = 500


@dataclass
class Told:
    """What the log says of one session's recording. `whole`: its size and hash at the end."""

    session: str
    ref: str = ""
    seq: int = 0
    hashes: list[tuple[int, str]] = field(default_factory=list)
    whole: tuple[int, str] | None = None
    late: bool = False
    stored: str = ""
    removed_at: datetime | None = None
    erased: bool = False

    @property
    def never_begun(self) -> bool:
        """It was closed before anything was written: nothing could be, or its gateway died."""
        return self.whole == (0, "") and not self.hashes

    def take(self, event: Event, seq: int) -> None:
        self.ref, self.seq = event.ref, seq
        match event:
            case SessionRecorded(size=size, recording=hash_):
                self.hashes.append((size, hash_))
            case SessionClosed(size=size, recording=hash_, late=late):
                self.whole, self.late = (size or 0, hash_), late
            case SessionStored(place=place):
                self.stored = place
            case SessionRemoved(at=at):
                self.removed_at = at
            case RecordingErased():
                self.erased = True


class Files(Protocol):
    """One place with recordings. `open` gives None where it is not to be there, and raises OSError where it is gone."""

    def open(self, told: Told, process: str) -> BinaryIO | None: ...


class Directory:
    """A gateway's disk: its own directories, or one of them. A file that was made and not begun is none."""

    def __init__(self, path: Path) -> None:
        self._shelves = {_name(lock): lock.parent for lock in (*path.glob("*/lock"), *path.glob("lock"))}
        if not self._shelves:
            raise BadSetting(f"{path} is no directory of recordings.")

    def open(self, told: Told, process: str) -> BinaryIO | None:
        shelf = self._shelves.get(process)
        if shelf is None or told.removed_at is not None:
            return None
        path = shelf / f"{told.session}.rec"
        if told.never_begun and not path.stat().st_size:
            raise FileNotFoundError
        return path.open("rb")


@dataclass(frozen=True)
class Bucket:
    """Where they were stored. Opening raises Unavailable."""

    depot: S3Depot

    def open(self, told: Told, process: str) -> BinaryIO | None:  # noqa: ARG002 (whoever stored it)
        return self.depot.open(told.stored) if told.stored else None


def check_recordings(desk: Desk, places: Sequence[str], report: Report) -> None:
    """Adds what was found. Raises SettingsError, BadSetting."""
    raw = desk.payload_key()
    with desk.log() as log:
        told, rows = _told(log), _rows(log)
    for place in places:
        files = _files(place, desk)
        seen = 0
        for each in told.values():
            process, seed = rows.get(each.session, ("", ""))
            key = PayloadKey(raw).of_recording(bytes.fromhex(seed)) if raw and seed and not each.erased else None
            seen += _one(files, each, process, key, report)
        report.remarks.append(f"recording: {seen} of {len(told)} looked through at {place}")
        if isinstance(files, Bucket):
            files.depot.close()


def _one(files: Files, told: Told, process: str, key: bytes | None, report: Report) -> int:
    """Whether there was something to look at."""
    try:
        file = files.open(told, process)
        if file is None:
            return 0
        with closing(file):
            excess = _walk(file, told, key)
    except FileNotFoundError:
        if not told.never_begun:
            report.fail(Finding("recording", f"{told.session}: its file is missing", told.seq, told.ref))
        elif told.late:
            what = f"{told.session}: its gateway died before anything of it was kept"
            report.note(Finding("recording", what, told.seq, told.ref))
        return 0 if told.never_begun else 1
    except Broken as error:
        report.fail(Finding("recording", f"{told.session}: {error}", told.seq, told.ref))
    except (AccessError, OSError) as error:
        report.undecided.append(f"The recording of {told.session} could not be looked at: {error}")
    else:
        report.passed["recording"] += 1
        if excess:
            report.note(Finding("recording", f"{told.session}: {excess}", told.seq, told.ref))
    return 1


def _walk(file: BinaryIO, told: Told, key: bytes | None) -> str:
    """What stands there beyond what the log knows, where the log explains it. Raises Broken."""
    known = Known([*told.hashes, *([told.whole] if told.whole else [])])
    if key is not None:
        recording = Recording(lambda: file, key, known)
        for _ in recording.read():
            pass
        reading = recording.reading
    else:
        reading = _walk_closed(file, known)
    if reading.header.session != told.session:
        raise Broken(f"this is the recording of {reading.header.session[:40]!r}")
    beyond = reading.size + reading.torn - (told.whole[0] if told.whole else reading.size)
    if not beyond or told.whole is None:
        return ""
    if told.whole[0] and not told.late:
        raise Broken(f"it is {beyond} bytes longer than the log says")
    return f"{beyond} bytes follow what the log knows: its gateway died, and could not tell any more"


def _walk_closed(file: BinaryIO, known: Known) -> Reading:
    """Without its key."""
    reading: Reading | None = None
    for reading in walked(file):
        known.hold(reading)
    assert reading is not None  # a file without a header is Broken
    known.hold_end(reading)
    return reading


def _told(log: SqlLog) -> dict[str, Told]:
    """By session, in the log's order."""
    kinds, seq = [kind.TAG for kind in _TOLD], col(LedgerEntry.seq)
    query = select(seq).where(col(LedgerEntry.type).in_(kinds)).order_by(seq)
    seqs = in_transaction(log, lambda tx: list(tx.execute(query).scalars()))
    found: dict[str, Told] = {}
    for first in range(0, len(seqs), _AT_ONCE):
        read = partial(log.ledger.read_some, seqs=seqs[first : first + _AT_ONCE])
        for entry in in_transaction(log, read):
            session = getattr(entry.event, "session", "")
            found.setdefault(session, Told(session)).take(entry.event, entry.seq)
    return found


def _rows(log: SqlLog) -> dict[str, tuple[str, str]]:
    """Each session's process and seed."""
    of = AccessSession
    query = select(col(of.grant), col(of.n), col(of.process), col(of.seed))
    rows = in_transaction(log, lambda tx: list(tx.execute(query)))
    return {f"{ref(number)}-{n}": (process, seed) for number, n, process, seed in rows}


def _files(place: str, desk: Desk) -> Files:
    """Raises BadSetting."""
    if place.startswith("s3://"):
        return Bucket(S3Depot(s3_place(place, under(desk.settings))))
    return Directory(Path(place))


def _name(lock: Path) -> str:
    return lock.read_text("ascii", "replace")[:64]
