"""The same at real targets: OpenBao and PostgreSQL, counted by logging in: `python -m tests.proving.kill_real N`."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audit.log import Entry
from tests.proving.far import FarSide
from tests.proving.ground import Ground, laid
from tests.proving.kill import Found, Loop, judge, lateness, read_and_verify, spread

LONGEST = 1.5  # seconds of a life: some grants reach their deadline in it
WHATEVER = 60.0  # seconds after the deadline, whatever happens


@dataclass(frozen=True)
class FoundReal:
    """What the log says, and what the target said to those who tried."""

    found: Found
    logins: int  # tried
    accepted: int
    never_refused: int  # handed over, and at the end still not refused
    untold: int  # users that the target had and nobody had asked for with a durable intent
    users_left: int
    after_deadline: tuple[float, ...]  # seconds, of each login that was handed over

    @property
    def holds(self) -> bool:
        faults = (self.never_refused, self.untold, self.users_left, sum(x > WHATEVER for x in self.after_deadline))
        return self.found.holds and not any(faults) and self.accepted > 0

    def as_table(self) -> str:
        return "\n".join((
            self.found.as_table(),
            f"logins tried                       {self.logins}",
            f"  accepted                         {self.accepted}",
            f"handed over and never refused      {self.never_refused}",
            f"users that nobody had asked for    {self.untold}",
            f"users left at the target           {self.users_left}",
            f"refused after the deadline         {spread(self.after_deadline)}",
        ))  # fmt: skip


def kill_loop(directory: Path, ground: Ground, plan: tuple[str, int, random.Random]) -> FoundReal:
    """`plan`: the name of prodaccess' database, how many kills, and when."""
    database, kills, chance = plan
    address = ground.address(database)
    address.save(directory)
    loop = Loop(directory, (sys.executable, "-m", "tests.proving.life_real", str(directory)), FarSide(directory))
    with probing(directory):
        loop.kill_often(kills, LONGEST, chance)
        loop.end()
    entries, verifies = asyncio.run(read_and_verify(address.database, directory))
    probed = json.loads((directory / "probed.json").read_text())
    return _judge((entries, verifies), loop, probed, ground.left_of(probed["usable"]))


@contextmanager
def probing(directory: Path) -> Iterator[None]:
    """Somebody tries all the time; at the end they write down what they found."""
    command = [sys.executable, "-m", "tests.proving.prober", str(directory)]
    prober = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert prober.stdout is not None
    try:
        assert prober.stdout.readline() == b"ready\n"
        yield
        prober.send_signal(signal.SIGTERM)
        assert prober.wait(timeout=60) == 0
    finally:
        prober.kill()
        prober.communicate()


def _judge(log: tuple[Sequence[Entry], bool], loop: Loop, probed: dict[str, Any], users_left: int) -> FoundReal:
    entries, verifies = log
    tried = probed["tried"]
    asked = [line["grant"] for line in loop.far.made if line["intended"]]
    made = [int(user.rpartition("-pa-")[2].partition("_")[0]) for user in probed["usable"]]
    refused = [each for each in tried if each["refused_at"]]
    ends = [(each["deadline"], each["refused_at"]) for each in refused]
    late, running = lateness(ends, loop.starts), lateness(ends, [life["opened"] for life in loop.far.lives])
    return FoundReal(
        replace(judge(entries, loop, verifies), late=late, running=running, never_revoked=users_left),
        logins=sum(each["accepted"] + each["refused"] + each["unknown"] for each in tried),
        accepted=sum(each["accepted"] for each in tried),
        never_refused=len(tried) - len(refused),
        untold=sum(made.count(grant) > asked.count(grant) for grant in set(made)),
        users_left=users_left,
        after_deadline=tuple(max(0.0, each["refused_at"] - each["deadline"]) for each in refused),
    )


def main() -> int:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = random.SystemRandom().randrange(1_000_000)
    sys.stdout.write(f"seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="prodaccess-kill-") as directory, laid() as ground:
        ground.house.execute("CREATE DATABASE house")
        found = kill_loop(Path(directory), ground, ("house", kills, random.Random(seed)))
    sys.stdout.write(found.as_table() + "\n")
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
