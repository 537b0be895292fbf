"""The one flow, second half: a grant from its opening to its proven end. The numbers return beside the code,
in `access.handover` and in `access.endings`.

    T1  (broker)  request approved, grant `issuing` with its deadline, audit entries: one transaction
    1   prepare   the provider's inert container; its secret stays in memory
    2   record    handle, `issuing` → `active`, audit entry: one transaction
    3   intent    audit entry and an empty lease row, durable before the provider is called
    4   issue     sealed, and everything it yields dies with the handle
    5   record    the lease's public facts, audit entry; durable, and in a signed checkpoint
    6   open      only then is the seal opened, for the requester's own device; never stored
    7   end       `active` → `revoking`, audit entry: durable first, then the provider
    8   prove     `revoking` → `revoked` only on evidence; until then, try for ever

A crash anywhere leaves a row with `due_at`, and the sweeper finishes it; an intent without an end is the reaper's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

from access.custody import Custody, answer_of
from access.errors import (
    AccessError,
    NotFound,
    ProviderRefused,
    ProviderSilent,
    Refused,
    Stale,
    TooLate,
    Unavailable,
)
from access.events import GrantActive, GrantFailed, GrantQuarantined
from access.handover import Claim, Fresh, HandOver
from access.lifecycle import GRANT, GrantStep, step
from access.model import Device, Grant, GrantState, Handle, Person
from access.policy import Facts, Policy
from access.ports import Change, Collected, Provider
from access.reaper import take_back
from access.retry import quarantine_pause

JUST_APPROVED = timedelta(seconds=1)


@dataclass(frozen=True)
class Grants:
    """Opening a grant, and credentials while it lasts."""

    custody: Custody

    # Opening

    async def open(self, number: int) -> None:
        """Steps 1 and 2. Harmless when somebody else has moved the grant on."""
        async with self.custody.alone(number):
            await self._open(await self.custody.load(number))

    async def _open(self, grant: Grant) -> None:
        if grant.state is not GrantState.ISSUING:
            return None
        provider = self.custody.providers.get(grant.provider)
        if provider is None:
            return await self._fail(grant, f"no provider is configured as “{grant.provider}”")
        try:
            handle = await answer_of(provider.prepare(grant, attempt=1))  # 1
        except ProviderRefused as error:
            return await self._fail(grant, str(error))
        except ProviderSilent as error:
            return await lose_track(self.custody, grant, str(error))
        await self._activate(grant, provider, handle)

    async def _activate(self, grant: Grant, provider: Provider, handle: Handle) -> None:
        now = self.custody.clock.now()
        active = replace(grant, state=step(GRANT, grant.state, GrantStep.OPEN), due_at=grant.expires_at)
        event = GrantActive(
            at=now, ref=grant.ref, provider=grant.provider, expires_at=grant.expires_at,
            promise=provider.guarantee.sentence,
        )  # fmt: skip
        try:
            await self.custody.store.commit(Change(grants=(active,), handles=(handle,), events=(event,)))  # 2
        except Stale:  # ended meanwhile; the revocation that follows must know the handle
            await self.custody.store.commit(Change(handles=(handle,)))

    async def _fail(self, grant: Grant, why: str) -> None:
        failed = replace(
            grant, state=step(GRANT, grant.state, GrantStep.REFUSE), due_at=None, ended_at=self.custody.clock.now()
        )
        await self.custody.try_commit(
            Change(grants=(failed,), events=(GrantFailed(at=self.custody.clock.now(), ref=grant.ref, why=why),))
        )

    # Collecting

    async def collect(self, number: int, device: Device) -> Collected:
        """Steps 3 to 6: a fresh credential for the requester's own signed-in device.

        Raises NotFound (also for somebody else's grant), TooLate, Refused, Unavailable.
        """
        # Asked before the lock is taken: an ending must not wait for Slack's answer.
        person = await self._as_of_now(await self._own(number, device), device.person)
        lock = self.custody.alone(number)
        await lock.acquire()  # whoever goes away while waiting for it has asked for nothing
        collecting = self._outcome(number, device, person)
        work: asyncio.Task[Fresh | AccessError] = self.custody.tasks.start(collecting, name=f"collect {number}")
        work.add_done_callback(lambda _: lock.release())
        try:
            outcome = await asyncio.shield(work)  # once begun it is brought to its end, also when nobody waits
        except asyncio.CancelledError:
            self.custody.tasks.start(self._nobody_takes(work), name=f"take back {number}")
            raise
        if isinstance(outcome, AccessError):
            raise outcome
        return outcome.collected

    async def _outcome(self, number: int, device: Device, person: Person) -> Fresh | AccessError:
        try:
            grant, provider = await self._collectable(number, device)
            policy = self.custody.policies.current()
            look_ups = policy.look_ups(grant.target, grant.role)
            self._still_entitled(grant, policy, person, await self.custody.knowing.facts(look_ups, fresh=True))
            return await HandOver(self.custody, Claim(person, device, policy.hash)).run(provider, grant)
        except AccessError as error:
            return error

    async def _nobody_takes(self, work: asyncio.Task[Fresh | AccessError]) -> None:
        outcome = await work
        if isinstance(outcome, Fresh):
            async with self.custody.alone(outcome.grant.number):
                await take_back(self.custody, outcome.untaken)

    async def _collectable(self, number: int, device: Device) -> tuple[Grant, Provider]:
        grant = await self._own(number, device)
        if grant.state is GrantState.ISSUING:  # approved a moment ago: whoever comes first opens it
            await self._open(grant)
            grant = await self._own(number, device)
        if grant.state is GrantState.QUARANTINE:
            raise Unavailable(f"{grant.ref} is being opened. Try again in a moment.")
        if grant.state is not GrantState.ACTIVE or self.custody.clock.now() >= grant.expires_at:
            raise TooLate(f"{grant.ref} has ended. Ask again: prodaccess request {grant.target}")
        provider = self.custody.providers.get(grant.provider)
        if provider is None:
            raise Unavailable(f"No provider is configured as “{grant.provider}”.")
        return grant, provider

    async def _own(self, number: int, device: Device) -> Grant:
        grant = await self.custody.store.grant(number)
        if grant is None or grant.requester.id != device.person.id:
            raise NotFound("There is no such grant of yours.")
        return grant

    async def _as_of_now(self, grant: Grant, person: Person) -> Person:
        """The requester as they are now; the approval has asked about them, and holds for as long as a second."""
        just_approved = self.custody.clock.now() - grant.created_at < JUST_APPROVED
        return person if just_approved else await self.custody.people.check(person)

    def _still_entitled(self, grant: Grant, policy: Policy, person: Person, facts: Facts) -> None:
        verdict = policy.judge_grant(grant, person, facts)
        if not verdict.allowed:
            raise Refused(f"{grant.ref} no longer gives this: {verdict.why}", rule=verdict.rule)


async def lose_track(custody: Custody, grant: Grant, why: str) -> None:
    """The provider's answer to the opening is unknown: look again until no request can be in flight any more."""
    now, wait = custody.clock.now(), quarantine_pause(0)
    state = step(GRANT, grant.state, GrantStep.LOSE_TRACK)
    lost = replace(grant, state=state, due_at=now + wait if wait else now, attempts=0)
    await custody.try_commit(Change(grants=(lost,), events=(GrantQuarantined(at=now, ref=grant.ref, why=why),)))
