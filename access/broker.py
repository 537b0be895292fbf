"""The one flow, first half: ask, decide, cancel. A yes that is enough opens a grant (`access.grants`)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from access.duration import in_words
from access.endings import Endings
from access.errors import AccessError, NotFound, Refused, Stale, TooLate
from access.events import (
    ActRefused,
    ApprovalGiven,
    AskRefused,
    Event,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestExpired,
)
from access.grants import Grants
from access.lifecycle import REQUEST, RequestStep, step
from access.model import Ask, Grant, GrantState, Person, Request, RequestState, Vote
from access.policy import Policy, Rule, Verdict
from access.ports import Change, Clock, People, PolicySource, Store
from access.retry import ISSUING
from access.tasks import meanwhile

_RACES = 20  # a lost race is judged again on what the winner left behind; more than this is a fault
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Broker:
    """Every face comes through here; nobody else moves a request."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    grants: Grants
    endings: Endings

    # Asking

    async def ask(self, ask: Ask) -> Request:
        """Create the request, once per `ask.key`. Raises Refused (with `field`), after writing the refusal down."""
        known = await self.store.request_by_key(ask.key)
        if known is not None:
            return known
        person = await self.people.check(ask.by)
        ask = replace(ask, by=person)
        policy = self.policies.current()
        verdict = policy.judge_ask(ask)
        rule = policy.rule(ask.target, ask.role)
        if not verdict.allowed or rule is None:
            await self._write_down(_ask_refused(ask, policy, verdict, self.clock.now()))
            raise Refused(verdict.why, rule=verdict.rule, field=verdict.field)
        return await self._create(ask, policy, rule)

    async def _create(self, ask: Ask, policy: Policy, rule: Rule) -> Request:
        now = self.clock.now()
        made: list[Request] = []

        def build(number: int) -> Change:
            request = _new_request(ask, policy, rule, (number, now))
            made.append(request)
            return Change(requests=(request,), events=(_asked(request, policy, rule, now),))

        try:
            await self.store.create(build)
        except Stale:  # the same ask arrived twice at once, and the other one was written
            known = await self.store.request_by_key(ask.key)
            if known is None:
                raise
            return known
        return made[-1]

    # Deciding

    async def approve(self, request_id: str, by: Person, digest: str) -> Request:
        """Count a yes; the last one needed opens the grant. `digest` is what the approver was shown.

        Raises NotFound, TooLate, Refused.
        """
        request, grant = await self._settle(lambda: self._vote(request_id, by, digest))
        if grant is not None:
            await self.grants.open(grant.number)
        return request

    async def _vote(self, request_id: str, by: Person, digest: str) -> tuple[Request, Grant | None]:
        request = await self._pending(request_id, by, "approve")
        if not digest or not request.digest.startswith(digest):
            raise await self._no(
                request,
                by,
                "approve",
                TooLate("This card no longer shows what was asked. Open the request again."),
            )
        async with meanwhile(self.people.check(request.requester)) as requester:  # two questions, one wait
            policy, by, rule = await self._entitled(request, by, "approve")
            await self._still_wanted(request, policy, by, requester)
        if any(vote.by.id == by.id for vote in request.votes):
            raise TooLate("You have already approved this; it waits for somebody else.")
        now = self.clock.now()
        vote = Vote(request.id, by, now, rule.name)
        voted = replace(request, votes=(*request.votes, vote))
        given = ApprovalGiven(
            at=now, ref=request.ref, by=by, policy_hash=policy.hash, rule=rule.name,
            digest=request.digest, count=len(voted.votes), needed=max(request.approvals_needed, rule.approvals),
        )  # fmt: skip
        if given.count < given.needed:
            moved = replace(voted, state=step(REQUEST, request.state, RequestStep.VOTE))
            await self.store.commit(Change(requests=(moved,), votes=(vote,), events=(given,)))
            return moved, None
        return await self._open(voted, rule, (vote, given))

    async def _open(self, voted: Request, rule: Rule, last: tuple[Vote, ApprovalGiven]) -> tuple[Request, Grant]:
        vote, given = last
        moved = replace(
            voted,
            state=step(REQUEST, voted.state, RequestStep.APPROVE),
            decided_by=vote.by,
            decided_at=vote.at,
            due_at=None,
        )
        grant = _new_grant(voted, rule, vote.at)
        approved = RequestApproved(
            at=vote.at, ref=voted.ref, by=vote.by, approvers=tuple(v.by.id for v in voted.votes),
            provider=rule.provider, expires_at=grant.expires_at,
        )  # fmt: skip
        await self.store.commit(Change(requests=(moved,), grants=(grant,), votes=(vote,), events=(given, approved)))
        return moved, grant

    async def deny(self, request_id: str, by: Person, reason: str) -> Request:
        """One entitled no is final. Raises NotFound, TooLate, Refused (a no needs its reason)."""
        if not reason.strip():
            raise Refused("Say why, so that the requester knows what to do next.", field="reason")

        async def deny() -> Request:
            request = await self._pending(request_id, by, "deny")
            _, person, rule = await self._entitled(request, by, "deny")
            now = self.clock.now()
            event = RequestDenied(at=now, ref=request.ref, by=person, reason=reason, rule=rule.name)
            return await self._close(request, RequestStep.DENY, event, reason)

        return await self._settle(deny)

    async def cancel(self, number: int, by: Person) -> Request:
        """The requester (or an admin) takes a pending request back."""

        async def cancel() -> Request:
            request = await self.store.request(number)
            if request is None or not (by.id == request.requester.id or self.policies.current().is_admin(by)):
                raise NotFound("There is no such request of yours.")
            _must_be_pending(request)
            event = RequestCancelled(at=self.clock.now(), ref=request.ref, by=by)
            return await self._close(request, RequestStep.CANCEL, event)

        return await self._settle(cancel)

    async def end(self, number: int, by: Person) -> Request | Grant:
        """`end PA-7`: hand a grant back, or take a request back that is still waiting."""
        request = await self.store.request(number)
        if request is not None and request.state is RequestState.PENDING:
            return await self.cancel(number, by)
        return await self.endings.end(number, by)

    async def lapse(self, number: int) -> None:
        """Close a request that nobody decided in time. Harmless when it has moved on."""
        request = await self.store.request(number)
        now = self.clock.now()
        if request is None or request.due_at is None or request.due_at > now:
            return
        try:
            await self._close(request, RequestStep.TIME_OUT, RequestExpired(at=now, ref=request.ref))
        except Stale:
            return

    # Seeing

    async def see(self, number: int, by: Person) -> tuple[Request, Grant | None]:
        """A request and its grant, for its requester, its approvers and admins. Raises NotFound."""
        request = await self.store.request(number)
        policy = self.policies.current()
        if request is None or not (
            by.id == request.requester.id or policy.is_admin(by) or policy.judge_decision(request, by).allowed
        ):
            raise NotFound("There is no such request that you may see.")
        return request, await self.store.grant(number)

    # Steps they share

    async def _settle(self, act: Callable[[], Awaitable[_Result]]) -> _Result:
        for _ in range(_RACES):
            try:
                return await act()
            except Stale:
                continue
        raise TooLate("Too much is happening to this request at once. Look at it again.")

    async def _pending(self, request_id: str, by: Person, act: str) -> Request:
        request = await self.store.request_by_id(request_id)
        if request is None:
            raise NotFound("This request does not exist here.")
        try:
            _must_be_pending(request)
        except TooLate as error:
            raise await self._no(request, by, act, error) from None
        return request

    async def _entitled(self, request: Request, by: Person, act: str) -> tuple[Policy, Person, Rule]:
        person = await self.people.check(by)
        policy = self.policies.current()
        verdict, rule = policy.judge_decision(request, person), policy.rule(request.target, request.role)
        if not verdict.allowed or rule is None:
            raise await self._no(request, person, act, Refused(verdict.why, rule=verdict.rule))
        return policy, person, rule

    async def _still_wanted(self, request: Request, policy: Policy, by: Person, checking: Awaitable[Person]) -> None:
        requester = await checking
        verdict = policy.judge_ask(as_ask(request, requester))
        if not verdict.allowed:
            why = f"{requester.name} may no longer have this: {verdict.why}"
            raise await self._no(request, by, "approve", Refused(why, rule=verdict.rule))

    async def _close(self, request: Request, what: RequestStep, event: Event, note: str = "") -> Request:
        moved = replace(
            request,
            state=step(REQUEST, request.state, what),
            decided_by=event.by,
            decided_at=event.at,
            due_at=None,
            note=note,
        )
        await self.store.commit(Change(requests=(moved,), events=(event,)))
        return moved

    async def _no(self, request: Request, by: Person, act: str, error: AccessError) -> AccessError:
        await self._write_down(ActRefused(at=self.clock.now(), ref=request.ref, by=by, act=act, why=str(error)))
        return error

    async def _write_down(self, event: Event) -> None:
        await self.store.commit(Change(events=(event,)))


def as_ask(request: Request, by: Person) -> Ask:
    """The request as it was asked, to be judged again today."""
    return Ask(by, request.target, request.role, request.duration, request.reason, request.ticket, request.key)


def _must_be_pending(request: Request) -> None:
    if request.state is RequestState.PENDING:
        return
    by = f" by {request.decided_by.name}" if request.decided_by else ""
    raise TooLate(f"{request.ref} is already {request.state}{by}.")


def _new_request(ask: Ask, policy: Policy, rule: Rule, numbered: tuple[int, datetime]) -> Request:
    number, now = numbered
    return Request(
        id=secrets.token_hex(12), number=number, key=ask.key, requester=ask.by, target=ask.target, role=ask.role,
        duration=ask.duration, reason=ask.reason, ticket=ask.ticket, state=RequestState.PENDING, created_at=now,
        due_at=now + policy.pending_for, policy_hash=policy.hash, rule=rule.name, approvals_needed=rule.approvals,
    )  # fmt: skip


def _new_grant(request: Request, rule: Rule, now: datetime) -> Grant:
    return Grant(
        number=request.number, request_id=request.id, requester=request.requester, target=request.target,
        role=request.role, reason=request.reason, ticket=request.ticket, provider=rule.provider, uses=rule.uses,
        state=GrantState.ISSUING, created_at=now, expires_at=now + min(request.duration, rule.maximum),
        due_at=now + ISSUING,
    )  # fmt: skip


def _asked(request: Request, policy: Policy, rule: Rule, now: datetime) -> RequestAsked:
    names = frozenset(policy.deciders(rule, request.requester))
    return RequestAsked(
        at=now, ref=request.ref, by=request.requester, request_id=request.id, target=request.target,
        role=request.role, duration=request.duration, reason=request.reason, ticket=request.ticket,
        policy_hash=policy.hash, rule=rule.name, approvals_needed=rule.approvals, deciders=policy.accounts_of(names),
        digest=request.digest, lapses_at=request.due_at or now,
    )  # fmt: skip


def _ask_refused(ask: Ask, policy: Policy, verdict: Verdict, now: datetime) -> AskRefused:
    return AskRefused(
        at=now, by=ask.by, target=ask.target[:100], role=ask.role[:100], duration=ask.duration,
        reason=ask.reason[:500], ticket=ask.ticket[:100], policy_hash=policy.hash, rule=verdict.rule, why=verdict.why,
    )  # fmt: skip


def explain_offer(rule: Rule, deciders: tuple[str, ...]) -> str:
    """`needs 1 of 2 (ada, grace), up to 4 hours`: what will happen when this is asked for."""
    who = ", ".join(deciders[:4]) + ("…" if len(deciders) > 4 else "")
    return f"needs {rule.approvals} of {len(deciders)} ({who}), up to {in_words(rule.maximum)}"
