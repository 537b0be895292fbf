"""`prodaccess gateway`: lets people through to their targets and does nothing else, beside servers on PostgreSQL.

It has no api, reads no events of Slack, ends no grant and signs nothing: what it writes is signed by a server's notary,
for which each credential waits. So whoever takes over a machine that faces engineers has no key of the log's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from access.broker import Broker
from access.ending.endings import Endings
from access.errors import AccessError
from access.evidence.ticketing import Ticketing
from access.granting.custody import Custody
from access.granting.grants import Grants
from access.ports import Clock
from access.sessions.model import GATEWAYS
from access.tasks import Tasks
from bot.app import create_people
from gateways.postgres.loop import run
from notary.watching import Watching
from prodaccess.auditing.ledger import make_ledger
from prodaccess.clock import SystemClock, wall_time
from prodaccess.directories import make_directories
from prodaccess.gateways.running import Gateways, make_gateways
from prodaccess.issuers import Neighbours, make_providers
from prodaccess.logs import masked, set_up_logs
from prodaccess.memory import settle_memory
from prodaccess.policies.file import PolicyError, ReloadingPolicy, load_policy
from prodaccess.process import give_providers_threads, keep_memory_private
from prodaccess.replicas import Replicas
from prodaccess.settings import Settings, SettingsError, read_settings
from prodaccess.skew import must_agree
from prodaccess.ticket_systems import make_tickets
from prodaccess.wiring import bot_settings
from store import SqlStore, open_store

log = logging.getLogger(__name__)

DRAIN = 10.0  # seconds
POLICY_EVERY = 1.0
_NEEDED = ("SLACK_BOT_TOKEN", "PRODACCESS_SLACK_TEAMS")
_LISTENS = [f"PRODACCESS_GATEWAY_{gateway.upper()}" for gateway in GATEWAYS]


@dataclass(frozen=True)
class Gate:
    """The gateways, and the little that they need of a server."""

    store: SqlStore
    policies: ReloadingPolicy
    gateways: Gateways
    tasks: Tasks
    closing: contextlib.AsyncExitStack

    async def run(self, stop: asyncio.Event) -> None:
        async with self.closing as stack:
            stack.push_async_callback(self.tasks.drain, DRAIN)
            stack.callback(self.tasks.start(self._follow_the_policy(), "policy").cancel)
            stack.push_async_callback(self.gateways.stop)
            await self.gateways.start()
            log.info("ready", extra={"action": "gateway"})
            await stop.wait()

    async def _follow_the_policy(self) -> None:
        while True:
            await asyncio.sleep(POLICY_EVERY)
            with contextlib.suppress(OSError):
                await self.policies.look()


def build(settings: Settings, clock: Clock) -> Gate:
    """Raises PolicyError, SettingsError, DatabaseLocked, Unavailable: what keeps it from starting, in words."""
    neighbours, path, tickets = Neighbours(), Path(settings["PRODACCESS_POLICY"]), make_tickets(settings, clock)
    policy, providers = load_policy(path), make_providers(settings, clock, neighbours)
    store = open_store(settings.reveal("PRODACCESS_DATABASE_URL"), clock, make_ledger(settings))
    closing, tasks, replicas = contextlib.AsyncExitStack(), Tasks(), Replicas(store)
    closing.callback(store.close)
    try:
        must_agree(store.log.database, wall_time())
        policies = neighbours.policies = ReloadingPolicy(path, policy, _fits, _loaded, _refused)
        neighbours.store = store
        people = create_people(bot_settings(settings), policies, clock)
        directories = make_directories(settings, people.directory.client, policies, clock)
        custody = Custody(
            store, people, policies, clock, replicas.serial(providers), Watching(store.log), tasks=tasks,
            memberships=directories, tickets=Ticketing(tickets), sessions=store.sessions,
        )  # fmt: skip
        broker = Broker(store, people, policies, clock, Grants(custody), Endings(custody))
        gateways = make_gateways(settings, store, broker)
    except BaseException:
        store.close()
        raise
    for provider in providers.values():
        closing.callback(provider.close)
    for system in tickets.values():
        closing.push_async_callback(system.close)
    closing.push_async_callback(directories.close)
    closing.push_async_callback(replicas.close)
    return Gate(store, policies, gateways, tasks, closing)


def _fits(_: object) -> None:
    """Whatever it names: a server says what it cannot serve."""


async def _loaded(_: object, __: object) -> None:
    """A server writes it down."""


async def _refused(why: str) -> None:
    log.warning("the policy file cannot be used; the one before it counts", extra={"action": "policy", "why": why})


def read(environ: dict[str, str]) -> Settings:
    """Those of `serve`, without what only a server needs. Raises SettingsError."""
    settings = read_settings(environ, only_to_end=True)
    lacking = [name for name in _NEEDED if not (settings.secret(name) or settings.values.get(name))]
    if not any(settings[name] for name in _LISTENS):
        lacking.append(" or ".join(_LISTENS))
    if lacking:
        raise SettingsError("\n".join(f"{name} is missing: a gateway needs it." for name in lacking))
    return settings


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit code 2 when it cannot start, with the reasons on stderr."""
    try:
        settings = read(dict(os.environ))
        set_up_logs(settings["PRODACCESS_LOG_LEVEL"], as_json=not sys.stderr.isatty())
        keep_memory_private()
        run(_serve(build(settings, SystemClock())))
    except (SettingsError, PolicyError, AccessError) as error:
        print(f"prodaccess cannot start:\n{masked(str(error))}", file=sys.stderr)
        return 2
    return 0


async def _serve(gate: Gate) -> None:
    give_providers_threads()
    settle_memory()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await gate.run(stop)
