"""“Jump to the deadline”: the demo's clock goes to just before the next end, and the end can be watched.

What jumps is the time of prodaccess, of the Slack workspace and of the AWS stand-in. Vault and the database keep real
time: to them prodaccess takes the lease away early, which is what is to be seen.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from access.model import GrantState, ref
from prodaccess.demo.clock import read_ahead, write_ahead
from prodaccess.demo.stack import Stack
from prodaccess.parts.part import HOST

BEFORE = 3.0  # seconds that are left after a jump


@dataclass(frozen=True)
class Ending:
    """The next grant to end, as the demo's database has it."""

    ref: str
    at: datetime


@dataclass(frozen=True)
class Jump:
    """Moves the demo's clocks, all by the same, and never back."""

    stack: Stack

    @property
    def ahead(self) -> timedelta:
        """How far the demo's clocks are ahead of the machine's."""
        return timedelta(seconds=read_ahead(self.stack.clock_file))

    def next_end(self) -> Ending | None:
        """None when no grant is active."""
        return next_end(self.stack.database)

    def jump(self) -> Ending | None:
        """Go to just before the next end, unless it is nearer than that already; the answer is that end."""
        ending = self.next_end()
        if ending is not None:
            left = ending.at - (datetime.now(UTC) + self.ahead)
            self._advance(left.total_seconds() - BEFORE)
        return ending

    def _advance(self, seconds: float) -> None:
        if seconds <= 0:
            return
        ahead = self.ahead.total_seconds() + seconds
        self.stack.issuers.aws_server.advance(ahead)
        self.stack.slack.world.clock.advance(seconds)
        write_ahead(self.stack.clock_file, ahead)


def next_end(database: Path) -> Ending | None:
    """The active grant that ends first, from prodaccess' own file, read-only; None also while it cannot be read."""
    question = "SELECT number, expires_at FROM access_grant WHERE state = ? ORDER BY expires_at LIMIT 1"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
            row = connection.execute(question, [GrantState.ACTIVE.value]).fetchone()
    except sqlite3.OperationalError:
        return None
    return Ending(ref(row[0]), datetime.fromtimestamp(row[1] / 1_000_000, UTC)) if row else None


@asynccontextmanager
async def jump_action(jump: Jump) -> AsyncIterator[str]:
    """Serve the strip's button; yields its URL, which nobody can guess: no website may press it."""

    async def press(_: web.Request) -> web.Response:
        ending = jump.jump()
        if ending is None:
            return web.Response(status=409, text="No grant is active.")
        return web.Response(text=f"{ending.ref} ends in a moment.")

    path = f"/jump/{secrets.token_urlsafe(16)}"
    app = web.Application()
    app.router.add_post(path, press)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}{path}"
    finally:
        await runner.cleanup()
