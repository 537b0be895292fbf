"""What the engineer's command costs: `prodaccess creds` from memory, and `prodaccess list` with its call.

Floor: `python -c pass` with the same interpreter, in turn with ours.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure, Result, median
from benchmarks.people import approve, ask, sign_in
from prodaccess.demo.stack import AUDIT_CHANNEL, Stack
from prodaccess.demo.terminal import Terminal

ROUNDS = 25


def measure() -> Result:
    return asyncio.run(_measure())


async def _measure() -> Result:
    async with Stack() as stack:
        with Terminal(stack.server.url, stack.issuers.postgres.psql.parent) as terminal:
            await sign_in(stack, terminal)
            ref, card = await ask(stack)
            await approve(stack, card)
            await stack.slack.person("ada").wait_message(
                AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=card["ts"]
            )
            await terminal.must("creds", ref)  # fills the cache
            return await asyncio.to_thread(_compare, terminal, ref)


def _compare(terminal: Terminal, ref: str) -> Result:
    command = str(Path(sys.executable).with_name("prodaccess"))
    runs: dict[str, list[float]] = {"pass": [], "creds": [], "list": []}
    for _ in range(ROUNDS):
        runs["pass"].append(_seconds([sys.executable, "-c", "pass"], terminal))
        runs["creds"].append(_seconds([command, "creds", ref], terminal))
        runs["list"].append(_seconds([command, "list"], terminal))
    floor = round(median(runs["pass"]) * 1000, 2)
    return Result(
        "cli_startup",
        (
            Figure("prodaccess creds, from memory", median(runs["creds"]) * 1000, "ms", floor, 3),
            Figure("prodaccess list, with its call", median(runs["list"]) * 1000, "ms", floor, 6),
        ),
    )


def _seconds(command: list[str], terminal: Terminal) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=terminal.environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
