"""Everything around it fails, one thing after the other, while grants end: `python -m tests.proving.faults [--short]`.

One table, a row for each fault: what is promised, and what was seen by logging in at a real PostgreSQL whose users a
real OpenBao makes. Where a fault takes a quarter of an hour, the server's own clock runs faster by the factor that the
row names: its pauses and alarms shrink with it, and the parts around it do not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import hvac
import requests

from benchmarks.figures import percentile
from tests.proving.ground import Ground, laid
from tests.proving.trial import Fault, Plan, Seen, Trial, try_out

_CALLS = (30.0, 120.0, 300.0)  # seconds of trying, after which people are called
VAULTS_OWN = 3.0  # seconds: by then Vault ends it by itself
OWN = 8.0  # seconds: by then the target lets nobody in any more (`VALID UNTIL`), whatever became of us and of Vault
_WRITTEN = 5.0  # seconds: an end that is proven is in the log
_PAUSE = 60.0  # seconds: the longest pause between two tries
_CALLING = 5.0  # seconds of this machine, for the tries of all that are due


# What goes wrong


def wall_clock(hours: int) -> Fault:
    @asynccontextmanager
    async def moved(trial: Trial) -> AsyncIterator[None]:
        trial.clock.jump(timedelta(hours=hours))
        yield

    return moved


@asynccontextmanager
async def database_down(trial: Trial) -> AsyncIterator[None]:
    """Its port answers every connection with a reset, and those that stand are reset."""
    trial.ways.cut(trial.database)
    yield
    trial.database.faults.refuse = False


@asynccontextmanager
async def vault_down(trial: Trial) -> AsyncIterator[None]:
    """For us: nothing reaches it. It goes on by itself, as after a cut cable; sealed, it does nothing at all."""
    trial.ways.cut(trial.vault)
    yield
    trial.vault.faults.refuse = False


@asynccontextmanager
async def vault_sealed(trial: Trial) -> AsyncIterator[None]:
    with requests.Session() as session:
        root = hvac.Client(trial.ground.openbao.address, token=trial.ground.openbao.root_token, session=session)
        await asyncio.to_thread(root.sys.seal)
        yield
        await asyncio.to_thread(trial.ground.openbao.unseal)


@asynccontextmanager
async def target_frozen(trial: Trial) -> AsyncIterator[None]:
    trial.ground.target.pause()
    yield
    trial.ground.target.resume()


@asynccontextmanager
async def target_refuses(trial: Trial) -> AsyncIterator[None]:
    """Vault's own account cannot log in there any more; those of people can."""
    ground, admin = trial.ground, trial.ground.db.admin_user
    ground.target.execute(f"ALTER ROLE {admin} PASSWORD 'changed elsewhere'")
    ground.target.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{admin}'")
    yield
    ground.target.execute(f"ALTER ROLE {admin} PASSWORD '{ground.db.admin_password}'")


def slack(do: str, **options: object) -> Fault:
    @asynccontextmanager
    async def fails(trial: Trial) -> AsyncIterator[None]:
        trial.house.slack.faults.add({"where": "api", "do": do, "times": None, **options})
        yield
        trial.house.slack.faults.clear()

    return fails


def both(one: Fault, other: Fault) -> Fault:
    @asynccontextmanager
    async def fail(trial: Trial) -> AsyncIterator[None]:
        async with one(trial), other(trial):
            yield

    return fail


# What is promised


@dataclass(frozen=True)
class Row:
    """`usable` and `proven`: seconds at most."""

    name: str
    plan: Plan
    promise: str
    usable: float  # after the deadline
    proven: float  # after the deadline, or the end of the fault where it could not be proven before

    @property
    def is_in_real_time(self) -> bool:
        """Otherwise the target's own clock has nothing to do with the deadlines."""
        return self.plan.factor == 1

    def faults(self, seen: Seen) -> list[str]:
        """What of the promise was not kept."""
        leeway = _CALLING * (self.plan.factor - 1)  # on a fast clock, what this machine does seems to take longer
        wrong = {
            "usable for too long": self.is_in_real_time and max(seen.usable) > self.usable,
            "proven too late": max(seen.proven) > self.proven + leeway,
            "written down too late": max(seen.written) > self.proven + _WRITTEN + leeway,
            "people were called too late": not _called_in_time(seen, _PAUSE + _CALLING + leeway),
            "never refused": seen.never_refused > 0,
            "users are left": seen.left > 0,
            "the log does not verify": not seen.verifies,
            "threads do not tell the end once": seen.told not in (None, seen.grants),
        }
        return [what for what, is_so in wrong.items() if is_so]


def _called_in_time(seen: Seen, leeway: float) -> bool:
    """After each time of trying, at the next try that fails."""
    for n, after in enumerate(_CALLS):
        if any(at > after + leeway for at in seen.alarms[n]):
            return False
        if seen.tried_for > after + leeway and not seen.alarms[n]:
            return False
    return True


def rows(scale: float) -> list[Row]:
    two, sixty = "usable ≤ 2 s after the deadline", "proven ≤ 60 s after it is back"
    three, eight = (f"usable ≤ {own:g} s after the deadline, {sixty}" for own in (VAULTS_OWN, OWN))
    return [
        Row("wall clock +1 h", Plan(wall_clock(+1), 20, 0), two, 2.0, 2.0),
        Row("wall clock -1 h", Plan(wall_clock(-1), 20, 0), two, 2.0, 2.0),
        Row("database down 60 s", Plan(database_down, 50, 60), two, 2.0, 2.0),
        Row("Vault down 60 s, 300 ends", Plan(vault_down, 300, 60), three, VAULTS_OWN, 60.0),
        Row("Vault sealed 60 s, 300 ends", Plan(vault_sealed, 300, 60), eight, OWN, 60.0),
        Row("target frozen 60 s", Plan(target_frozen, 20, 60), eight, OWN, 60.0),
        Row("target refuses for 15 min", Plan(target_refuses, 20, 900, scale), sixty, OWN, 60.0),
        Row("Slack down 10 min", Plan(slack("reset"), 10, 600 / scale, in_slack=True), two, 2.0, 2.0),
        Row(
            "Slack rate-limits 10 min",
            Plan(slack("rate_limit", retry_after=30), 10, 600 / scale, in_slack=True),
            two,
            2.0,
            2.0,
        ),
    ]


def short() -> list[Row]:
    """In seconds, and with few grants."""
    away = Plan(both(vault_down, slack("reset")), 3, 40, 20, in_slack=True)
    return [Row("Vault and Slack down 40 s", away, "proven ≤ 60 s after it is back", OWN, 60.0)]


def at_most(row: Row, grants: int) -> Row:
    return replace(row, plan=replace(row.plan, grants=min(row.plan.grants, grants)))


HEAD = (
    "fault", "clock ×", "grants", "promised", "usable after the deadline (p50 / p99 / most)",
    "proven after", "in the log after", "people called after", "verifies", "verdict",
)  # fmt: skip


def cells(row: Row, seen: Seen) -> tuple[str, ...]:
    late = " / ".join(f"{percentile(seen.usable, p):.2f}" for p in (50, 99, 100)) + " s"
    called = ", ".join(f"{min(at):.0f}-{max(at):.0f} s" for at in seen.alarms.values() if at) or "nobody"
    wrong = row.faults(seen)
    return (
        row.name, f"{row.plan.factor:g}", str(seen.grants), row.promise,
        late if row.is_in_real_time else "(not at this clock)",
        f"{max(seen.proven):.1f} s", f"{max(seen.written):.1f} s", called, "yes" if seen.verifies else "NO",
        f"BROKEN: {', '.join(wrong)}" if wrong else "kept",
    )  # fmt: skip


def as_table(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


async def one_by_one(ground: Ground, chosen: Sequence[Row]) -> list[tuple[Row, Seen]]:
    found = []
    for row in chosen:
        seen = await try_out(ground, row.plan)
        found.append((row, seen))
        sys.stderr.write(f"{row.name}: {', '.join(row.faults(seen)) or 'kept'}\n")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proving.faults", description=__doc__)
    parser.add_argument("--scale", type=float, default=5.0, help="how much faster minutes pass; 1 takes an hour")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--grants", type=int, default=1000, help="in a row, at most: for a busy machine")
    parser.add_argument("--short", action="store_true", help="some of them, in seconds")
    options = parser.parse_args()
    all_of_them = short() if options.short else rows(options.scale)
    chosen = [at_most(row, options.grants) for row in all_of_them if options.only in row.name]
    with laid(apart=True) as ground:
        found = asyncio.run(one_by_one(ground, chosen))
    sys.stdout.write(as_table([HEAD, *(cells(row, seen) for row, seen in found)]) + "\n")
    sys.stdout.write(f"load of this machine: {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors\n")
    return 1 if any(row.faults(seen) for row, seen in found) else 0


if __name__ == "__main__":
    sys.exit(main())
