"""`kill -9` at random moments, over and over, and then the question what was left: `python -m tests.proving.kill N`."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access.events import GrantEnded, GrantEnding, RequestApproved
from audit.log import Entry
from benchmarks.figures import percentile
from store.log import open_log
from tests.audit.proving.book import sign
from tests.audit.proving.verifying import verified
from tests.people import LEDGER
from tests.proving.life import far_lines

LONGEST = 0.8  # seconds of a life, after its first sign
_PAGE = 5_000


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

    @property
    def holds(self) -> bool:
        faults = (self.without_intent, self.never_revoked, self.ends_unsaid, self.without_approval)
        return self.verifies and not any(faults) and self.credentials > 0

    def as_table(self) -> str:
        middle, most = percentile(self.late, 50), percentile(self.late, 99)
        return "\n".join((
            f"kills                              {self.kills}",
            f"credentials issued                 {self.credentials}",
            f"without a durable intent before    {self.without_intent}",
            f"never revoked                      {self.never_revoked}",
            f"ends begun and not written down    {self.ends_unsaid}",
            f"grants without an approval         {self.without_approval}",
            f"the log verifies                   {'yes' if self.verifies else 'NO'}",
            f"late after deadline or start       {middle:.2f} / {most:.2f} s (p50 / p99)",
        ))  # fmt: skip


def kill_loop(directory: Path, kills: int, chance: random.Random) -> Found:
    starts = []
    for _ in range(kills):
        starts.append(time.time())
        life = _start(directory)
        assert life.stdout is not None
        assert life.stdout.readline() == b"alive\n", "it did not come to life"
        time.sleep(chance.uniform(0, LONGEST))
        life.kill()
        life.wait()
        life.stdout.close()
    starts.append(time.time())
    last = _start(directory, "--only-end")
    try:
        assert last.wait(timeout=100) == 0, (directory / "said").read_text()[-2000:]
    finally:
        last.kill()
        last.communicate()
    return asyncio.run(_look(directory, kills, starts))


def _start(directory: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.proving.life", str(directory), *words]
    with (directory / "said").open("ab") as said:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said)


async def _look(directory: Path, kills: int, starts: list[float]) -> Found:
    url = f"sqlite:///{directory}/prodaccess.db"
    log = open_log(url, LEDGER)
    try:
        entries: list[Entry] = []
        while page := await log.entries(entries[-1].seq if entries else -1, _PAGE):
            entries.extend(page)
        key = await sign(log, directory)
    finally:
        log.close()
    report = verified("database", url, "--key", key, "--deep")
    return _judge(entries, list(far_lines(directory)), (kills, starts, report["exit"] == 0))


def _judge(entries: list[Entry], far: list[dict[str, Any]], run: tuple[int, list[float], bool]) -> Found:
    kills, starts, verifies = run
    made = [line for line in far if line["what"] == "+account"]
    gone = {line["key"]: line["at"] for line in far if line["what"] == "-account"}
    seen: dict[str, int] = {}
    unintended = 0
    for line in made:
        ref = f"PA-{line['grant']}"
        seen[ref] = seen.get(ref, 0) + 1
        unintended += line["intents"] < seen[ref]
    begun = {entry.event.ref for entry in entries if isinstance(entry.event, GrantEnding)}
    ended = {entry.event.ref for entry in entries if isinstance(entry.event, GrantEnded)}
    approved = {entry.event.ref for entry in entries if isinstance(entry.event, RequestApproved)}
    due = _deadlines(entries)
    late = [
        gone[line["key"]] - max(due[f"PA-{line['grant']}"], *(at for at in starts if at <= gone[line["key"]]))
        for line in made
        if line["key"] in gone and starts[0] <= gone[line["key"]]
    ]
    return Found(
        kills, len(made), unintended, len({line["key"] for line in made} - gone.keys()), len(begun - ended),
        len({f"PA-{line['grant']}" for line in made} - approved), verifies, tuple(max(0.0, each) for each in late),
    )  # fmt: skip


def _deadlines(entries: list[Entry]) -> dict[str, float]:
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
