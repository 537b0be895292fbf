"""Letting a connection in: the numbers return beside the code.

1   proof    the client holds what its pass is about; the gateway has seen to that
2   rights   the grant is active, its requester may still have it: asked as at every hand-over
3   issue    the gateway's own credential for the grant, through the same gate; the first use starts the clock
4   record   the session's row and `session.opened`, durable before a byte goes to the target
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from access.errors import BadInput, Refused, Stale, TooLate
from access.events import SessionOpened
from access.granting.grants import Grants
from access.model import Device, Grant, GrantState, Request, parse_ref
from access.policy import Policy, Watch
from access.ports import Change, Collected, Released, SessionStore
from access.sessions.holding import watch_of
from access.sessions.model import Pass, Session

RECENT = timedelta(seconds=5)
MOST = 100  # open connections of one grant
SEED = 32  # bytes
_RACES = 20
_NO = "No pass of that name lets you in."


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection whose client has proven its pass. `stop`: what a statement of it can be stopped by, hidden."""

    gateway: str
    pass_name: str
    address: str
    client: str
    stop: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A session, and the credential that only the gateway holds. `until`: no byte passes from then on.

    `watch`: by the policy of that time.
    """

    session: Session
    grant: Grant
    credential: Released
    watch: Watch = field(default_factory=Watch)
    request: Request | None = None

    def watch_by(self, policy: Policy) -> Watch:
        """By a later one."""
        return watch_of(policy, self.request, self.grant)

    @property
    def until(self) -> datetime:
        return end_of(self.grant, self.credential)


def end_of(grant: Grant, credential: Released) -> datetime:
    """A grant that was extended outlives what was issued before: that connection ends, and the next one goes on."""
    return min(grant.expires_at, credential.not_after)


@dataclass
class Admission:
    """Of one gateway, which is named `process`. One credential of it serves all connections of a grant."""

    grants: Grants
    sessions: SessionStore
    process: str
    _held: dict[int, Collected] = field(default_factory=dict, repr=False)
    _asked: dict[int, datetime] = field(default_factory=dict, repr=False)  # when its requester was last looked at
    _locks: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary, repr=False)

    async def pass_of(self, name: str, gateway: str) -> Pass | None:
        """The pass of this name, which says what has to be proven; None where it lets nobody in."""
        given = await self.sessions.pass_named(name)
        return given if given is not None and given.ended_at is None and given.gateway == gateway else None

    async def pass_with(self, name: str, gateway: str, proof: str) -> Pass | None:
        """The living pass of this name and proof; by the grant's name alone (`PA-7`), any of that grant."""
        try:
            known = await self.sessions.living_passes(parse_ref(name))
        except BadInput:
            given = await self.sessions.pass_named(name)
            known = () if given is None else (given,)
        living = (one for one in known if one.ended_at is None and one.gateway == gateway and one.proof == proof)
        return next(living, None)

    async def admit(self, visit: Visit) -> Admitted:
        """Steps 2 to 4. Raises Refused, TooLate, Unavailable."""
        given, device = await self._holder(visit)
        async with self._alone(given.grant):
            grant, credential = await self._credential(given, device)  # 2, 3
            request = await self.grants.custody.store.request(grant.number)
            await self._holder(visit)  # that may have taken seconds, and somebody has ended the pass meanwhile
            session = await self._open(visit, grant, credential)  # 4
        watch = watch_of(self.policy, request, grant)
        return Admitted(session, grant, credential, watch, request)

    @property
    def held(self) -> frozenset[int]:
        """Grants of which a credential is in memory."""
        return frozenset(self._held)

    def forget(self, number: int) -> None:
        """The grant has ended: nothing of it stays in memory."""
        self._held.pop(number, None)
        self._asked.pop(number, None)

    @property
    def policy(self) -> Policy:
        """The one that counts now."""
        return self.grants.custody.policies.current()

    async def _holder(self, visit: Visit) -> tuple[Pass, Device]:
        given = await self.pass_of(visit.pass_name, visit.gateway)
        if given is None:
            raise Refused(_NO)
        device = await self.grants.custody.store.device(given.device)
        if device is None or device.ended_at is not None or device.expires_at <= self._now():
            raise Refused("The terminal that this pass was given to has been signed out.")
        return given, device

    async def _credential(self, given: Pass, device: Device) -> tuple[Grant, Released]:
        held = self._held.get(given.grant)
        if held is not None:
            grant = await self._still(given, device)
            if held.grant.expires_at == grant.expires_at and self._now() < held.issued.not_after:  # made for this end
                return grant, held.issued
        through = replace(device, host=f"the {given.gateway} gateway")
        held = self._held[given.grant] = await self.grants.collect(given.grant, through, given.gateway)
        self._asked[given.grant] = self._now()
        return held.grant, held.issued

    async def _still(self, given: Pass, device: Device) -> Grant:
        """Tools open many connections at once: what others answer holds for a moment, the grant's own row does not."""
        grant = await self.grants.custody.load(given.grant)
        asked = self._asked.get(given.grant)
        if asked is None or self._now() - asked > RECENT or not self._is_open(grant):
            grant = await self.grants.check(given.grant, device, given.gateway)
            self._asked[given.grant] = self._now()
        return grant

    def _is_open(self, grant: Grant) -> bool:
        return grant.state is GrantState.ACTIVE and self._now() < grant.expires_at

    def _now(self) -> datetime:
        return self.grants.custody.clock.now()

    async def _open(self, visit: Visit, grant: Grant, credential: Released) -> Session:
        for _ in range(_RACES):
            still_open, every = await self.sessions.tally(grant.number)
            if still_open >= MOST:
                raise Refused(f"{grant.ref} has {MOST} open connections, which is the most.")
            session = self._session(visit, grant, every + 1)
            try:
                await self.grants.custody.in_time(self._write(session, visit, credential))
            except Stale:
                continue  # another gateway took the number, or the grant has ended: then this says so
            return replace(session, version=1)
        raise TooLate(f"{grant.ref} has ended, or changes too fast. Look at it again.")

    def _session(self, visit: Visit, grant: Grant, n: int) -> Session:
        return Session(
            grant=grant.number, n=n, gateway=visit.gateway, pass_name=visit.pass_name, requester=grant.requester,
            target=grant.target, host=grant.uses.get("host", ""), address=visit.address, client=visit.client[:80],
            process=self.process, seed=secrets.token_hex(SEED), opened_at=self.grants.custody.clock.now(),
            stop=visit.stop, raw=self.policy.keeps_raw(grant.target, grant.role),
        )  # fmt: skip

    async def _write(self, session: Session, visit: Visit, credential: Released) -> None:
        event = SessionOpened(
            at=session.opened_at, ref=session.ref, by=session.requester, session=session.id, gateway=session.gateway,
            target=session.target, host=session.host or session.target, address=session.address, name=visit.pass_name,
            client=session.client, public_id=credential.public_id, raw=session.raw,
        )  # fmt: skip
        await self.grants.custody.store.commit(Change(sessions=(session,), events=(event,)))

    @asynccontextmanager
    async def _alone(self, number: int) -> AsyncIterator[None]:
        async with self._locks.setdefault(number, asyncio.Lock()):
            yield
