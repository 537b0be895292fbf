"""`kill -9` at random moments, over and over, and then the question what was left: `python -m tests.proving.kill N`."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from access.events import GrantEnded, GrantEnding, RequestApproved
from audit.log import Entry
from benchmarks.figures import percentile
from store.log import open_log
from tests.audit.proving.book import sign
from tests.audit.proving.verifying import verified
from tests.people import LEDGER
from tests.proving.far import FarSide, database_of
from tests.proving.life import patiently

LONGEST = 0.8  # seconds of a life, after its first sign
LATEST = 2.0  # seconds after the deadline, or after the start of a process where that came later
_MORE = 20
_PAGE = 500  # entries; a busy machine reads no more within the database's patience


@dataclass(frozen=True)
class Found:
    """What the log and the far side say when all is over."""

    kills: int
    credentials: int
    without_intent: int  # made at the far side before its intent was durable
    never_revoked: int
    ends_unsaid: int  # grants that began to end and have no end in the log
    without_approval: int
    verifies: bool
    late: tuple[float, ...]  # seconds after the deadline or after the start of a process, whichever came last
    running: tuple[float, ...]  # the same, but after the first look of a process instead of its start
    starts: tuple[float, ...]  # seconds from the start of a process to its first look at what is due

    @property
    def holds(self) -> bool:
        faults = (self.without_intent, self.never_revoked, self.ends_unsaid, self.without_approval)
        return self.verifies and not any(faults) and self.credentials > 0

    def as_table(self) -> str:
        return "\n".join((
            f"kills                              {self.kills}",
            f"credentials issued                 {self.credentials}",
            f"without a durable intent before    {self.without_intent}",
            f"never revoked                      {self.never_revoked}",
            f"ends begun and not written down    {self.ends_unsaid}",
            f"grants without an approval         {self.without_approval}",
            f"the log verifies                   {'yes' if self.verifies else 'NO'}",
            f"late after deadline or start       {spread(self.late)}",
            f"  later than {LATEST:g} s                   {sum(each > LATEST for each in self.late)}",
            f"late after deadline or first look  {spread(self.running)}",
            f"from start to first look           {spread(self.starts)}",
            f"load of this machine               {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors",
        ))  # fmt: skip


def spread(values: Sequence[float]) -> str:
    """`0.01 / 0.80 / 1.20 s (p50 / p99 / most)`."""
    if not values:
        return "-"
    return f"{percentile(values, 50):.2f} / {percentile(values, 99):.2f} / {max(values):.2f} s (p50 / p99 / most)"


@dataclass
class Loop:
    """Starts a process, kills it, and starts the next one; `far` is read in between."""

    directory: Path
    command: Sequence[str]
    far: FarSide
    environment: Mapping[str, str] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)

    def kill(self, after: float) -> None:
        """Give birth to one, and kill it so many seconds after its first sign of life."""
        with self.alive():
            time.sleep(after)

    def kill_often(self, kills: int, longest: float, chance: random.Random) -> None:
        """At random moments. On a busy machine more often, and later, until it gets anything done at all."""
        for done in count():
            more = max(0, done - kills + 1)
            if done >= kills and (self.far.made or more > _MORE):
                return
            self.kill(chance.uniform(0, longest * (1 + more)))

    @contextmanager
    def alive(self) -> Iterator[None]:
        """One that lives as long as the body takes, and is killed then."""
        life = self._start()
        assert life.stdout is not None
        try:
            assert life.stdout.readline() == b"alive\n", self._last_words("it did not come to life")
            yield
        finally:
            life.kill()
            life.communicate()
        self.far.catch_up()

    def end(self) -> None:
        """The last one only ends what is left."""
        last = self._start("--only-end")
        try:
            assert last.wait(timeout=250) == 0, self._last_words("it did not end what was left")
        finally:
            last.kill()
            last.communicate()
        self.far.catch_up()

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        self.starts.append(time.time())
        with (self.directory / "said").open("ab") as said:
            environment = {**os.environ, **self.environment, "STARTED": str(self.starts[-1])}
            return subprocess.Popen([*self.command, *words], stdout=subprocess.PIPE, stderr=said, env=environment)

    def _last_words(self, what: str) -> str:
        return f"{what}: {(self.directory / 'said').read_text()[-2000:]}"


def kill_loop(directory: Path, kills: int, chance: random.Random) -> Found:
    loop = Loop(directory, (sys.executable, "-m", "tests.proving.life", str(directory)), FarSide(directory))
    loop.kill_often(kills, LONGEST, chance)
    loop.end()
    entries, verifies = asyncio.run(read_and_verify(f"sqlite:///{database_of(directory)}", directory))
    return judge(entries, loop, verifies)


async def read_and_verify(url: str, directory: Path) -> tuple[list[Entry], bool]:
    """All entries of a log, and whether the stand-alone verifier is content with it."""
    log = open_log(url, LEDGER)
    try:
        entries: list[Entry] = []
        while page := await patiently(lambda: log.entries(entries[-1].seq if entries else -1, _PAGE)):
            entries.extend(page)
        key = await patiently(lambda: sign(log, directory))
    finally:
        log.close()
    return entries, verified("database", url, "--key", key, "--deep")["exit"] == 0


def judge(entries: Sequence[Entry], loop: Loop, verifies: bool) -> Found:
    made, gone = loop.far.made, loop.far.gone
    approved = refs_of(entries, RequestApproved)
    due = deadlines(entries)
    ends = [(due[f"PA-{line['grant']}"], gone[line["key"]]) for line in made if line["key"] in gone]
    looks = [life["opened"] for life in loop.far.lives]
    return Found(
        kills=len(loop.starts) - 1,
        credentials=len(made),
        without_intent=sum(not line["intended"] for line in made),
        never_revoked=len({line["key"] for line in made} - gone.keys()),
        ends_unsaid=len(refs_of(entries, GrantEnding) - refs_of(entries, GrantEnded)),
        without_approval=len({f"PA-{line['grant']}" for line in made} - approved),
        verifies=verifies,
        late=lateness(ends, loop.starts),
        running=lateness(ends, looks),
        starts=tuple(life["opened"] - life["started"] for life in loop.far.lives),
    )


def lateness(ends: Iterable[tuple[float, float]], starts: Iterable[float]) -> tuple[float, ...]:
    """Of deadlines and ends: seconds since it could have been ended, by the process that did it."""
    moments = tuple(starts)
    return tuple(max(0.0, at - max(due, *(each for each in (0.0, *moments) if each <= at))) for due, at in ends)


def refs_of(entries: Iterable[Entry], kind: type) -> set[str]:
    return {entry.event.ref for entry in entries if isinstance(entry.event, kind)}


def deadlines(entries: Iterable[Entry]) -> dict[str, float]:
    """The newest end that each grant was given."""
    return {
        entry.event.ref: entry.event.expires_at.timestamp()
        for entry in entries
        if hasattr(entry.event, "expires_at") and hasattr(entry.event, "ref")
    }


def main() -> int:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = random.SystemRandom().randrange(1_000_000)
    sys.stdout.write(f"seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="prodaccess-kill-") as directory:
        found = kill_loop(Path(directory), kills, random.Random(seed))
    sys.stdout.write(found.as_table() + "\n")
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
