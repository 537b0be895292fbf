"""Calling people to a decision: who is asked first, who joins and when, who is called once more.

`Request.due_at` is the next moment to call somebody. Whoever may decide without being asked is left in peace. A call is
an audit entry first, and is told to people from there: so nobody is called twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.duration import in_words
from access.errors import Stale
from access.events import Event, RequestEscalated, RequestExpired, RequestReminded
from access.evidence.knowing import Knowing
from access.evidence.voters import still_here
from access.lifecycle import REQUEST, RequestStep, step
from access.model import Request, RequestState
from access.policy import Facts, Policy, Rule, Standing
from access.policy.deciding import is_open
from access.ports import Change, Clock, People, PolicySource, Store
from access.requesting.progress import stages

ASK_AGAIN = timedelta(minutes=1)  # until a group is looked up again of which nobody could say who is in it


def called_first(request: Request, policy: Policy, facts: Facts) -> Request:
    """A new request with those who are asked at once, and the moment of the first look."""
    standing = policy.standing(request, (), facts)
    asked = replace(request, asked=policy.accounts_of(frozenset(standing.asked)))
    return replace(asked, due_at=next_look(asked, standing, request.created_at))


def called_after(
    voted: Request, policy: Policy, standing: Standing, now: datetime
) -> tuple[Request, tuple[RequestEscalated, ...]]:
    """With those whose turn it is after a vote that was not the last one."""
    joining = _joining(voted, policy, standing)
    asked = replace(voted, asked=(*voted.asked, *joining))
    moved = replace(asked, due_at=next_look(asked, standing, now))
    return moved, (_escalated(moved, joining, _settled(standing), now),) if joining else ()


def next_look(request: Request, standing: Standing, now: datetime) -> datetime:
    """When somebody joins or is called again, when a group is to be looked up again, or when it lapses."""
    moments = [later.at for later in standing.next if later.at is not None]
    if request.reminded_at is None:
        moments.append(reminder_of(request))
    if standing.unknown:
        moments.append(now + ASK_AGAIN)
    return min([moment for moment in moments if moment > now], default=request.lapses_at)


def reminder_of(request: Request) -> datetime:
    """Halfway through the time to decide."""
    return request.created_at + (request.lapses_at - request.created_at) / 2


@dataclass(frozen=True)
class Calling:
    """What is done when a request is due."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    knowing: Knowing

    async def look(self, number: int) -> None:
        """Call whoever is to be called by now, or close what nobody decided. Harmless when it has moved on."""
        request, now = await self.store.request(number), self.clock.now()
        if request is None or request.due_at is None or request.due_at > now:
            return
        try:
            if request.lapses_at <= now:
                await self._lapse(request, now)
            else:
                await self._call(request)
        except Stale:
            return

    async def _lapse(self, request: Request, now: datetime) -> None:
        state = step(REQUEST, request.state, RequestStep.TIME_OUT)
        moved = replace(request, state=state, decided_at=now, due_at=None)
        await self.store.commit(Change(requests=(moved,), events=(RequestExpired(at=now, ref=request.ref),)))

    async def _call(self, request: Request) -> None:
        policy = self.policies.current()
        facts = await self.knowing.facts(policy.look_ups(request.target, request.role))
        votes = await still_here(self.people, request.votes, for_calling=True)
        standing = policy.standing(request, votes, facts)
        moved, events = _called(request, policy, standing, facts)
        await self.store.commit(Change(requests=(moved,), events=events))


def _called(request: Request, policy: Policy, standing: Standing, facts: Facts) -> tuple[Request, tuple[Event, ...]]:
    assert facts.now is not None and request.state is RequestState.PENDING  # noqa: PT018 (what is due is pending)
    now, rule = facts.now, policy.rule_for(request, facts)
    joining = _joining(request, policy, standing)
    events: list[Event] = []
    moved = replace(request, state=step(REQUEST, request.state, RequestStep.CALL))
    if request.reminded_at is None and reminder_of(request) <= now and not standing.met:
        moved = replace(moved, reminded_at=now)
        events += _reminded(request, policy, standing, now)
    if joining and rule is not None:
        moved = replace(moved, asked=(*moved.asked, *joining))
        escalated = _escalated(moved, joining, _why(rule, request, facts), now)
        events.append(replace(escalated, stages=stages(policy, request, standing, facts)))
    return replace(moved, due_at=next_look(moved, standing, now)), tuple(events)


def _reminded(request: Request, policy: Policy, standing: Standing, now: datetime) -> list[RequestReminded]:
    """To those who were asked and can still decide; where nobody can at all, that is what is said."""
    asked = policy.accounts_of(frozenset(standing.asked))
    voted = policy.accounts_of(frozenset(policy.today(vote.by).name for vote in request.votes))
    waiting = set(request.asked if standing.unknown else asked) - set(voted)
    to = tuple(account for account in request.asked if account in waiting)
    if asked and not to:
        return []  # they join right now, and are called for the first time
    return [RequestReminded(at=now, ref=request.ref, to=to, why="" if to else _stuck(request, standing))]


def _stuck(request: Request, standing: Standing) -> str:
    if not standing.rule:
        return f"The policy no longer knows {request.target} · {request.role}."
    if standing.unknown:
        return standing.unknown[0]
    return "Nobody is left who could approve it." if not standing.next else "Its approvers are asked later."


def _joining(request: Request, policy: Policy, standing: Standing) -> tuple[str, ...]:
    asked = policy.accounts_of(frozenset(standing.asked))
    return tuple(account for account in asked if account not in request.asked)


def _escalated(request: Request, joining: tuple[str, ...], why: str, now: datetime) -> RequestEscalated:
    return RequestEscalated(at=now, ref=request.ref, to=joining, why=why)


def _settled(standing: Standing) -> str:
    done = [f"{stage.needed} of {', '.join(stage.names)}" for stage in standing.stages if stage.met]
    return f"Approved so far: {'; '.join(done)}." if done else "They can decide it now."


def _why(rule: Rule, request: Request, facts: Facts) -> str:
    """Those who stand in for others have waited; somebody else came on call, or into a group."""
    waited = [part for part in rule.parts if part.after and is_open(part, request, facts)]
    names = sorted({name for part in waited for name in part.by})
    if not waited:
        return "They can decide it now."
    longest = max(part.after for part in waited)
    return f"Nobody has decided it for {in_words(longest)}; {', '.join(names)} can decide it too."
