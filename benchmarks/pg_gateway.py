"""What the recorded PostgreSQL gateway costs: each run stands between two runs without it, in the same minute.

Beside it, where they are installed (`apt-get install haproxy pgbouncer pgpool2`): a plain TCP proxy, a pooler that
records nothing, and a pooler that logs statements. Client, gateway and database share this machine's cores, so all of
them look worse than on machines of their own: the figures are ratios to the direct runs, and only those of one run
can be compared. `python -m benchmarks.pg_gateway --load c4 --rounds 5 --against haproxy` for a part.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import pg_bulk
from benchmarks.figures import median
from benchmarks.pg_contestants import ALL, Contestant, found
from benchmarks.pg_gateway_process import GatewayProcess
from prodaccess.parts.part import HOST
from prodaccess.parts.postgres import Postgres

SCALE = 10  # a million accounts
SECONDS = 1.0
ROUNDS = 4
OURS = "gateway"
#: of each load: who is to be matched, and how much of their ratio is wanted; `direct` is the database itself
_PLAIN, _POOLER, _LOGGER = "haproxy", "pgbouncer", "pgpool2 that logs"
_AIMS = {
    "simple": {_PLAIN: 1.0, _LOGGER: 1.3},
    "prepared": {_PLAIN: 1.0, _LOGGER: 2.5},
    "tpcb": {_PLAIN: 1.0, _POOLER: 0.9, _LOGGER: 1.3},
    "bulk": {"direct": 0.95},
}


@dataclass(frozen=True)
class Load:
    """`rate` is how much of `unit` one run does in a second through the connection it is given."""

    name: str
    kind: str
    unit: str
    rate: Callable[[str], float]


@dataclass
class Row:
    """One load: rates without anything in between, and of each contestant the ratio to the runs beside it."""

    load: Load
    direct: list[float] = field(default_factory=list)
    ratios: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, name: str) -> float | None:
        return 1.0 if name == "direct" else median(self.ratios[name]) if self.ratios.get(name) else None

    @property
    def ours(self) -> float:
        """Of one process or several, whichever is better: how many to run is a setting."""
        return max(median(values) for name, values in self.ratios.items() if name.startswith(OURS))

    def missed(self) -> list[str]:
        told = []
        for other, share in _AIMS[self.load.kind].items():
            theirs = self.ratio(other)
            if theirs is not None and self.ours < share * theirs:
                told.append(f"{self.ours / theirs:.2f} of {other}, wanted {share:g}")
        return told


@dataclass(frozen=True)
class Result:
    """The table."""

    rows: Sequence[Row]
    names: Sequence[str]
    absent: Sequence[str]

    @property
    def met(self) -> bool:
        return not any(row.missed() for row in self.rows)

    def as_json(self) -> str:
        loads = {
            row.load.name: {
                "direct": {"value": round(median(row.direct), 1), "unit": row.load.unit},
                "ratios": {
                    name: {"median": round(median(v), 3), "min": round(min(v), 3), "max": round(max(v), 3)}
                    for name, v in row.ratios.items()
                },
                "missed": row.missed(),
            }
            for row in self.rows
        }
        return json.dumps({"name": "pg_gateway", "absent": list(self.absent), "loads": loads}, indent=2)

    def as_table(self) -> str:
        head = ["load", "direct", *self.names, "missed"]
        lines = [head]
        for row in self.rows:
            cells = [f"{median(v):.2f} [{min(v):.2f}-{max(v):.2f}]" for v in (row.ratios[n] for n in self.names)]
            lines.append([row.load.name, f"{median(row.direct):,.0f} {row.load.unit}", *cells, "; ".join(row.missed())])
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        text = "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
        absent = f"\n\nNot installed: {', '.join(self.absent)}." if self.absent else ""
        return f"The PostgreSQL gateway, recording: ratios to direct, median [min-max]\n\n{text}{absent}"


def pgbench(name: str, kind: str, bench: Path, *options: str) -> Load:
    def rate(dsn: str) -> float:
        command = [str(bench), "-n", "-T", f"{SECONDS:g}", *options, "-d", dsn]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=_bare())
        told = re.search(r"tps = ([\d.]+)", done.stdout)
        if told is None or done.returncode:
            raise RuntimeError(f"pgbench failed: {done.stderr[-500:]}")
        return float(told[1])

    return Load(name, kind, "tps", rate)


def _bare() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def loads(bench: Path, rows: bytes) -> list[Load]:
    made = []
    for clients in (1, 4, 16):
        shared = ("-c", str(clients), "-j", str(min(clients, 2)))
        made.append(pgbench(f"select c{clients}", "simple", bench, "-S", *shared))
        made.append(pgbench(f"select prepared c{clients}", "prepared", bench, "-S", "-M", "prepared", *shared))
    made.append(pgbench("tpcb c4", "tpcb", bench, "-c", "4", "-j", "2"))
    made.append(pgbench("tpcb prepared c4", "tpcb", bench, "-M", "prepared", "-c", "4", "-j", "2"))
    made.append(Load("1M rows SELECT", "bulk", "MB/s", lambda dsn: pg_bulk.rate_out(dsn, pg_bulk.SELECT)))
    made.append(Load("1M rows COPY out", "bulk", "MB/s", lambda dsn: pg_bulk.rate_out(dsn, pg_bulk.COPY_OUT)))
    made.append(Load("1M rows COPY in", "bulk", "MB/s", lambda dsn: pg_bulk.rate_in(dsn, rows)))
    return made


@dataclass
class Field:
    """The database, and who stands in front of it, by name."""

    stack: ExitStack
    server: Postgres = field(init=False)
    dsns: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def open(self, wanted: Sequence[str], processes: int) -> None:
        trust = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) / "hba"
        trust.write_text("host all all 127.0.0.1/32 trust\n")
        trust.chmod(0o644)
        trust.parent.chmod(0o755)
        settings = {"hba_file": str(trust), "max_connections": "300", "max_wal_size": "4GB", "shared_buffers": "512MB"}
        self.server = self.stack.enter_context(Postgres(settings=settings))
        bench = self.server.psql.with_name("pgbench")
        command = [str(bench), "-i", "-q", "-s", str(SCALE), "-d", self.server.url()]
        subprocess.run(command, check=True, capture_output=True, env=_bare())
        upstream = {"host": HOST, "port": self.server.port, "user": "postgres", "password": "none"}
        for count in dict.fromkeys((1, processes)):
            name = OURS if count == 1 else f"{OURS} ×{count}"
            gateway = self.stack.enter_context(GatewayProcess(upstream, processes=count))
            self.dsns[name] = gateway.dsn()
        for other in ALL:
            self._add(other, wanted)

    def _add(self, other: type[Contestant], wanted: Sequence[str]) -> None:
        if wanted and not any(other.name.startswith(name) for name in wanted):
            return
        if not found(other.program):
            self.absent.append(other.program)
            return
        self.dsns[other.name] = self.stack.enter_context(other(self.server.port)).dsn()


def run(load: Load, direct: str, dsns: dict[str, str], rounds: int) -> Row:
    """Each in turn, in another order each time, between two direct runs."""
    row = Row(load, ratios={name: [] for name in dsns})
    before = load.rate(direct)
    for _ in range(rounds):
        for name in random.sample(list(dsns), len(dsns)):
            rate = load.rate(dsns[name])
            after = load.rate(direct)
            row.ratios[name].append(2 * rate / (before + after))
            row.direct.append(after)
            before = after
    return row


@dataclass(frozen=True)
class Part:
    """Of the whole: only loads with this in their name, only these others, how often, and ours in which shape."""

    load: str = ""
    against: Sequence[str] = ()
    rounds: int = ROUNDS
    processes: int = 2


def measure(part: Part = Part()) -> Result:
    with ExitStack() as stack:
        field = Field(stack)
        field.open(part.against, part.processes)
        direct = field.server.url()
        rows = pg_bulk.make(direct)
        wanted = [load for load in loads(field.server.psql.with_name("pgbench"), rows) if part.load in load.name]
        return Result([run(load, direct, field.dsns, part.rounds) for load in wanted], list(field.dsns), field.absent)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pg_gateway")
    parser.add_argument("--load", default="", help="only those with this in their name")
    parser.add_argument("--against", nargs="*", default=[], help="only these beside ours")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = vars(parser.parse_args())
    as_json = options.pop("json")
    result = measure(Part(**options))
    print(result.as_json() if as_json else result.as_table())


if __name__ == "__main__":
    main()
