"""Several servers beside a local Slack, and the one that writes the thread is killed or frozen while it writes."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import yaml
from sqlalchemy import Connection

from access.events import RequestAsked
from access.model import Person
from audit.log import ORIGIN, Ledger
from audit.payloads import KEY, PayloadKey
from notary.signers.file import make_key
from prodaccess.clock import SystemClock
from prodaccess.demo.server import Server
from prodaccess.demo.stack import AUDIT_CHANNEL
from slack_simulator import Simulator, Workspace
from store import SqlStore, open_store

ROOT = Path(__file__).parents[1]
Fault = Literal["none", "kill -9", "SIGSTOP"]
_POLICY = """
version: 1
people: {ada: U0ADA, linus: U0LINUS}
admins: [ada]
targets:
  orders-db: {roles: {read: {provider: memory, uses: {}, who: [linus], approvers: [ada], max: 4h, default: 1h}}}
"""
_EACH = 2  # messages for each request: its card, and the one to whom it may be decided by
_FROZEN = 14.0  # seconds: longer than a silence is borne
_EVERY = 0.1
_AFTER = 1.0  # for what one that wakes, or something on its way, may still post
_PATIENCE = 180.0


@dataclass(frozen=True)
class Told:
    """What stands in Slack when all is over."""

    messages: int
    lost: int
    doubled: int
    longest_gap: float  # seconds between two cards


async def tell(url: str, processes: int, fault: Fault, requests: int = 60) -> Told:
    """So many requests, one after the other, with this fault in the middle."""
    async with _running(url, processes) as (slack, servers, store):
        holder, asked = await _holder(servers), set[int]()
        for n in range(1, requests + 1):
            if n == requests // 3 and fault == "kill -9":
                await asyncio.to_thread(holder.kill)
            elif n == requests // 3 and fault == "SIGSTOP":
                holder.pause()
            asked |= set(await store.log.database.write(partial(_write, store, n)))
            await asyncio.sleep(_EVERY)
        if fault == "SIGSTOP":
            await asyncio.sleep(_FROZEN)
            holder.resume()
        head = await store.log.head()
        await _until(lambda: _is_told(store, head))
        await asyncio.sleep(_AFTER)
        return _look(slack, asked)


def _write(store: SqlStore, n: int, tx: Connection) -> tuple[int, ...]:
    return store.log.ledger.append(tx, [_asked(n)], SystemClock().now())


def _asked(n: int) -> RequestAsked:
    now = SystemClock().now()
    return RequestAsked(
        at=now, ref=f"PA-{n}", by=Person("T0ACME/U0LINUS", "linus", "U0LINUS"), request_id=f"r{n}", target="orders-db",
        role="read", duration=timedelta(hours=1), reason="refunds stuck", ticket="OPS-1", policy_hash="0" * 64,
        rule="orders-db/read", approvals_needed=1, deciders=("U0ADA",), digest="0" * 64,
        lapses_at=now + timedelta(hours=1),
    )  # fmt: skip


def _look(slack: Simulator, asked: set[int]) -> Told:
    marks: Counter[tuple[int, str]] = Counter()
    cards: list[float] = []
    for channel in slack.world.channels.values():
        for ts, message in channel.messages.items():
            said = (message.get("metadata") or {}).get("event_payload") or {}
            if said.get("seq") in asked:
                marks[said["seq"], said["kind"]] += 1
            if said.get("kind") == "card":
                cards.append(float(ts))
    cards.sort()
    gap = max(later - earlier for earlier, later in pairwise(cards))
    return Told(sum(marks.values()), len(asked) * _EACH - len(marks), sum(marks.values()) - len(marks), gap)


async def _is_told(store: SqlStore, head: int) -> bool:
    noted = await store.note("thread:cursor")
    return noted is not None and noted["seq"] >= head and not noted["done"]


async def _holder(servers: list[Server]) -> Server:
    """Whose turn it is, by what they log."""
    found: list[Server] = []

    async def look() -> bool:
        found[:] = [server for server in servers if any(_is_turn(line) for line in server.log.read_text().splitlines())]
        return bool(found)

    await _until(look)
    return found[0]


def _is_turn(line: str) -> bool:
    said: Mapping[str, Any] = json.loads(line) if line.startswith("{") else {}
    return said.get("message") == "it is our turn"


async def _until(true: Any) -> None:
    until = time.monotonic() + _PATIENCE
    while not await true():
        if time.monotonic() > until:
            raise AssertionError("what must come has not come")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def _running(url: str, processes: int) -> AsyncIterator[tuple[Simulator, list[Server], SqlStore]]:
    payload_key = secrets.token_bytes(KEY)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prodaccess-thread-")))
        make_key(directory / "log.key")
        slack = await stack.enter_async_context(Simulator(_workspace()))
        environment = {
            "PRODACCESS_AUDIT_SIGNER": f"file:{directory}/log.key",
            "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(payload_key).decode(),
            "SLACK_BOT_TOKEN": slack.world.app.bot_token, "SLACK_APP_TOKEN": slack.world.app.app_token,
            "SLACK_API_URL": slack.api_url, "PRODACCESS_AUDIT_CHANNEL": AUDIT_CHANNEL,
            "PRODACCESS_SLACK_TEAMS": "T0ACME", "PRODACCESS_MEMORY_PROVIDER": "yes",
            "PRODACCESS_DATABASE_URL": url, "PRODACCESS_SPOOL": str(directory / "spool"),
        }  # fmt: skip
        servers = [Server(_POLICY, environment) for _ in range(processes)]
        for server in servers:
            stack.push_async_callback(asyncio.to_thread, server.stop)
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        store = open_store(url, SystemClock(), Ledger(ORIGIN, PayloadKey(payload_key)))
        stack.callback(store.close)
        yield slack, servers, store


def _workspace() -> Workspace:
    seed = yaml.safe_load(files("slack_simulator").joinpath("demo_seed.yml").read_text())
    return Workspace.from_seed(seed, yaml.safe_load((ROOT / "manifest.yml").read_text()))
