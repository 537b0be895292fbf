"""`prodaccess revoker`: ends grants and does nothing else, beside servers or while they are down.

It knows neither Slack nor the api: what goes wrong there cannot keep it from ending access. It signs nothing either,
for an end never waits for a signature; a server's notary signs what it has written. A server is one of these first, so
that what is overdue need not wait for the rest of it (`prodaccess.serve`): nothing heavy may be imported here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from access.ending.endings import Endings
from access.errors import AccessError
from access.evidence.ticketing import Ticketing
from access.granting.custody import Custody
from access.policy import Policy
from access.ports import Clock, PolicySource, Provider
from access.revoking.stand_in import StandIn
from access.sweeper import OnlyEnds, Sweeper
from access.tasks import Tasks
from prodaccess.auditing.ledger import make_ledger
from prodaccess.clock import SystemClock
from prodaccess.issuers import Neighbours, make_providers
from prodaccess.logs import masked, set_up_logs
from prodaccess.memory import settle_memory
from prodaccess.outside import Outside
from prodaccess.policies.file import FixedPolicy, PolicyError, ReloadingPolicy, load_policy, parse_policy
from prodaccess.process import give_providers_threads, keep_memory_private, told_to_stop
from prodaccess.replicas import Replicas
from prodaccess.revoking.standing_in import make_stand_in
from prodaccess.settings import Settings, SettingsError, read_settings
from prodaccess.skew import follow
from store import SqlStore, open_store

log = logging.getLogger(__name__)

DRAIN = 10.0  # seconds
POLICY_EVERY = 5.0
PATIENCE = 2.0
_NOBODY = "version: 1\npeople: {}\ntargets: {}\n"


@dataclass(frozen=True)
class Revoker:
    """The part of a server that ends grants."""

    store: SqlStore
    clock: Clock
    providers: Mapping[str, Provider]
    policies: PolicySource
    outside: Outside
    tasks: Tasks
    replicas: Replicas
    sweeper: Sweeper
    stand_in: StandIn | None = None

    @property
    def endings(self) -> Endings:
        return self.sweeper.broker.endings

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; then what is under way is brought to its end."""
        async with contextlib.AsyncExitStack() as stack:
            self.start(stack)
            stack.callback(self.tasks.start(self._follow_the_policy(), "policy").cancel)
            await self.head_start(PATIENCE)
            log.info("ready", extra={"action": "revoker"})
            settle_memory()
            await stop.wait()

    def start(self, stack: contextlib.AsyncExitStack) -> None:
        """End what is due from now on, until the stack is left."""
        stack.push_async_callback(self.replicas.close)  # after the draining: what we are still at is ours
        stack.push_async_callback(self.tasks.drain, DRAIN)
        stack.callback(self.tasks.start(self.replicas.run(self.sweeper, self.tasks), "replicas").cancel)
        # Not the clockwork's: its intervals are of the wall clock, and wait when that is set back.
        stack.callback(self.tasks.start(self.sweeper.run(), "sweep").cancel)
        if self.stand_in is not None:
            stack.callback(self.tasks.start(self.stand_in.run(), "stand in").cancel)

    async def head_start(self, seconds: float) -> None:
        """Until what is overdue has ended, at most so many seconds: till then it has the processor to itself."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.sweeper.last_look is None or self.sweeper.is_busy:  # noqa: ASYNC110 (moments, once)
                    await asyncio.sleep(0.005)

    async def _follow_the_policy(self) -> None:
        """It says who looks at a grant after its end. One that cannot be used keeps no grant from ending."""
        while isinstance(self.policies, ReloadingPolicy):
            await asyncio.sleep(POLICY_EVERY)
            with contextlib.suppress(OSError):
                await self.policies.look()

    def close(self) -> None:
        if self.stand_in is not None:
            self.stand_in.spool.close()
        for provider in self.providers.values():
            provider.close()
        self.store.close()


def make_revoker(
    store: SqlStore,
    clock: Clock,
    providers: Mapping[str, Provider],
    policies: PolicySource,
    *,
    has_chores: bool = False,
) -> Revoker:
    """Makes no call. `has_chores`: it takes turns at what one of several processes does at a time."""
    tasks, replicas, outside = Tasks(), Replicas(store, takes_turns=has_chores), Outside(clock)
    providers = replicas.serial(providers)
    custody = Custody(
        store, outside, policies, clock, providers, outside, tasks=tasks, memberships=outside,
        tickets=Ticketing(outside.tickets), claimant=replicas.claimant, sessions=store.sessions,
    )  # fmt: skip
    sweeper = Sweeper(store, OnlyEnds(Endings(custody)), clock, tasks)
    return Revoker(store, clock, providers, policies, outside, tasks, replicas, sweeper)


def build(settings: Settings, clock: Clock, policies: PolicySource, *, has_chores: bool = False) -> Revoker:
    """Raises SettingsError, DatabaseLocked, Unavailable: what keeps it from starting, in words."""
    neighbours = Neighbours()
    providers = make_providers(settings, clock, neighbours)
    url = settings.reveal("PRODACCESS_DATABASE_URL") or "sqlite:///var/prodaccess.db"
    store = open_store(url, clock, make_ledger(settings))
    try:
        follow(store.log.database, clock)
        neighbours.policies, neighbours.store = policies, store
        revoker = make_revoker(store, clock, providers, policies, has_chores=has_chores)
        revoker.sweeper.ends.stand_in = stand_in = make_stand_in(settings, store, revoker.endings)
        revoker.replicas.is_silent = lambda: stand_in.silent_since is not None
    except BaseException:
        store.close()
        raise
    return replace(revoker, stand_in=stand_in)


def policy_of_the_start(path: Path) -> ReloadingPolicy:
    """Raises PolicyError."""

    def fits(_: Policy) -> None:
        """Whatever it names: a server says what it cannot serve."""

    async def loaded(_: Policy, __: tuple[str, ...]) -> None:
        """A server writes it down."""

    async def refused(why: str) -> None:
        log.warning("the policy file cannot be used; the one before it counts", extra={"action": "policy", "why": why})

    return ReloadingPolicy(path, load_policy(path), fits, loaded, refused)


def any_policy(settings: Settings) -> PolicySource:
    """One that cannot be read gives nobody anything; what was given ends all the same."""
    try:
        return policy_of_the_start(Path(settings["PRODACCESS_POLICY"]))
    except PolicyError as error:
        log.warning("nobody is named to review what ends", extra={"action": "policy", "why": str(error)})
        return FixedPolicy(parse_policy(_NOBODY))


def main() -> int:
    """Run until SIGTERM or SIGINT. Exit code 2 when it cannot start, with the reasons on stderr."""
    try:
        settings = read_settings(os.environ, only_to_end=True)
        set_up_logs(settings["PRODACCESS_LOG_LEVEL"], as_json=not sys.stderr.isatty())
        keep_memory_private()
        asyncio.run(_serve(build(settings, SystemClock(), any_policy(settings))))
    except (SettingsError, AccessError) as error:
        print(f"prodaccess revoker cannot start:\n{masked(str(error))}", file=sys.stderr)
        return 2
    return 0


async def _serve(revoker: Revoker) -> None:
    give_providers_threads()
    try:
        await revoker.run(told_to_stop())
    finally:
        revoker.close()
