"""How late grants end when many end at once, among 100,000 that are active.

Lateness is that of the finished call to the provider, from the deadline on. The provider takes 5 ms for each; then a
real OpenBao with a real PostgreSQL behind it, where the floor is the same number of bare synchronous revocations with
hvac, as many at a time, in the same run. `python -m benchmarks.revoke --engine sqlite --without-vault` for a part.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import hvac
import requests

from access.broker import Broker
from access.custody import Custody
from access.endings import Endings
from access.grants import Grants
from access.model import Grant, GrantState
from access.ports import Gone, NotYet, People, Provider, Witness
from access.sweeper import Sweeper
from access.tasks import Tasks
from benchmarks.figures import Figure, Result, percentile
from benchmarks.revoke_load import LEDGER, a_grant, load
from prodaccess.clock import SystemClock
from prodaccess.memory import settle_memory
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import create_production_db
from prodaccess.parts.vault_setup import set_up_vault
from prodaccess.policy_file import parse_policy
from providers.memory import MemoryProvider
from providers.vault import VaultProvider
from providers.vault_client import VaultSettings
from store import SqlStore, open_store

ACTIVE = 100_000
AIMS = {1_000: 0.3, 10_000: 1.0}  # seconds, p99
REAL = 200
CALL = 0.005
SOON = timedelta(seconds=6)
_POLICY = "version: 1\npeople: {linus: U0LINUS}\nadmins: [linus]\ntargets: {}\n"


class Slow(MemoryProvider):
    """Takes its time for each call, and notes when each was done."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock, "fake")
        self.done: dict[int, datetime] = {}

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        await asyncio.sleep(CALL)
        self.done[grant.number] = self._clock.now()
        return Gone(("The make-believe target has removed it.",), tried=True)


class Policies:
    """One policy."""

    def __init__(self) -> None:
        self._policy = parse_policy(_POLICY)

    def current(self) -> Any:
        return self._policy


@dataclass
class Revoker:
    """The part of a server that ends grants."""

    store: SqlStore
    clock: SystemClock
    providers: dict[str, Provider]
    ended: Callable[[], int]
    tasks: Tasks = field(default_factory=Tasks)

    def __post_init__(self) -> None:
        nobody, policies = cast("People", None), Policies()
        custody = Custody(
            self.store, nobody, policies, self.clock, self.providers, cast("Witness", None), self.tasks
        )  # fmt: skip
        broker = Broker(self.store, nobody, policies, self.clock, Grants(custody), Endings(custody))
        self.sweeper = Sweeper(self.store, broker, self.clock, self.tasks)

    async def run_until_ended(self, count: int, within: float) -> None:
        sweeping = self.tasks.start(self.sweeper.run(), "sweep")
        until = time.monotonic() + within
        while self.ended() < count and time.monotonic() < until:  # noqa: ASYNC110 (a look at the rows would slow them)
            await asyncio.sleep(0.1)
        while (await self.store.grants_by_state())[GrantState.REVOKED.value] < count:
            if time.monotonic() > until:
                raise AssertionError("the grants have not ended")
            await asyncio.sleep(0.5)
        sweeping.cancel()
        await self.tasks.drain(5)


def measure(engines: tuple[str, ...] = ("sqlite", "postgresql"), *, vault: bool = True) -> Result:
    figures = [figure for engine in engines for count in AIMS for figure in _on(engine, count)]
    return Result("revoke", (*figures, *(asyncio.run(_really()) if vault else ())))


# 5 ms each


def _on(engine: str, count: int) -> list[Figure]:
    with _database(engine) as url:
        clock = SystemClock()
        store = open_store(url, clock, LEDGER)
        try:
            return asyncio.run(_ended(store, clock, engine, count))
        finally:
            store.close()


async def _ended(store: SqlStore, clock: SystemClock, engine: str, count: int) -> list[Figure]:
    now, later = clock.now(), clock.now() + timedelta(hours=1)
    load(store.log.database, [a_grant(number, now, later) for number in range(1, ACTIVE + 1)])
    settle_memory()
    provider, deadline = Slow(clock), clock.now() + SOON
    load(store.log.database, [a_grant(ACTIVE + n, now, deadline) for n in range(1, count + 1)])
    cpu = time.process_time()
    await Revoker(store, clock, {"fake": provider}, lambda: len(provider.done)).run_until_ended(count, 60)
    cpu = time.process_time() - cpu
    late = [(at - deadline).total_seconds() for at in provider.done.values()]
    name = f"{engine} · {count:,} at once"
    return [
        Figure(f"{name}, first", min(late), "s"),
        Figure(f"{name}, p50", percentile(late, 50), "s"),
        Figure(f"{name}, p99", percentile(late, 99), "s", None, AIMS[count]),
        Figure(f"{name}, last", max(late), "s"),
        Figure(f"{name}, processor", cpu, "s"),
    ]


@contextmanager
def _database(engine: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="prodaccess-revoke-") as directory:
        if engine == "sqlite":
            yield f"sqlite:///{Path(directory)}/revoke.db"
        else:
            with Postgres() as server:
                yield server.url()


# At a real target


async def _really() -> list[Figure]:
    with ExitStack() as stack:
        openbao, postgres = stack.enter_context(OpenBao()), stack.enter_context(Postgres())
        access = set_up_vault(openbao.address, openbao.root_token, postgres, create_production_db(postgres))
        clock = SystemClock()
        store = open_store(postgres.url(), clock, LEDGER)
        stack.callback(store.close)
        provider = VaultProvider(VaultSettings(openbao.address, access.role_id, lambda: access.secret_id), clock)
        stack.callback(provider.close)
        client = hvac.Client(openbao.address, session=stack.enter_context(requests.Session()))
        client.auth.approle.login(access.role_id, access.secret_id)
        bare = await asyncio.to_thread(_bare, client)
        grants, deadline = await asyncio.to_thread(_opened, client, clock)
        load(store.log.database, grants)
        timed = _Timed(provider)
        await Revoker(store, clock, {"fake": timed}, lambda: len(timed.done)).run_until_ended(REAL, 120)
        last = max((at - deadline).total_seconds() for at in timed.done.values())
        return [
            Figure("OpenBao · bare synchronous revocations", REAL / bare, "/s"),
            Figure("OpenBao · ours, each proven gone", REAL / last, "/s"),
            Figure("OpenBao · seconds for all", last, "s", round(bare, 3), round(1 / 0.9, 2)),
        ]


def _made(client: Any, number: int) -> tuple[str, str]:
    """A token as a grant's, and a credential under it: accessor and lease id."""
    body = {"policies": ["grant-orders-read"], "ttl": "660s", "explicit_max_ttl": "660s",
            "meta": {"grant": str(number)}, "display_name": f"bench-{number}"}  # fmt: skip
    token = client.adapter.post("/v1/auth/token/create/grant", json=body)["auth"]
    as_grant = hvac.Client(client.url, token=token["client_token"], session=client.session)
    return token["accessor"], as_grant.adapter.get("/v1/pa-db/creds/orders-read")["lease_id"]


def _bare(client: Any) -> float:
    """Seconds for as many leases, each of a token of its own, revoked on as many threads as we use."""

    def revoke(made: tuple[str, str]) -> None:
        client.adapter.put("/v1/sys/leases/revoke", json={"lease_id": made[1], "sync": True})

    with ThreadPoolExecutor(VaultProvider.at_once) as pool:
        leases = list(pool.map(partial(_made, client), range(REAL)))
        began = time.perf_counter()
        list(pool.map(revoke, leases))
        return time.perf_counter() - began


def _opened(client: Any, clock: SystemClock) -> tuple[list[Grant], datetime]:
    """Grants with one credential each, of the real issuer, as they would be recorded."""
    with ThreadPoolExecutor(VaultProvider.at_once) as pool:
        made = list(pool.map(partial(_made, client), range(REAL)))
    now, deadline = clock.now(), clock.now() + SOON / 2
    grants = []
    for number, (accessor, lease_id) in enumerate(made, 1):
        grant = replace(a_grant(number, now, deadline), uses={"role": "orders-read"})
        handle, lease = replace(grant.handles[0], locator=accessor), replace(grant.leases[0], locator=lease_id)
        grants.append(replace(grant, handles=(handle,), leases=(lease,)))
    return grants, deadline


class _Timed:
    """The real issuer, and when each of its revocations was done."""

    def __init__(self, provider: VaultProvider) -> None:
        self._provider = provider
        self.done: dict[int, datetime] = {}
        self._clock = SystemClock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        result = await self._provider.revoke(grant)
        if isinstance(result, Gone):
            self.done[grant.number] = self._clock.now()
        return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revoke", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--without-vault", action="store_true")
    options = parser.parse_args()
    print(measure(tuple(options.engine or ("sqlite", "postgresql")), vault=not options.without_vault).as_table())


if __name__ == "__main__":
    main()
