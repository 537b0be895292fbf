"""The spool: what was ended while the database did not answer, on local disk until the log has it.

One file for each process and outage, made when it is needed and removed when it has served; a process that starts
takes over what others have left behind. Each line stands for itself, with a checksum in front of it: a torn one is
passed over, and of one grant the last one counts. No line holds a locator: nobody can do anything with one.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from access.errors import Unavailable
from access.ports import Gone
from access.revoking.outcome import Outcome
from audit.canonical import micros, moment

log = logging.getLogger(__name__)

_ENDING = ".spool"


class FileSpool:
    """`access.revoking.stand_in.Spool` in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: int | None = None
        self._taken: dict[Path, int] = {}  # with their locks: nobody else writes their lines down
        self._waiting: list[Outcome] = []
        self._one = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self.is_broken = False

    def left(self) -> tuple[Outcome, ...]:
        """Newest file last. What cannot be read is said and left where it is."""
        found: dict[int, Outcome] = {}
        with suppress(FileNotFoundError):
            for path in sorted(self._directory.glob(f"*{_ENDING}"), key=lambda path: path.stat().st_mtime):
                if (file := _taken_over(path)) is not None:
                    self._taken[path] = file
                    found |= {outcome.number: outcome for outcome in _outcomes(path)}
        return tuple(found.values())

    async def append(self, outcomes: Sequence[Outcome]) -> None:
        """Many that come at once are one write. Raises Unavailable."""
        self._waiting.extend(outcomes)
        async with self._one:
            waiting, self._waiting = self._waiting, []
            if waiting:
                await self._off_the_loop(waiting)

    async def _off_the_loop(self, outcomes: Sequence[Outcome]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, outcomes)
        except OSError as error:
            self.is_broken, self._file = True, None  # the next one goes to a new file: this one's end may be torn
            raise Unavailable(f"{self._directory} cannot be written ({error.strerror}).") from error
        self.is_broken = False

    def _write(self, outcomes: Sequence[Outcome]) -> None:
        if self._file is None:
            self._file = self._make()
        left = b"".join(map(line_of, outcomes))
        while left:
            left = left[os.write(self._file, left) :]
        os.fdatasync(self._file)

    def _make(self) -> int:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{os.getpid()}-{secrets.token_hex(4)}{_ENDING}"
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY, 0o600)
        self._taken[path] = file
        fcntl.flock(file, fcntl.LOCK_EX)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return file

    async def clear(self) -> None:
        async with self._one:
            if self._taken:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._clear)

    def _clear(self) -> None:
        for path, file in self._taken.items():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("a spool file stays", extra={"action": "spool", "file": path.name, "why": error.strerror})
            os.close(file)
        self._taken, self._file = {}, None

    def leave(self) -> None:
        """What is not in the log yet stays on disk, for the next start. Not under a write that is under way."""
        self._thread.submit(self._leave)

    def _leave(self) -> None:
        for file in self._taken.values():
            os.close(file)
        self._taken, self._file = {}, None

    def close(self) -> None:
        """The same, and nothing more is written."""
        self._thread.shutdown()
        self._leave()


def _taken_over(path: Path) -> int | None:
    """Its lock, where no living process has it."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        log.critical("a spool file cannot be read", extra={"action": "spool", "file": path.name, "why": error.strerror})
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def _outcomes(path: Path) -> Iterator[Outcome]:
    torn = 0
    for line in path.read_bytes().splitlines():
        outcome = outcome_of(line)
        torn += outcome is None
        if outcome is not None:
            yield outcome
    if torn:
        log.warning("lines of the spool cannot be read", extra={"action": "spool", "file": path.name, "lines": torn})


# One line


def line_of(outcome: Outcome) -> bytes:
    """Checksum, a blank, the fields, and the end of the line."""
    gone = outcome.gone
    plain = {
        "grant": outcome.number, "version": outcome.version, "expires_at": micros(outcome.expires_at),
        "begun_at": micros(outcome.begun_at), "tries": outcome.tries, "failed_at": _micros(outcome.failed_at),
        "why": outcome.why, "gone_at": _micros(outcome.gone_at),
        "gone": gone and {"proof": gone.proof, "effective_by": _micros(gone.effective_by), "tried": gone.tried},
    }  # fmt: skip
    body = json.dumps(plain, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(body), body)


def outcome_of(line: bytes) -> Outcome | None:
    """None for a torn line, or one of another version."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        return _outcome(json.loads(body))
    except (KeyError, TypeError, ValueError):
        return None


def _outcome(plain: Mapping[str, Any]) -> Outcome:
    gone = plain["gone"]
    return Outcome(
        number=plain["grant"], version=plain["version"], expires_at=moment(plain["expires_at"]),
        begun_at=moment(plain["begun_at"]), tries=plain["tries"], failed_at=_moment(plain["failed_at"]),
        why=plain["why"], gone_at=_moment(plain["gone_at"]),
        gone=gone and Gone(tuple(gone["proof"]), _moment(gone["effective_by"]), tried=gone["tried"]),
    )  # fmt: skip


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
