"""Many active grants, loaded as the store would have written them, but fast; and the part of a server that ends them.

For a database that is thrown away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from access.broker import Broker
from access.ending.endings import Endings
from access.events import GrantActive
from access.granting.custody import Custody
from access.granting.grants import Grants
from access.model import Grant, GrantState, Handle, Lease, Person
from access.ports import Gone, NotYet, People, Provider, Witness
from access.sweeper import Sweeper
from access.tasks import Tasks
from audit.log import ORIGIN, Ledger
from audit.payloads import PayloadKey
from audit.statement import inserting
from prodaccess.clock import SystemClock
from prodaccess.policies.file import parse_policy
from providers.memory import MemoryProvider
from store import SqlStore, rows
from store.database import Database
from store.tables import AccessGrant, AccessHandle, AccessLease

LEDGER = Ledger(ORIGIN, PayloadKey(bytes(32)))
_GRANT, _HANDLE, _LEASE = inserting(AccessGrant), inserting(AccessHandle), inserting(AccessLease)
_BATCH = 5_000
CALL = 0.005  # seconds
_POLICY = "version: 1\npeople: {linus: U0LINUS}\nadmins: [linus]\ntargets: {}\n"


def a_grant(number: int, now: datetime, expires_at: datetime) -> Grant:
    """With one credential, issued a while ago."""
    handle = Handle(number, 1, f"handle-{number}", now)
    lease = Lease(number, 1, 1, f"pa_linus-{number}", f"lease-{number}", now, expires_at)
    return Grant(
        number=number, request_id=f"request-{number}", requester=Person("T0/U0LINUS", "linus", "U0LINUS"),
        target="orders-db", role="read", reason="refunds stuck", ticket="OPS-412", provider="fake", uses={},
        state=GrantState.ACTIVE, created_at=now, expires_at=expires_at, due_at=expires_at,
        duration=timedelta(hours=1), started_at=now, warned_at=now, handles=(handle,), leases=(lease,),
    )  # fmt: skip


def load(database: Database, grants: Sequence[Grant]) -> None:
    """The rows of the grants and, for each, the entry of its opening."""
    for start in range(0, len(grants), _BATCH):
        database.transact(partial(_load, grants=grants[start : start + _BATCH]))
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def _load(tx: Any, grants: Sequence[Grant]) -> None:
    _GRANT.run_many(tx, [rows.grant_row(grant) for grant in grants])
    _HANDLE.run_many(tx, [rows.handle_row(handle) for grant in grants for handle in grant.handles])
    _LEASE.run_many(tx, [rows.lease_row(lease) for grant in grants for lease in grant.leases])
    LEDGER.append(tx, tuple(_opened(grants)), grants[0].created_at)


def _opened(grants: Sequence[Grant]) -> Iterator[GrantActive]:
    for grant in grants:
        yield GrantActive(
            at=grant.created_at, ref=grant.ref, provider=grant.provider, expires_at=grant.expires_at, promise="",
        )  # fmt: skip


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

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [self.tasks.start(self.sweeper.run(), "sweep")]
        if self.sweeper.ends.stand_in is not None:
            tasks.append(self.tasks.start(self.sweeper.ends.stand_in.run(), "stand in"))
        yield
        for task in tasks:
            task.cancel()
        await self.tasks.drain(5)

    async def run_until_ended(self, count: int, within: float) -> None:
        before, until = await self._revoked(), time.monotonic() + within
        async with self.running():
            while self.ended() < count and time.monotonic() < until:  # noqa: ASYNC110 (a look at the rows would slow them)
                await asyncio.sleep(0.1)
            while await self._revoked() < before + count:
                if time.monotonic() > until:
                    raise AssertionError("the grants have not ended")
                await asyncio.sleep(0.5)

    async def _revoked(self) -> int:
        return (await self.store.grants_by_state())[GrantState.REVOKED.value]
