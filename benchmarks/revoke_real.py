"""The same at a real target: OpenBao with PostgreSQL behind it, against bare revocations with hvac."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import hvac
import requests

from access.model import Grant
from access.ports import Gone, NotYet
from access.secret import Secret
from benchmarks.figures import Figure, median
from benchmarks.revoke_load import LEDGER, Revoker, a_grant, load
from prodaccess.clock import SystemClock
from prodaccess.memory import settle_memory
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import create_production_db
from prodaccess.parts.vault_setup import set_up_vault
from providers.vault import VaultProvider
from providers.vault_client import VaultSettings
from providers.vault_ending import Held
from store import SqlStore, open_store

REAL = 200
ROUNDS = 5
ENOUGH = 60.0  # seconds, after which nothing is measured once more
SOON = timedelta(seconds=3)


async def really() -> list[Figure]:
    with ExitStack() as stack:
        openbao, postgres = stack.enter_context(OpenBao()), stack.enter_context(Postgres())
        access = set_up_vault(openbao.address, openbao.root_token, postgres, create_production_db(postgres))
        session = stack.enter_context(requests.Session())
        bare = hvac.Client(openbao.address, session=session)
        bare.auth.approle.login(access.role_id, access.secret_id)
        clock = SystemClock()
        store = open_store(postgres.url(), clock, LEDGER)
        stack.callback(store.close)
        provider = VaultProvider(VaultSettings(openbao.address, access.role_id, lambda: access.secret_id), clock)
        stack.callback(provider.close)
        ours = _Ours(store, clock, provider, bare, hvac.Client(openbao.address, openbao.root_token, session=session))
        settle_memory()
        until, rounds = time.monotonic() + ENOUGH, list[tuple[float, float, float]]()
        while not rounds or (len(rounds) < ROUNDS and time.monotonic() < until):
            rounds.append((await asyncio.to_thread(_bare, bare), *await ours.round()))
        ours.place = {"host": postgres.host, "port": str(postgres.port), "dbname": "orders", "sslmode": "disable"}
        tried = (await ours.round())[0]
    return _in_rates(rounds, tried)


def _in_rates(rounds: Sequence[tuple[float, float, float]], tried: float) -> list[Figure]:
    bare, proven, tokens = (median(values) for values in zip(*rounds, strict=True))
    return [
        Figure("OpenBao · bare synchronous revocations", REAL / bare, "/s"),
        Figure("OpenBao · ours, each proven gone", REAL / proven, "/s"),
        Figure("OpenBao · ours, with the tokens' ends after that", REAL / tokens, "/s"),
        Figure("OpenBao · ours, the old login tried at the database too", REAL / tried, "/s"),
        Figure("OpenBao · time for all", 1000 * proven, "ms", round(1000 * bare), round(1 / 0.9, 2)),
    ]


@dataclass
class _Ours:
    """The same number of grants, ended by the server's own parts."""

    store: SqlStore
    clock: SystemClock
    provider: VaultProvider
    maker: Any
    root: Any
    number: int = 1
    place: Mapping[str, str] | None = None  # of the database, where the old logins are to be tried

    async def round(self) -> tuple[float, float]:
        """Seconds from the deadline until all were proven gone, and until the last of their tokens was."""
        made = await asyncio.to_thread(_many, self.maker)
        deadline = self.clock.now() + SOON
        grants = [self._opened(number, each, deadline) for number, each in enumerate(made, self.number)]
        self.number += REAL
        load(self.store.log.database, grants)
        timed = _Timed(self.provider)
        tokens = asyncio.create_task(self._tokens_gone({grant.handles[0].locator for grant in grants}, timed))
        await Revoker(self.store, self.clock, {"fake": timed}, lambda: len(timed.done)).run_until_ended(REAL, 120)
        last = max((at - deadline).total_seconds() for at in timed.done.values())
        return last, (await tokens - deadline).total_seconds()

    def _opened(self, number: int, made: Made, deadline: datetime) -> Grant:
        """One grant with one credential of the real issuer, as it would be recorded."""
        grant = a_grant(number, self.clock.now(), deadline)
        handle = replace(grant.handles[0], locator=made.accessor)
        lease = replace(grant.leases[0], locator=made.lease_id)
        if self.place is not None:
            self.provider._held[number] = {made.lease_id: Held(lease.public_id, made.login)}
        uses = {"role": "orders-read", **(self.place or {})}
        return replace(grant, uses=uses, handles=(handle,), leases=(lease,))

    async def _tokens_gone(self, accessors: set[str], timed: _Timed) -> datetime:
        while len(timed.done) < REAL or accessors & await asyncio.to_thread(self._tokens):  # noqa: ASYNC110 (Vault tells nobody)
            await asyncio.sleep(0.05)
        return self.clock.now()

    def _tokens(self) -> set[str]:
        return set(self.root.list("auth/token/accessors")["data"]["keys"])


class Made(NamedTuple):
    """A token as a grant's, and a credential under it."""

    accessor: str
    lease_id: str
    login: Secret


def make(client: Any, number: int) -> Made:
    """As a client that may make tokens of grants."""
    body = {"policies": ["grant-orders-read"], "ttl": "660s", "explicit_max_ttl": "660s",
            "meta": {"grant": str(number)}, "display_name": f"bench-{number}"}  # fmt: skip
    token = client.adapter.post("/v1/auth/token/create/grant", json=body)["auth"]
    as_grant = hvac.Client(client.url, token=token["client_token"], session=client.session)
    read = as_grant.adapter.get("/v1/pa-db/creds/orders-read")
    return Made(token["accessor"], read["lease_id"], Secret(read["data"]))


def _many(client: Any) -> list[Made]:
    with ThreadPoolExecutor(VaultProvider.at_once) as pool:
        return list(pool.map(partial(make, client), range(REAL)))


def _bare(client: Any) -> float:
    """Seconds for as many leases, each of a token of its own, revoked on as many threads as we use."""

    def revoke(made: Made) -> None:
        client.adapter.put("/v1/sys/leases/revoke", json={"lease_id": made.lease_id, "sync": True})

    leases = _many(client)
    with ThreadPoolExecutor(VaultProvider.at_once) as pool:
        list(pool.map(lambda _: time.sleep(0.01), range(VaultProvider.at_once)))  # its threads are there
        began = time.perf_counter()
        list(pool.map(revoke, leases))
        return time.perf_counter() - began


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
