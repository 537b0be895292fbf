"""PostgreSQL's own regression tests, once directly and once through the gateway: what psql prints has to be the same.

`python -m tests.gateways.postgres.regression SOURCES [--bin DIRECTORY] [--only NAME …]`, where SOURCES is an unpacked
source tree of PostgreSQL (`apt-get source --download-only postgresql-15` with a `deb-src` line for it, or any other
copy), and --bin the programs of a server, best of the same version. Whether the server passes its tests is not the
question here, and needs its `regress.so`, which is not built: only whether the gateway changes anything.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from audit.recording.reader import Recording
from benchmarks.pg_gateway_process import KEY, TICKET, GatewayProcess
from prodaccess.parts.part import HOST
from prodaccess.parts.postgres import Postgres

DATABASE = "regression"


@dataclass(frozen=True)
class Suite:
    """The test scripts, where the server can read them."""

    sources: Path
    results: Path

    @classmethod
    def copied(cls, sources: Path, place: Path) -> Suite:
        regress = sources / "src" / "test" / "regress"
        suite = cls(place / "regress", place / "results")
        shutil.copytree(regress, suite.sources)
        suite.results.mkdir()
        for directory in (place, suite.results):
            directory.chmod(0o777)  # the server writes there too, and is somebody else
        return suite

    def names(self) -> list[str]:
        lines = (self.sources / "parallel_schedule").read_text().splitlines()
        return [name for line in lines if line.startswith("test:") for name in line.split()[1:]]


@dataclass
class Run:
    """One pass over all scripts, on a server of its own."""

    suite: Suite
    server: Postgres
    port: int
    said: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        self.server.execute(f"create database {DATABASE} template template0")
        for setting in (
            "lc_messages = 'C'", "lc_monetary = 'C'", "lc_numeric = 'C'", "lc_time = 'C'", "bytea_output = 'hex'",
            "timezone_abbreviations = 'Default'",
        ):  # fmt: skip
            self.server.execute(f"alter database {DATABASE} set {setting}")
        shutil.rmtree(self.suite.results)
        (self.suite.results / "results").mkdir(parents=True)
        for directory in (self.suite.results, self.suite.results / "results"):
            directory.chmod(0o777)

    def script(self, name: str) -> None:
        command = [
            str(self.server.psql), "-X", "-a", "-q", "-d", DATABASE, "-v", "HIDE_TABLEAM=on",
            "-v", "HIDE_TOAST_COMPRESSION=on",
        ]  # fmt: skip
        with (self.suite.sources / "sql" / f"{name}.sql").open("rb") as script:
            done = subprocess.run(
                command, stdin=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self._environment(),
                timeout=300, check=False, cwd=self.suite.results,
            )  # fmt: skip
        self.said[name] = done.stdout.decode("utf-8", "surrogateescape")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "PGHOST": HOST, "PGPORT": str(self.port),
            "PGUSER": self.server.superuser, "PGPASSWORD": TICKET, "PGTZ": "PST8PDT", "PGDATESTYLE": "Postgres, MDY",
            "PGOPTIONS": "-c intervalstyle=postgres_verbose", "PG_ABS_SRCDIR": str(self.suite.sources),
            "PG_ABS_BUILDDIR": str(self.suite.results), "PG_LIBDIR": "/nowhere", "PG_DLSUFFIX": ".so",
        }  # fmt: skip


@contextmanager
def servers(bin_dir: Path | None, place: Path) -> Iterator[Postgres]:
    """A fresh one, that lets everybody in: the scripts make users of their own."""
    hba = place / "hba"
    hba.write_text(f"host all all {HOST}/32 trust\n")
    hba.chmod(0o644)
    with Postgres(bin_dir=bin_dir, settings={"hba_file": str(hba), "max_prepared_transactions": "2"}) as server:
        yield server


def recorded(recordings: Path) -> tuple[int, int]:
    """How many sessions, and statements in them."""
    files = list(recordings.iterdir())
    kinds = [record.kind for file in files for _, record in Recording(file, KEY).read()]
    return len(files), kinds.count("asked")


def compare(direct: Run, through: Run) -> int:
    """How many scripts said something else; what, on standard output."""
    differ = 0
    for name, said in direct.said.items():
        if said == through.said[name]:
            continue
        differ += 1
        lines = difflib.unified_diff(said.splitlines(), through.said[name].splitlines(), "direct", "through", n=1)
        print(f"== {name}\n" + "\n".join(list(lines)[:40]))  # noqa: T201
    return differ


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--bin", type=Path, default=None)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        suite = Suite.copied(options.sources, place)
        names = options.only or suite.names()
        with servers(options.bin, place) as server:
            direct = Run(suite, server, server.port)
            direct.prepare()
            for name in names:
                direct.script(name)
        with servers(options.bin, place) as server:
            upstream = {"host": HOST, "port": server.port, "user": server.superuser, "password": server.password}
            with GatewayProcess(upstream) as gateway:
                through = Run(suite, server, gateway.port)
                through.prepare()
                for name in names:
                    through.script(name)
                sessions, statements = recorded(gateway.recordings)
        differ = compare(direct, through)
    said = sum(len(text) for text in direct.said.values())
    print(f"{len(names)} scripts, {said:,} characters of output; {differ} differ.")  # noqa: T201
    print(f"{sessions} sessions with {statements:,} statements were recorded.")  # noqa: T201
    return 1 if differ or not statements else 0


if __name__ == "__main__":
    sys.exit(main())
