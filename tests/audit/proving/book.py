"""What writers were told is in the log, and whether it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from audit.log import ORIGIN
from audit.note import VerifierKey
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from store import open_store
from store.log import SqlLog
from tests.audit.proving.verifying import verified
from tests.people import LEDGER, ManualClock


@dataclass
class Book:
    """Acknowledged entries, by `seq`, and the sentences of those that were refused."""

    acknowledged: dict[int, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        what, _, rest = line.rstrip("\n").partition(" ")
        if what == "no":
            self.refused.append(rest)
            return
        assert int(what) not in self.acknowledged, f"two entries were promised the place {what}"
        self.acknowledged[int(what)] = rest

    def read_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.read(line)


class Writers:
    """The processes. `lines` is what they say; it ends when all of them have."""

    def __init__(self, url: str, processes: int, appends: int, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "tests.audit.proving.writer", url, str(processes), str(appends)]
        surroundings = {**os.environ, **(environment or {})}
        self._running = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=surroundings
        )
        assert self._running.stdout is not None
        self.lines: IO[str] = self._running.stdout

    def kill(self) -> None:
        """All of them, in the midst of whatever they do. What they had said can still be read."""
        with suppress(ProcessLookupError):
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.lines.close()


def make_log(url: str) -> None:
    """An empty one."""
    open_store(url, ManualClock(), LEDGER).close()


async def audit(url: str, book: Book, directory: Path) -> int:
    """Everything that was promised is there, in order and without gaps, and verifies. Answers how many there are."""
    store = open_store(url, ManualClock(), LEDGER)
    try:
        said = await _said(store.log)
        assert {seq: version for seq, version in enumerate(said) if seq in book.acknowledged} == book.acknowledged
        assert len(set(said)) == len(said), "an entry was written twice"
        key = await sign(store.log, directory)
    finally:
        store.close()
    report = verified("database", url, "--key", key, "--deep")
    assert (report["exit"], report["size"]) == (0, len(said)), report
    return len(said)


async def _said(log: SqlLog) -> Sequence[str]:
    """By place; fails on a gap."""
    size = await log.head() + 1
    fields = [json.loads(body) for body in await log.bodies(0, None, size + 1)]
    assert [each["seq"] for each in fields] == list(range(size))
    return [each["data"]["version"] for each in fields]


async def sign(log: SqlLog, directory: Path) -> str:
    pem = directory / "audit.pem"
    if not pem.exists():
        make_key(pem)
    signer = FileSigner(ORIGIN, pem)
    await Signing(log, signer, ManualClock()).catch_up()
    return str(VerifierKey(ORIGIN, await signer.public_key()))
