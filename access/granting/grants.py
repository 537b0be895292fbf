"""The one flow, second half: a grant from its opening to its proven end. The numbers return beside the code,
in `access.granting.handover` and in `access.ending.endings`.

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
from datetime import datetime, timedelta

from access.about import about
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
from access.events import GrantActive, GrantFailed, GrantQuarantined, GrantStarted
from access.evidence.recognising import who_took
from access.evidence.ticketing import Said, is_first_use, rule_of
from access.granting.custody import Custody, answer_of
from access.granting.handover import Claim, Fresh, HandOver
from access.granting.reaper import take_back
from access.granting.timing import next_look, started
from access.lifecycle import GRANT, GrantStep, step
from access.model import Device, Grant, GrantState, Handle, Person, ref
from access.policy import Facts, Policy, Rule
from access.ports import Change, Collected, Guarantee, Provider
from access.retry import quarantine_pause
from access.sessions.model import SSH
from access.tasks import meanwhile

JUST_APPROVED = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out for one collection: who they are, the policy, its facts, and the ticket at the first use."""

    person: Person
    policy: Policy
    facts: Facts
    ticket: tuple[Rule | None, Said]


@dataclass(frozen=True)
class Grants:
    """Opening a grant, and credentials while it lasts."""

    custody: Custody

    # Opening

    async def open(self, number: int) -> None:
        """Steps 1 and 2. Harmless when somebody else has moved the grant on."""
        about(ref(number))
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
        active = replace(grant, state=step(GRANT, grant.state, GrantStep.OPEN), due_at=next_look(grant))
        event = GrantActive(
            at=now, ref=grant.ref, provider=grant.provider, expires_at=grant.expires_at,
            promise=_promise(provider.guarantee, grant), gateway=grant.gateway,
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

    async def check(self, number: int, device: Device, gateway: str) -> Grant:
        """Whether `collect` would give a credential now, without making one. Raises as that does."""
        known = await self._ask_around(await self._own(number, device), device.person)
        await self.open(number)
        grant, _ = await self._collectable(number, device, gateway)
        self._still_entitled(grant, replace(known, facts=replace(known.facts, now=self.custody.clock.now())))
        return grant

    async def collect(self, number: int, device: Device, gateway: str = "") -> Collected:
        """Steps 3 to 6: a fresh credential for the requester's own signed-in device, or for the gateway that they use.

        Raises NotFound (also for somebody else's grant), TooLate, Refused, Unavailable.
        """
        about(ref(number))
        # Asked before the lock is taken: an ending must not wait for what others answer.
        known = await self._ask_around(await self._own(number, device), device.person)
        lock = self.custody.alone(number)
        await lock.acquire()  # whoever goes away while waiting for it has asked for nothing
        collecting = self._outcome(number, device, known, gateway)
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

    async def _outcome(self, number: int, device: Device, known: _Known, gateway: str) -> Fresh | AccessError:
        try:
            grant, provider = await self._collectable(number, device, gateway)
            now = self.custody.clock.now()
            facts = replace(known.facts, now=now)
            snapshot = self._still_entitled(grant, replace(known, facts=facts))
            grant = await self._started(grant, now)
            claim = Claim(known.person, device, known.policy.hash, facts, snapshot)
            return await HandOver(self.custody, claim).run(provider, grant)
        except AccessError as error:
            return error

    async def _started(self, grant: Grant, now: datetime) -> Grant:
        """Where the time runs from the first use: this is it. Whatever fails afterwards, it runs."""
        if grant.started_at is not None:
            return grant
        running = replace(started(grant, now), state=step(GRANT, grant.state, GrantStep.START))
        event = GrantStarted(at=now, ref=grant.ref, by=grant.requester, expires_at=running.expires_at)
        try:
            await self.custody.in_time(self.custody.store.commit(Change(grants=(running,), events=(event,))))
        except Stale:
            raise TooLate(f"{grant.ref} has just changed. Look at it again.") from None
        return replace(running, version=running.version + 1)

    async def _nobody_takes(self, work: asyncio.Task[Fresh | AccessError]) -> None:
        outcome = await work
        if isinstance(outcome, Fresh):
            async with self.custody.alone(outcome.grant.number):
                await take_back(self.custody, outcome.untaken)

    async def _collectable(self, number: int, device: Device, gateway: str) -> tuple[Grant, Provider]:
        grant = await self._own(number, device)
        if grant.gateway != gateway:
            raise Refused(used_by(grant))
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

    async def _ask_around(self, grant: Grant, person: Person) -> _Known:
        """Three questions, one wait. Raises Refused, Unavailable."""
        custody, policy = self.custody, self.custody.policies.current()
        just_approved = custody.clock.now() - grant.created_at < JUST_APPROVED
        async with (
            meanwhile(self._as_of_now(grant, person, just_approved=just_approved)) as today,
            meanwhile(self._ticket_of(grant, policy, fresh=not just_approved)) as said,
        ):
            facts = await custody.knowing.facts(policy.look_ups(grant.target, grant.role), fresh=True)
            return _Known(await today, policy, facts, await said)

    async def _as_of_now(self, grant: Grant, person: Person, *, just_approved: bool) -> Person:
        """The requester as they are now; the approval has asked about them, and holds for as long as a second."""
        if just_approved:
            return person
        if grant.glass:
            return await who_took(self.custody.people, self.custody.policies, grant, person)
        return await self.custody.people.check(person)

    async def _ticket_of(self, grant: Grant, policy: Policy, *, fresh: bool) -> tuple[Rule | None, Said]:
        """What is said of it, and the rule that has to be content with that; None where nobody has to be."""
        if grant.glass or not grant.ticket or not is_first_use(grant):
            return None, Said()
        rule = rule_of(policy, await self.custody.store.request(grant.number))
        rules = (rule,) if rule else ()
        return rule, await self.custody.tickets.look(rules, grant.ticket, grant.requester, fresh=fresh)

    def _still_entitled(self, grant: Grant, known: _Known) -> str:
        """The ticket's snapshot, where it had to be looked at. Raises Refused, TicketSystemSilent."""
        verdict = known.policy.judge_grant(grant, known.person, known.facts)
        if not verdict.allowed:
            raise Refused(f"{grant.ref} no longer gives this: {verdict.why}", rule=verdict.rule, field=verdict.field)
        rule, said = known.ticket
        try:
            return said.must_do(rule, grant.ticket) if rule else ""
        except Refused as no:
            raise Refused(f"{grant.ref} cannot be used: {no}", rule=no.rule, field=no.field) from None


def used_by(grant: Grant) -> str:
    """How a grant is used, for whoever tried another way."""
    if grant.gateway:
        verb = "ssh" if grant.gateway == SSH else "connect"
        return f"{grant.ref} is used through the {grant.gateway} gateway: prodaccess {verb} {grant.ref}"
    return f"{grant.ref} is not used through a gateway, but with a credential: prodaccess run {grant.ref} -- COMMAND"


def _promise(guarantee: Guarantee, grant: Grant) -> str:
    """What a provider cannot do to a connection, the gateway that holds it can."""
    cuts = "The gateway cuts its own sessions." if grant.gateway and not guarantee.cuts_sessions else ""
    return f"{guarantee.sentence} {cuts}".strip()


async def lose_track(custody: Custody, grant: Grant, why: str) -> None:
    """The provider's answer to the opening is unknown: look again until no request can be in flight any more."""
    now, wait = custody.clock.now(), quarantine_pause(0)
    state = step(GRANT, grant.state, GrantStep.LOSE_TRACK)
    lost = replace(grant, state=state, due_at=now + wait if wait else now, attempts=0)
    await custody.try_commit(Change(grants=(lost,), events=(GrantQuarantined(at=now, ref=grant.ref, why=why),)))
