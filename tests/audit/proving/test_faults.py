"""A disk that is full, or fails: said in words, nothing promised is lost, and it goes on when the disk does."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pytest

from prodaccess.parts.part import Program
from prodaccess.parts.postgres import UNPRIVILEGED, Postgres
from tests.audit.proving.book import Book, Writers, audit, make_log
from tests.audit.proving.engines import Postgresql

SOURCE = Path(__file__).with_name("faulty.c")
REFUSED = 8  # before the disk is well again
AFTER = 60  # entries that must get through then
WAYS = [(errno.ENOSPC, 1), (errno.EIO, 3), (errno.EIO, 7)]
if os.environ.get("SOAK"):
    WAYS = [(number, each) for number in (errno.ENOSPC, errno.EIO) for each in range(1, 20)]


@dataclass(frozen=True)
class Faults:
    """Failing writes, for processes that have `environment`."""

    directory: Path
    within: str  # a part of the path of those files that fail

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.directory / "faulty.so"), "FAULTS": str(self._file), "FAULTS_IN": self.within}

    @property
    def _file(self) -> Path:
        return self.directory / "faults"

    def build(self) -> None:
        library = self.directory / "faulty.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)], check=True)
        library.chmod(0o755)

    def begin(self, number: int, each: int = 1) -> None:
        """From now on each so many of the calls fails with this error."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{number} {each}\n")
        new.chmod(0o644)
        new.rename(self._file)

    def end(self) -> None:
        self._file.unlink()


class FaultyPostgres(Postgres):
    """A server whose disk can fail, that of its tables: without its write-ahead log it would stop by itself."""

    @property
    def faults(self) -> Faults:
        return Faults(self.directory, "/base/")

    def _prepare(self) -> Program:
        program = super()._prepare()
        self.faults.build()
        if os.geteuid() == 0:
            os.chown(self.directory / "faulty.so", pwd.getpwnam(UNPRIVILEGED).pw_uid, -1)
        return replace(program, environment={**program.environment, **self.faults.environment})


@dataclass(frozen=True)
class Bed:
    """A log, the faults under it, and what its writers need to have them."""

    url: str
    faults: Faults
    environment: dict[str, str]


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Bed:
    url, faults = f"sqlite:///{tmp_path}/log.db", Faults(tmp_path, "/log.db")
    faults.build()
    make_log(url)
    return Bed(url, faults, faults.environment)


@pytest.mark.parametrize(("number", "each"), WAYS, ids=[f"{errno.errorcode[n]}, each {each}" for n, each in WAYS])
async def test_sqlite(on_sqlite: Bed, number: int, each: int, tmp_path: Path) -> None:
    """Each write, or one here and there: whatever a transaction was about to do."""
    await _survives(on_sqlite, (number, each), tmp_path)


async def test_postgresql(tmp_path: Path) -> None:
    with FaultyPostgres() as server:
        for number in (errno.ENOSPC, errno.EIO):
            url = Postgresql(server).fresh()
            make_log(url)
            await _survives(Bed(url, server.faults, {}), (number, 1), tmp_path)


async def _survives(bed: Bed, fault: tuple[int, int], directory: Path) -> None:
    book = Book()
    with Writers(bed.url, 2, 0, bed.environment) as writers:
        book.read_all(islice(writers.lines, AFTER))
        assert book.refused == []
        bed.faults.begin(*fault)
        while len(book.refused) < REFUSED:
            book.read(writers.lines.readline())
        bed.faults.end()
        before = len(book.acknowledged)
        while len(book.acknowledged) < before + AFTER:
            book.read(writers.lines.readline())
        writers.kill()
        book.read_all(writers.lines)
    assert set(book.refused) == {"The database does not answer. Nothing was changed; try again shortly."}
    assert await audit(bed.url, book, directory) >= len(book.acknowledged)
