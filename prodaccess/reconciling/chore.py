"""Every few minutes the server holds the issuers against its grants: numbers for `/metrics`, entries only on change."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from access.ending.reconciling import expected
from access.events import CredentialDied, StraysFound
from access.granting.custody import Custody
from access.model import Grant
from access.ports import Change
from prodaccess.reconciling.standing import Died, Found, Reconciling, in_words

log = logging.getLogger(__name__)

_SAID = 20  # strays in one entry
_NOTE = "strays"


@dataclass
class ReconcileChore:
    """Ends nothing. A credential that died outside is told in its grant's thread, once."""

    reconciling: Reconciling
    custody: Custody
    registry: CollectorRegistry
    _strays: Gauge = field(init=False)
    _stuck: Gauge = field(init=False)
    _looked: Gauge = field(init=False)
    _died: Counter = field(init=False)

    def __post_init__(self) -> None:
        self._strays = self._gauge("prodaccess_strays", "What no open grant accounts for, at the last look.")
        self._stuck = self._gauge("prodaccess_provider_stuck", "Kinds of things that the provider has given up on.")
        self._looked = self._gauge(
            "prodaccess_reconciled_timestamp_seconds", "When the provider was last held against the grants."
        )
        self._died = Counter(
            "prodaccess_credentials_died", "Credentials gone before their time, and not by prodaccess.", ("provider",),
            registry=self.registry,
        )  # fmt: skip

        for name in self.reconciling.names:
            self._looked.labels(name).set(0)  # never: without a number, no alert would miss it

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, ("provider",), registry=self.registry)

    async def run(self) -> None:
        """Raises Unavailable."""
        for found in await self.reconciling.look():
            if found.silent:
                log.warning("an issuer was not looked at", extra=_about(found, found.silent))
                continue
            self._count(found)
            for died in found.died:
                await self._tell_died(found, died)
            await self._tell_strays(found)

    def _count(self, found: Found) -> None:
        self._strays.labels(found.provider).set(len(found.strays))
        self._stuck.labels(found.provider).set(len(found.stuck))
        self._looked.labels(found.provider).set(self.reconciling.clock.now().timestamp())
        for sentence in found.stuck:
            log.error("the issuer has given up on something", extra=_about(found, sentence))

    async def _tell_died(self, found: Found, died: Died) -> None:
        lock = self.custody.alone(died.number)
        if lock.locked():  # whoever holds it changes what there is; the next look sees it
            return
        async with lock:
            grant = await self.custody.load(died.number)
            change = _told(grant, died, self.reconciling.clock.now())
            if change is None or not await self.custody.try_commit(change):
                return
        self._died.labels(found.provider).inc()
        log.error("a credential died outside", extra=_about(found, died.why) | {"ref": grant.ref, "n": died.n})

    async def _tell_strays(self, found: Found) -> None:
        """Held against what was told last, which outlives the process."""
        told = await self.reconciling.store.note(_NOTE) or {}
        names = sorted({f"{s.piece.kind} {s.piece.name}: {s.why}" for s in found.strays})
        if told.get(found.provider, []) == names:
            return
        event = StraysFound(
            at=self.reconciling.clock.now(), provider=found.provider, count=len(found.strays),
            strays=tuple(map(in_words, found.strays[:_SAID])),
        )  # fmt: skip
        await self.reconciling.store.commit(Change(events=(event,)))
        await self.reconciling.store.put_notes({_NOTE: told | {found.provider: names}})
        log.warning("what no grant accounts for has changed", extra=_about(found, "; ".join(event.strays)))


def _told(grant: Grant, died: Died, now: datetime) -> Change | None:
    """Guarded by the grant's version; None where it is no longer so."""
    lease = next((each for each in expected(grant, now) if each.n == died.n), None)
    if lease is None:
        return None
    event = CredentialDied(at=now, ref=grant.ref, n=lease.n, public_id=lease.public_id, why=died.why)
    return Change(grants=(grant,), leases=(replace(lease, gone_at=now),), events=(event,))


def _about(found: Found, why: str) -> dict[str, object]:
    return {"action": "reconcile", "provider": found.provider, "why": why}
