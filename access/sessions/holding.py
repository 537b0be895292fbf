"""Letting a single statement or command run, or not, while its session waits: by those who may approve its grant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.broker import Broker
from access.errors import NotFound, Refused, Stale, TooLate, Unavailable
from access.events import StatementAllowed, StatementRefused
from access.evidence.looked import lines
from access.granting.custody import Custody
from access.model import Grant, GrantState, Person, Request
from access.policy import Policy, Watch
from access.ports import Change, SessionStore
from access.sessions.ending import parse_session
from access.sessions.model import Held, HeldState

GRACE = timedelta(seconds=10)  # after its time, or since it was let run, its gateway says no more what became of it
NOBODY = "Nobody waits for it any more."
MOST_ASKED = 20  # people who are written to about one statement; the thread tells all others
_RACES = 5
_NONE = "There is no such statement that you may see."


def parse_held(text: str) -> tuple[int, int, int]:
    """`PA-7-2.3` as the grant's number, the session's and its own. Raises BadInput."""
    session, _, n = text.strip().rpartition(".")
    grant, number = parse_session(session or text)
    return grant, number, int(n) if n.isascii() and n.isdecimal() and len(n) < 10 else 0


def watch_of(policy: Policy, request: Request | None, grant: Grant) -> Watch:
    """What is looked out for in a grant's sessions: by the rule of its asking; where that is gone, by all of its role.

    Whoever broke the glass is not kept waiting for people who do not answer: it is flagged, and reviewed afterwards.
    """
    rules = policy.rules_of(grant.target, grant.role)
    own = [rule for rule in rules if request is not None and rule.name == request.rule]
    found = [rule.watch for rule in own or rules]
    if not found:
        return Watch()
    whole = Watch(
        frozenset[str]().union(*(watch.flag for watch in found)), frozenset[str]().union(*(w.hold for w in found)),
        min(watch.hold_for for watch in found), min(watch.bulk for watch in found),
    )  # fmt: skip
    return replace(whole, hold=frozenset()) if grant.glass else whole


@dataclass(frozen=True, slots=True)
class Called:
    """Who is asked, by Slack id, and by which rule."""

    to: tuple[str, ...]
    rule: str
    policy_hash: str


@dataclass(frozen=True)
class Asked:
    """Whom a gateway asks."""

    custody: Custody

    async def of(self, grant: Grant) -> Called:
        """As far as it is known who they are. Raises Unavailable."""
        custody = self.custody
        policy, request = custody.policies.current(), await custody.store.request(grant.number)
        if request is None:
            raise Unavailable("The request of this grant is not there.")
        facts = await custody.knowing.facts(policy.look_ups(grant.target, grant.role))
        rule = policy.rule_for(request, facts)
        if rule is None:
            return Called((), "", policy.hash)
        names = policy.deciders(rule, request.requester, facts)
        return Called(policy.accounts_of(frozenset(names))[:MOST_ASKED], rule.name, policy.hash)


@dataclass(frozen=True)
class Deciding:
    """For every face. One yes of anybody who may approve the grant is enough; never the requester's own."""

    broker: Broker
    sessions: SessionStore

    async def waiting(self, by: Person) -> tuple[Held, ...]:
        """What waits now of what this person may see."""
        found = []
        for held in await self.sessions.waiting():
            try:
                await self.broker.see(held.grant, by)
            except NotFound:
                continue
            if held.standing is HeldState.WAITING:
                found.append(held)
        return tuple(found)

    async def one(self, held_id: str, by: Person) -> Held:
        """For its requester, its approvers and admins. Raises BadInput, NotFound."""
        grant, session, n = parse_held(held_id)
        await self.broker.see(grant, by)
        found = await self.sessions.held([(grant, session, n)])
        if not found:
            raise NotFound(_NONE)
        return found[0]

    async def decide(self, held_id: str, by: Person, *, allow: bool) -> Held:
        """Once. Raises BadInput, NotFound, Refused, TooLate, Unavailable."""
        for _ in range(_RACES):
            held = await self.one(held_id, by)
            try:
                return await self._decide(held, by, allow=allow)
            except Stale:
                continue
        raise TooLate(f"{held_id} changes too fast. Look at it again.")

    async def _decide(self, held: Held, by: Person, *, allow: bool) -> Held:
        request = await self._still_waits(held)
        policy, person, rule, facts = await self.broker.entitled(request, by, "allow" if allow else "refuse")
        if policy.same_person(person, request.requester):
            raise Refused("Nobody lets their own statement run.", rule=rule.name)
        now = facts.now or self.broker.clock.now()
        if held.lapses_at <= now:
            raise TooLate(f"{held.id} has waited too long: it was refused.")
        moved = replace(held, state=held.state if allow else HeldState.REFUSED, by=person, at=now)
        event = StatementAllowed(
            at=now, ref=held.ref, by=person, session=held.session_id, held=held.id, rule=rule.name,
            policy_hash=policy.hash, looked=lines(facts),
        ) if allow else StatementRefused(
            at=now, ref=held.ref, by=person, session=held.session_id, held=held.id, rule=rule.name,
            policy_hash=policy.hash, looked=lines(facts), why=f"{person.name} has refused it.",
        )  # fmt: skip
        await self.broker.knowing.commit(self.broker.store, Change(held=(moved,), events=(event,)), facts)
        return moved

    async def _still_waits(self, held: Held) -> Request:
        if held.standing is not HeldState.WAITING:
            who = f" by {held.by.name}" if held.by else ""
            raise TooLate(f"{held.id} is already {held.standing}{who}.")
        grant, request = await self.broker.store.grant(held.grant), await self.broker.store.request(held.grant)
        session = await self.sessions.session(held.grant, held.session)
        if grant is None or request is None or session is None:
            raise NotFound(_NONE)
        if grant.state is not GrantState.ACTIVE or session.closed_at is not None:
            raise TooLate(f"Nobody waits for {held.id} any more: {held.session_id} has ended.")
        return request


@dataclass(frozen=True)
class Left:
    """What a gateway held that has been killed since: closed, so that nobody decides about nothing."""

    custody: Custody
    sessions: SessionStore

    async def close(self) -> None:
        """A chore. Raises Unavailable."""
        now = self.custody.clock.now()
        for held in await self.sessions.waiting():
            session = await self.sessions.session(held.grant, held.session)
            due = (held.at or held.lapses_at) + GRACE
            if due < now or session is None or session.closed_at is not None:
                await self.custody.try_commit(refused(held, NOBODY, now))


def refused(held: Held, why: str, now: datetime) -> Change:
    """By itself; whoever had let it run has not refused it."""
    event = StatementRefused(at=now, ref=held.ref, session=held.session_id, held=held.id, why=why)
    return Change(held=(replace(held, state=HeldState.REFUSED, by=None, at=now),), events=(event,))
