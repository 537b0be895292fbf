"""One of everything: what psql prints is the same, byte for byte, through the gateway and without."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

from prodaccess.parts.postgres import Postgres
from tests.gateways.postgres.open_door import Way, direct_dsn

CORPUS = Path(__file__).with_name("corpus.sql")
_UNSTEADY = re.compile(rb"(?<=PID )\d+|(?<=pg_temp_)\d+")  # told to one connection alone


def _run(psql: Path, dsn: str, *options: str) -> bytes:
    done = subprocess.run(
        [psql, "-X", "-a", *options, "-f", CORPUS, dsn], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100,
        env={**os.environ, "LC_ALL": "C.UTF-8", "PSQL_PAGER": ""}, check=False,
    )  # fmt: skip
    return _UNSTEADY.sub(b"?", done.stdout)


async def test_psql_prints_the_same_through_the_gateway_and_without(way: Way, postgres: Postgres) -> None:
    direct = await asyncio.to_thread(_run, postgres.psql, direct_dsn(postgres))
    through = await asyncio.to_thread(_run, postgres.psql, way.dsn())
    assert through == direct
    assert b"57P01" in direct  # it came to its end
    assert direct.count(b"ERROR:") > 20
    assert sum(len(session.asks) for session in way.door.sessions) > 120
    assert all(ask.exact for session in way.door.sessions for ask in session.asks if "$" not in ask.text)
