"""How a grant ends: its deadline, somebody, or the settling of what a crash left. Steps 7, 8 of `access.grants`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from access.custody import Custody, answer_of
from access.errors import NotFound, ProviderError, Stale, TooLate
from access.events import GrantEnded, GrantEnding, GrantExpiring, GrantFailed, RevocationFailed
from access.extending import close_extensions
from access.grants import lose_track
from access.lifecycle import GRANT, GRANT_TERMINAL, GrantStep, NotAllowed, step
from access.model import Cause, Grant, GrantState, Person
from access.ports import Change, Gone, NotYet
from access.retry import CLAIM, must_escalate, pause, quarantine_pause
from access.reviews import at_the_end_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Endings:
    """Ending a grant, and settling whatever is due on one. Never fails closed: taking away always goes on."""

    custody: Custody

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
        ending = await self._begin_end(number, cause, by, at_end)
        if ending is not None:
            self.custody.tasks.start(close_extensions(self.custody, ending), name=f"close extensions {number}")
            await self._prove_gone(number)

    async def _begin_end(self, number: int, cause: Cause, by: Person | None, at_end: datetime | None) -> Grant | None:
        while True:
            grant, now = await self.custody.load(number), self.custody.clock.now()
            if at_end is not None and grant.expires_at != at_end:
                return None
            try:
                state = step(GRANT, grant.state, GrantStep.END)
            except NotAllowed:
                return None  # somebody was first; the first cause wins
            ending = replace(
                grant,
                state=state,
                cause=cause,
                ended_by=by,
                ending_since=now,
                attempts=1,
                due_at=now + CLAIM,
                escalated=False,
            )
            event = GrantEnding(at=now, ref=grant.ref, by=by, cause=cause)
            try:
                await self.custody.store.commit(Change(grants=(ending,), events=(event,)))  # 7
            except Stale:
                continue
            return ending

    async def revoke_again(self, number: int) -> None:
        """A further try at step 8, claimed first so that nobody else tries beside us."""
        grant = await self.custody.load(number)
        if grant.due_at is not None and grant.due_at <= self.custody.clock.now():
            await self._claim(grant)

    async def take_over(self, number: int) -> None:
        """The same at once, whoever had claimed it: for the start, when its holder may be gone."""
        await self._claim(await self.custody.load(number))

    async def _claim(self, grant: Grant) -> None:
        if grant.state is not GrantState.REVOKING:
            return
        claimed = replace(
            grant,
            state=step(GRANT, grant.state, GrantStep.RETRY),
            attempts=grant.attempts + 1,
            due_at=self.custody.clock.now() + CLAIM,
        )
        if await self.custody.try_commit(Change(grants=(claimed,))):
            await self._prove_gone(grant.number)

    async def _prove_gone(self, number: int) -> None:
        async with self.custody.alone(number):
            grant = await self.custody.load(number)
            if grant.state is not GrantState.REVOKING:
                return
            match await self._revoke(grant):  # 8
                case Gone() as gone:
                    await self._record_gone(grant, gone)
                case NotYet(why=why):
                    await self._record_failure(grant, why)

    async def _revoke(self, grant: Grant) -> Gone | NotYet:
        provider = self.custody.providers.get(grant.provider)
        if provider is None:
            return NotYet(f"no provider is configured as “{grant.provider}”")
        try:
            return await answer_of(provider.revoke(grant))
        except ProviderError as error:
            return NotYet(str(error))

    async def _record_gone(self, grant: Grant, gone: Gone) -> None:
        now = self.custody.clock.now()
        done = replace(
            grant,
            state=step(GRANT, grant.state, GrantStep.CONFIRM_GONE),
            due_at=None,
            ended_at=now,
            effective_by=gone.effective_by,
        )
        event = GrantEnded(
            at=now, ref=grant.ref, by=grant.ended_by, cause=grant.cause or Cause.DEADLINE,
            credentials=sum(1 for lease in grant.leases if lease.public_id), opened_at=grant.created_at,
            ending_since=grant.ending_since or now, proof=gone.proof, effective_by=gone.effective_by,
            tried=gone.tried,
        )  # fmt: skip
        leases = tuple(replace(lease, gone_at=now) for lease in grant.live_leases())
        review = await at_the_end_of(self.custody, grant, now)
        change = Change(grants=(done,), leases=leases, reviews=review.reviews, events=(event, *review.events))
        await self.custody.try_commit(change)

    async def _record_failure(self, grant: Grant, why: str) -> None:
        now = self.custody.clock.now()
        escalate = must_escalate(grant, now - (grant.ending_since or now))
        again = replace(
            grant,
            state=step(GRANT, grant.state, GrantStep.RETRY),
            due_at=now + pause(grant.attempts),
            escalated=grant.escalated or escalate,
        )
        event = RevocationFailed(at=now, ref=grant.ref, tries=grant.attempts, why=why, escalated=escalate)
        worth_saying = escalate or grant.attempts == 1
        log.warning(
            "revocation not confirmed",
            extra={"action": "revoke", "ref": grant.ref, "tries": grant.attempts, "why": why},
        )
        await self.custody.try_commit(Change(grants=(again,), events=(event,) if worth_saying else ()))

    # Settling what a crash or a silence left

    async def settle(self, number: int) -> None:
        """Whatever is due on this grant, now. Harmless when nothing is."""
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
                await self.revoke_again(number)

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
