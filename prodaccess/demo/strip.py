"""The strip at the bottom of the demo's page: what Vault, the database and AWS hold at this moment."""

from __future__ import annotations

import asyncio

import psycopg
from aiohttp import ClientSession

from prodaccess.demo.stack import Stack

EVERY = 2.0  # seconds


async def keep_strip(stack: Stack) -> None:
    """Until cancelled."""
    async with ClientSession() as session:
        while True:
            looks = await asyncio.to_thread(_looks, stack)
            async with session.post(f"{stack.slack.url}/sim/strip", json=looks) as answer:
                answer.raise_for_status()
            await asyncio.sleep(EVERY)


def _looks(stack: Stack) -> list[dict[str, str]]:
    users, sessions = _database(stack)
    return [
        {"label": "Vault", "value": "unsealed", "tone": "good"},
        {
            "label": "Temporary users in the database",
            "value": ", ".join(users) or "none",
            "tone": "busy" if users else "none",
        },
        {"label": "Their open sessions", "value": str(sessions), "tone": "busy" if sessions else "none"},
    ]


def _database(stack: Stack) -> tuple[list[str], int]:
    postgres = stack.issuers.postgres
    try:
        users = postgres.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pa\\_%' AND rolcanlogin ORDER BY 1")
        open_now = postgres.execute("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'pa\\_%'")
    except psycopg.Error:
        return [], 0
    return [row[0] for row in users], int(open_now[0][0])
