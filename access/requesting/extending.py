"""Prolonging a grant: a request of its own, judged like any other, whose approval moves the end of another's grant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.duration import in_words
from access.errors import NotFound, Stale
from access.events import Event, GrantExtended, RequestCancelled
from access.granting.custody import Custody
from access.granting.timing import extendable, extended
from access.lifecycle import GRANT, REQUEST, GrantStep, RequestStep, step
from access.model import Ask, Grant, GrantState, Person, Request, RequestState, ref
from access.policy import Facts, Policy, Rule, Verdict
from access.ports import Change, Store
from access.requesting.making import as_ask, new_grant

_LEAST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class More:
    """How much longer, and why. Without a ticket of its own it has that of the grant."""

    duration: timedelta
    reason: str
    key: str
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an approval makes: a grant that has to be opened, or the active one with its new end."""

    grant: Grant
    at: datetime
    duration: timedelta
    events: tuple[Event, ...] = ()

    @property
    def to_open(self) -> Grant | None:
        return None if self.events else self.grant


async def ask_for_more(store: Store, number: int, by: Person, more: More) -> Ask:
    """The ask that it comes to. Raises NotFound, also for somebody else's grant."""
    grant = await store.grant(number)
    if grant is None or grant.requester.id != by.id:
        raise NotFound("There is no such grant of yours.")
    ticket = more.ticket or grant.ticket
    return Ask(by, grant.target, grant.role, more.duration, more.reason, ticket, more.key, extends=number)


async def grant_of(store: Store, extends: int | None) -> Grant | None:
    """The grant that is to be prolonged, if one is."""
    return await store.grant(extends) if extends is not None else None


def judge_ask(policy: Policy, ask: Ask, facts: Facts, grant: Grant | None) -> Verdict:
    """May this be asked for? Where it prolongs a grant: may that one be prolonged so?"""
    verdict = policy.judge_ask(ask, facts)
    rule = policy.rule_named(verdict.rule)
    if ask.extends is None or not verdict.allowed or rule is None:
        return verdict
    return _judge_more(policy, ask, rule, (grant, facts.now))


def _judge_more(policy: Policy, ask: Ask, rule: Rule, known: tuple[Grant | None, datetime | None]) -> Verdict:
    (grant, now), what = known, ref(ask.extends or 0)
    if grant is None or not policy.same_person(grant.requester, ask.by):
        return _no(rule, "There is no such grant of yours.")
    if (ask.target, ask.role) != (grant.target, grant.role):
        return _no(rule, f"{what} is for something else.")
    if now is None or is_over(grant, now):
        return _no(rule, f"{what} is not active, so there is nothing to prolong. Ask anew.")
    if grant.started_at is None:
        return _no(rule, f"{what} has not been used yet: its time runs from the first use.")
    left = extendable(grant, rule.total)
    if ask.duration > left:
        most = f"at most {in_words(left)} more" if left >= _LEAST else "nothing more"
        return _no(rule, f"{rule.what} is given for {in_words(rule.total)} in all: {most} for {what}.", "duration")
    return Verdict(allowed=True, rule=rule.name, why=f"{rule.name} lets {ask.by.name} prolong {what}.")


def _no(rule: Rule, why: str, field: str = "target") -> Verdict:
    return Verdict(allowed=False, rule=rule.name, why=why, field=field)


def is_over(grant: Grant | None, now: datetime) -> bool:
    """Whether there is nothing left to prolong."""
    return grant is None or grant.state is not GrantState.ACTIVE or now >= grant.expires_at


def within(request: Request, grant: Grant | None) -> Request:
    """A request to prolong it can be decided until it ends, and no longer."""
    if grant is None or grant.expires_at >= request.lapses_at:
        return request
    due = min(request.due_at, grant.expires_at) if request.due_at else None
    return replace(request, lapses_at=grant.expires_at, due_at=due)


async def outcome_of(store: Store, request: Request, judged: tuple[Policy, Rule], now: datetime) -> Outcome:
    """What the approval of a request makes. Raises Stale where its grant has changed since that was judged."""
    policy, rule = judged
    if request.extends is None:
        grant = new_grant(request, rule, now)
        return Outcome(grant, now, grant.duration)
    known = await store.grant(request.extends)
    verdict = _judge_more(policy, as_ask(request, request.requester), rule, (known, now))
    if known is None or not verdict.allowed:
        raise Stale(f"{ref(request.extends)} has moved on.")
    return prolonged(replace(known, review=known.review or rule.review), request, now)


def prolonged(grant: Grant, request: Request, now: datetime) -> Outcome:
    """The grant with its new end. The least that an approver allows counts."""
    more = min([request.duration, *(vote.shorter for vote in request.votes if vote.shorter)])
    moved = replace(extended(grant, more, now), state=step(GRANT, grant.state, GrantStep.EXTEND))
    by = request.votes[-1].by if request.votes else None
    event = GrantExtended(
        at=now, ref=grant.ref, by=by, extension=request.ref, was=grant.expires_at, expires_at=moved.expires_at
    )
    return Outcome(moved, now, more, (event,))


async def close_extensions(custody: Custody, grant: Grant) -> None:
    """What waits to prolong a grant that has ended is over too."""
    for request in await custody.store.open_requests(grant.requester.id):
        if request.extends == grant.number:
            await close_extension(custody.store, request, custody.clock.now())


async def close_extension(store: Store, request: Request, now: datetime) -> Request:
    """As it is then: nothing is done where it has been decided."""
    if request.extends is None or request.state is not RequestState.PENDING:
        return request
    why = f"{ref(request.extends)} has ended, so there is nothing to prolong."
    state = step(REQUEST, request.state, RequestStep.CANCEL)
    closed = replace(request, state=state, decided_at=now, due_at=None, note=why)
    try:
        await store.commit(Change(requests=(closed,), events=(RequestCancelled(at=now, ref=request.ref, why=why),)))
    except Stale:
        return request
    return closed
