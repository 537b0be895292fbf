"""Credentials that nobody was given: taken back where that can be done alone, and written down as aborted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from access.errors import AccessError, ProviderError, Stale
from access.events import CredentialAborted
from access.granting.custody import Custody, Lost, answer_of
from access.model import Grant, Lease
from access.ports import Change

log = logging.getLogger(__name__)

LOOSE_AFTER = timedelta(seconds=30)  # longer than an issuing and its recording take
_PROCESS_ENDED = "the process ended before it was recorded; whatever exists of it dies with the grant"


async def take_back(custody: Custody, lost: Lost) -> None:
    """Hold the grant's lock. Raises nothing: what the audit log does not take now is owed, and the reaper pays it."""
    key = (lost.grant.number, lost.lease.n)
    custody.owed[key] = lost  # first of all: from here on it is known, whatever happens
    custody.owed[key] = lost = await _discard(custody, lost)
    try:
        await custody.in_time(_write_down(custody, lost))
    except AccessError as error:
        log.warning("an aborted credential is not yet written down", extra=_about(lost, error))
        return
    del custody.owed[key]


async def _discard(custody: Custody, lost: Lost) -> Lost:
    provider = custody.providers.get(lost.grant.provider)
    if lost.issued is None or provider is None:
        return lost
    try:
        await answer_of(provider.discard(lost.grant, lost.issued))
    except ProviderError as error:
        log.warning("a credential that nobody was given ends with its grant", extra=_about(lost, error))
        return lost
    return replace(lost, issued=None, why=f"{lost.why}; it was taken back at once")


async def _write_down(custody: Custody, lost: Lost) -> None:
    """Guarded by the grant's version: a slow write of `credential.issued` comes before this one, or never."""
    while True:
        grant = await custody.load(lost.grant.number)
        stored = _lease(grant, lost.lease.n)
        if stored is None or stored.aborted_at is not None:
            return
        now = custody.clock.now()
        lease = replace(lost.lease, gone_at=stored.gone_at or lost.lease.gone_at, aborted_at=now)
        why = f"{lost.why}; it dies with the grant" if lost.issued else lost.why
        event = CredentialAborted(at=now, ref=grant.ref, n=lease.n, why=why)
        try:
            await custody.store.commit(Change(grants=(grant,), leases=(lease,), events=(event,)))
        except Stale:
            continue
        return


@dataclass(frozen=True)
class Reaper:
    """Ends every intent that has no end. The clockwork calls `reap` at the start and every half minute."""

    custody: Custody

    async def reap(self) -> None:
        """What this process owes, and what an ended one left. Raises Unavailable."""
        loose = await self.custody.store.loose_intents(self.custody.clock.now() - LOOSE_AFTER)
        for number, n in dict.fromkeys((*self.custody.owed, *loose)):
            await self._end(number, n)

    async def _end(self, number: int, n: int) -> None:
        lock = self.custody.alone(number)
        if lock.locked():  # whoever holds it may be at this very credential; the next round looks again
            return
        async with lock:
            lost = self.custody.owed.get((number, n)) or await self._left(number, n)
            if lost is not None:
                await take_back(self.custody, lost)

    async def _left(self, number: int, n: int) -> Lost | None:
        grant = await self.custody.load(number)
        lease = _lease(grant, n)
        if lease is None or lease.public_id or lease.aborted_at is not None:
            return None
        return Lost(grant, lease, _PROCESS_ENDED)


def _lease(grant: Grant, n: int) -> Lease | None:
    return next((lease for lease in grant.leases if lease.n == n), None)


def _about(lost: Lost, error: Exception) -> dict[str, object]:
    return {"action": "abort", "ref": lost.grant.ref, "n": lost.lease.n, "why": str(error)}
