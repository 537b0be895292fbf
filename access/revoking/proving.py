"""Step 8 of `access.granting.grants`: the provider is called until it proves that nothing is left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from access.about import about
from access.errors import ProviderError
from access.events import GrantEnded, RevocationFailed
from access.granting.custody import Custody, answer_of
from access.lifecycle import GRANT, GrantStep, step
from access.model import Cause, Grant, GrantState
from access.ports import Change, Gone, NotYet
from access.retry import alarms_by, pause
from access.revoking.pools import Pools
from access.revoking.recorder import Recorder, Result
from access.revoking.waiting import Waiting
from access.sessions.ending import sessions_first

log = logging.getLogger(__name__)

LONGEST = 120.0  # seconds that one try may take: what never answers must be tried again, and said
Done = Callable[[int], None]


def _nobody(_: int) -> None:
    """For ends that nobody counts."""


class Proving:
    """Calls on the workers of each grant's provider; results through one recorder."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody
        self.patience = LONGEST
        self.pools = Pools(custody.providers, custody.tasks)
        self.waiting = Waiting()
        self.coming = 0  # ends that are due and not yet handed to us
        self._recorder = Recorder(custody, custody.tasks, lambda: self.pools.waiting + self.coming)

    async def prove(self, grant: Grant) -> None:
        """One try for a grant that has just begun to end, before all others; returns once it is written down."""
        done = asyncio.get_running_loop().create_future()

        def tell(_: int) -> None:
            if not done.done():
                done.set_result(None)

        job = partial(self._prove, grant, tell, fresh=True, urgent=True)
        self.pools.of(grant.provider).add(job, first=True)
        await done

    def prove_all(self, grants: Iterable[Grant], done: Done = _nobody) -> None:
        """The same for many, in their order, as they stand right now; `done` is told each number when all is over."""
        for grant in grants:
            self.pools.of(grant.provider).add(partial(self._prove, grant, done), again=grant.attempts > 1)

    async def ask(self, grant: Grant) -> Gone | NotYet:
        """One try whose result somebody else keeps; to be called on the grant's pool."""
        async with self._custody.alone(grant.number):
            return await self._revoke(grant)

    async def _prove(self, grant: Grant, done: Done, *, fresh: bool = False, urgent: bool = False) -> None:
        try:
            result = await self._ask(grant, done, fresh=fresh, urgent=urgent)
        except BaseException:
            done(grant.number)
            raise
        if result is None:
            done(grant.number)
        else:
            self._recorder.add(result)

    async def _ask(self, grant: Grant, done: Done, *, fresh: bool, urgent: bool) -> Result | None:
        await sessions_first(self._custody, grant)
        about(grant.ref)
        lock = self._custody.alone(grant.number)
        fresh = fresh or lock.locked()  # whoever holds it may be changing what there is to end
        async with lock:
            if fresh:
                grant = await self._custody.load(grant.number)
                if grant.state is not GrantState.REVOKING:
                    return None
            began = self.waiting.now()
            answer = await self._revoke(grant)  # 8
        now = self._custody.clock.now()
        change = partial(gone, grant, answer, now) if isinstance(answer, Gone) else partial(_failed, grant, answer, now)
        failed = None if isinstance(answer, Gone) else began
        return Result(change, partial(self._recorded, grant, done, urgent, failed), urgent)

    def _recorded(self, grant: Grant, done: Done, urgent: bool, failed: float | None, it_stood: bool) -> None:  # noqa: FBT001
        """What did not stand has met another write of the same row: once more, on the row as it is now.

        `failed`: when the try began that has proven nothing.
        """
        if not it_stood and not urgent:
            return self.pools.of(grant.provider).add(partial(self._prove, grant, done, fresh=True, urgent=True))
        done(grant.number)
        if it_stood and failed is not None:
            self.waiting.failed(grant.provider, grant.number, failed)

    async def _revoke(self, grant: Grant) -> Gone | NotYet:
        provider = self._custody.providers.get(grant.provider)
        if provider is None:
            return NotYet(f"no provider is configured as “{grant.provider}”")
        try:
            async with asyncio.timeout(self.patience):
                answer = await answer_of(provider.revoke(grant))
        except ProviderError as error:
            return NotYet(str(error))
        except TimeoutError:
            return NotYet(f"the provider did not answer within {self.patience:g} s")
        if isinstance(answer, Gone) and grant.handles:  # without one, it was not asked
            self.waiting.proved(grant.provider, grant.number)
        return answer


def gone(grant: Grant, gone: Gone, now: datetime) -> Change:
    """That nothing of it is left."""
    moved = replace(
        grant, state=step(GRANT, grant.state, GrantStep.CONFIRM_GONE), due_at=None, ended_at=now,
        effective_by=gone.effective_by, claim=None,
    )  # fmt: skip
    event = GrantEnded(
        at=now, ref=grant.ref, by=grant.ended_by, cause=grant.cause or Cause.DEADLINE,
        credentials=sum(1 for lease in grant.leases if lease.public_id), opened_at=grant.created_at,
        ending_since=grant.ending_since or now, proof=gone.proof, effective_by=gone.effective_by,
        tried=gone.tried,
    )  # fmt: skip
    leases = tuple(replace(lease, gone_at=now) for lease in grant.live_leases())
    return Change(grants=(moved,), leases=leases, events=(event,))


def _failed(grant: Grant, answer: NotYet, now: datetime) -> Change:
    alarms = alarms_by(grant.attempts, now - (grant.ending_since or now))
    escalate = alarms > grant.alarms
    moved = replace(
        grant, state=step(GRANT, grant.state, GrantStep.RETRY), due_at=now + pause(grant.attempts),
        escalated=grant.escalated or escalate, alarms=max(alarms, grant.alarms), claim=None,
    )  # fmt: skip
    event = RevocationFailed(at=now, ref=grant.ref, tries=grant.attempts, why=answer.why, escalated=escalate)
    worth_saying = escalate or grant.attempts == 1
    log.warning(
        "revocation not confirmed",
        extra={"action": "revoke", "ref": grant.ref, "tries": grant.attempts, "why": answer.why},
    )
    return Change(grants=(moved,), events=(event,) if worth_saying else ())
