"""How a grant ends: its deadline, somebody, or what a crash left is settled. Steps 7, 8 of `access.granting.grants`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from access.about import about
from access.errors import NotFound, ProviderError, Stale, TooLate
from access.events import GrantExpiring, GrantFailed
from access.granting.custody import Custody, answer_of
from access.granting.grants import lose_track
from access.lifecycle import GRANT, GRANT_TERMINAL, GrantStep, NotAllowed, step
from access.model import Cause, Grant, GrantState, Person, ref
from access.ports import Change
from access.requesting.extending import close_extensions
from access.retry import quarantine_pause
from access.revoking.proving import Proving
from access.revoking.starting import begin, ending


@dataclass(frozen=True)
class Endings:
    """Ending a grant, and settling whatever is due on one. Never fails closed: taking away always goes on."""

    custody: Custody

    @cached_property
    def proving(self) -> Proving:
        """Step 8, one for all grants."""
        return Proving(self.custody)

    async def end(self, number: int, by: Person) -> Grant:
        """End it early. The requester, an approver or an admin may. Raises NotFound, Refused, TooLate."""
        grant = await self.custody.store.grant(number)
        cause = await self._may_end(grant, by)
        if grant is None or cause is None:
            raise NotFound("There is no such grant that you may end.")
        if grant.state in GRANT_TERMINAL or grant.state is GrantState.REVOKING:
            raise TooLate(f"{grant.ref} has already ended or is ending.")
        await self.finish(number, cause, by)
        return await self.custody.load(number)

    async def _may_end(self, grant: Grant | None, by: Person) -> Cause | None:
        if grant is None:
            return None
        policy, request = self.custody.policies.current(), await self.custody.store.request(grant.number)
        if by.id == grant.requester.id:
            return Cause.REQUESTER
        if request is not None:
            facts = await self.custody.knowing.facts(policy.look_ups(grant.target, grant.role))
            if policy.judge_decision(request, by, facts).allowed:
                return Cause.APPROVER
        return Cause.ADMIN if policy.is_admin(by) else None

    async def finish(
        self, number: int, cause: Cause, by: Person | None = None, *, at_end: datetime | None = None
    ) -> None:
        """Step 7, and at once step 8. Expiry, the End button, an admin and crash recovery all come here.

        With `at_end` only while that is still its end: it may be started or extended at this very moment.
        """
        about(ref(number))
        begun = await self._begin_end(number, cause, by, at_end)
        if begun is not None:
            self.custody.tasks.start(close_extensions(self.custody, begun), name=f"close extensions {number}")
            await self.proving.prove(begun)

    async def _begin_end(self, number: int, cause: Cause, by: Person | None, at_end: datetime | None) -> Grant | None:
        while True:
            grant, now = await self.custody.load(number), self.custody.clock.now()
            if at_end is not None and grant.expires_at != at_end:
                return None
            try:
                change = ending(grant, cause, now, by, self.custody.claimant())
            except NotAllowed:
                return None  # somebody was first; the first cause wins
            try:
                await self.custody.store.commit(change)  # 7
            except Stale:
                continue
            return change.grants[0]

    # Settling what a crash or a silence left

    async def settle(self, number: int) -> None:
        """Whatever is due on this grant, now. Harmless when nothing is."""
        about(ref(number))
        grant, now = await self.custody.load(number), self.custody.clock.now()
        if grant.due_at is None or grant.due_at > now:
            return
        match grant.state:
            case GrantState.ISSUING:
                await self._settle_issuing(number, now)
            case GrantState.QUARANTINE:
                await self._settle_quarantine(number, now)
            case GrantState.ACTIVE if now < grant.expires_at:
                await self._warn(number)
            case GrantState.ACTIVE:
                cause = Cause.DEADLINE if grant.started_at else Cause.NOT_USED
                await self.finish(number, cause, at_end=grant.expires_at)
            case GrantState.REVOKING:
                self.proving.prove_all(await begin(self.custody, (grant,)))

    async def _warn(self, number: int) -> None:
        """Say that it ends soon. The end needs nothing of this: where it cannot be written, it is only not said."""
        lock = self.custody.alone(number)
        if lock.locked():
            return  # a credential on its way out would lose the row to us; the next look says it
        async with lock:
            grant, now = await self.custody.load(number), self.custody.clock.now()
            if grant.state is GrantState.ACTIVE and grant.warned_at is None and now < grant.expires_at:
                state = step(GRANT, grant.state, GrantStep.WARN)
                warned = replace(grant, state=state, warned_at=now, due_at=grant.expires_at)
                event = GrantExpiring(at=now, ref=grant.ref, expires_at=grant.expires_at)
                await self.custody.try_commit(Change(grants=(warned,), events=(event,)))

    async def _settle_issuing(self, number: int, now: datetime) -> None:
        async with self.custody.alone(number):  # waits for an opening that is merely slow
            grant = await self.custody.load(number)
            if grant.state is GrantState.ISSUING and grant.due_at is not None and grant.due_at <= now:
                await lose_track(self.custody, grant, "its opening did not finish")

    async def _settle_quarantine(self, number: int, now: datetime) -> None:
        grant = await self.custody.load(number)
        provider = self.custody.providers.get(grant.provider)
        try:
            found = await answer_of(provider.find(grant)) if provider else True
        except ProviderError:
            found = True  # we cannot say, so it is taken back like something found
        if found:
            return await self.finish(number, Cause.UNFINISHED)
        tries = grant.attempts + 1
        wait = quarantine_pause(tries)
        if wait is None:
            return await self._give_up(grant)
        later = replace(grant, state=step(GRANT, grant.state, GrantStep.RETRY), attempts=tries, due_at=now + wait)
        await self.custody.try_commit(Change(grants=(later,)))
        return None

    async def _give_up(self, grant: Grant) -> None:
        now = self.custody.clock.now()
        failed = replace(grant, state=step(GRANT, grant.state, GrantStep.GIVE_UP), due_at=None, ended_at=now)
        event = GrantFailed(at=now, ref=grant.ref, why="its opening never finished, and nothing of it exists")
        await self.custody.try_commit(Change(grants=(failed,), events=(event,)))
