"""Looking back: somebody else than the requester sees what was done under a grant, and says so.

Opened with what makes it necessary, in the same transaction: a broken glass, or the end of a grant whose rule wants
it. It stays open until somebody closes it, and is called for each day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from access.errors import AccessError, NotFound, Refused, Stale, TooLate
from access.events import ActRefused, ReviewClosed, ReviewFlagged, ReviewOpened, ReviewReminded
from access.evidence.knowing import Knowing
from access.evidence.looked import lines
from access.evidence.pace import Pace
from access.granting.custody import Custody
from access.lifecycle import REVIEW, NotAllowed, ReviewStep, step
from access.model import BREAK_GLASS, BY_RULE, Grant, GrantState, Person, Request, Review, ReviewState
from access.policy import LONGEST_REASON, Facts, Policy, Rule, Verdict
from access.policy.deciding import MOST_NAMED
from access.ports import Change, PolicySource, Store

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)
UNREVIEWED = "review"  # why an ask was refused, as `AskRefused.limit` has it
REVIEWING, FLAGGING = "review", "flag"  # as `ActRefused.act` has them
PATIENCE = 2.0  # seconds that an ending waits to learn who reviews it; nobody is kept from reviewing by not being named
_RACES = 20
_OPEN = (GrantState.ISSUING, GrantState.QUARANTINE, GrantState.ACTIVE)


# Who may


def may_review(policy: Policy, request: Request, by: Person, facts: Facts) -> Verdict:
    """Whoever may decide such a request, and admins; never the requester, whatever a rule lets them approve."""
    rule = request.rule
    if policy.same_person(by, request.requester):
        return Verdict(allowed=False, rule=rule, why="Nobody reviews what they did themselves.")
    verdict = policy.judge_decision(request, by, facts)
    if verdict.allowed or policy.is_admin(by):
        return Verdict(allowed=True, rule=verdict.rule or rule, why=f"{by.name} may review {request.ref}.")
    if verdict.unknown:
        return verdict
    names = ", ".join(_some(reviewers(policy, request, facts))) or "nobody at the moment"
    return Verdict(allowed=False, rule=verdict.rule, why=f"{request.ref} is reviewed by {names}.")


def reviewers(policy: Policy, request: Request, facts: Facts) -> tuple[str, ...]:
    """By name, or by Slack id where the file has none, as far as that is known."""
    return reviewers_by(policy, policy.rule_for(request, facts), request.requester, facts)


def reviewers_by(policy: Policy, rule: Rule | None, requester: Person, facts: Facts) -> tuple[str, ...]:
    """The same, by a rule; without one the admins."""
    deciders = policy.deciders(rule, requester, facts) if rule else ()
    names = frozenset(deciders) | frozenset(policy.names_of(policy.admins, facts))
    return tuple(sorted(names - {_named(policy, requester)}))


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    """As many as a sentence names."""
    return names if len(names) <= MOST_NAMED else (*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more")


def _named(policy: Policy, person: Person) -> str:
    return policy.belonging.owner(person.slack_id) or person.slack_id


# Opening


def opening(
    grant: Grant, why: str, now: datetime, policy: Policy, asked: tuple[str, ...]
) -> tuple[Review, ReviewOpened]:
    """`asked` are names, as `reviewers` gives them."""
    review = Review(
        grant.number, grant.requester, grant.target, grant.role, why, ReviewState.OPEN, now, due_at=now + EVERY
    )
    return review, ReviewOpened(at=now, ref=grant.ref, why=why, reviewers=policy.accounts_of(frozenset(asked)))


async def at_the_end_of(custody: Custody, grant: Grant, now: datetime) -> Change:
    """The review that begins where this grant ends, if its rule wants one; a broken glass has had its own since."""
    if grant.glass or not grant.review:
        return Change()
    policy, request = custody.policies.current(), await custody.store.request(grant.number)
    facts = await _soon(custody, policy, grant)
    review, event = opening(grant, BY_RULE, now, policy, reviewers(policy, request, facts) if request else ())
    return Change(reviews=(review,), events=(event,))


async def _soon(custody: Custody, policy: Policy, grant: Grant) -> Facts:
    """An ending is never kept waiting by a directory."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await custody.knowing.facts(policy.look_ups(grant.target, grant.role))
    except TimeoutError:
        return Facts(custody.clock.now())


# What an open one holds up


@dataclass(frozen=True, slots=True)
class Held:
    """Why somebody cannot ask for anything just now."""

    review: Review
    why: str


async def held_up(store: Store, policies: PolicySource, knowing: Knowing, person: Person) -> Held | None:
    """By a broken glass of theirs that nobody has looked at yet. One that never gave access holds nobody up."""
    ids = sorted(policies.current().ids_of(person))
    found = [review for id_ in ids for review in await store.open_reviews(id_) if review.why == BREAK_GLASS]
    grants = await store.grants_by_number([review.number for review in found]) if found else {}
    for review in found:
        grant = grants.get(review.number)
        if grant is None or grant.state is not GrantState.FAILED:
            return Held(review, await _why(store, policies.current(), knowing, review))
    return None


async def _why(store: Store, policy: Policy, knowing: Knowing, review: Review) -> str:
    request = await store.request(review.number)
    facts = await knowing.facts(policy.look_ups(review.target, review.role))
    names = _some(reviewers(policy, request, facts)) if request else ()
    who = " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "nobody at the moment: ask an admin"
    return (
        f"You broke the glass for {review.ref}, and it has not been reviewed yet. "
        f"Before that you cannot ask for anything. It can be closed by {who}."
    )


# Reviewing


@dataclass(frozen=True)
class Reviews:
    """Closing, flagging, calling for them. Judged on fresh facts; every answer is an entry."""

    custody: Custody
    refusals: Pace = field(default_factory=Pace, repr=False)

    async def close(self, number: int, by: Person, note: str = "") -> Review:
        """It has been looked at. Raises NotFound, TooLate, Refused, Unavailable."""
        _must_fit(note, "note")
        return await self._settle(lambda: self._close(number, by, note))

    async def flag(self, number: int, by: Person, seen: str) -> Review:
        """Something has to be looked into; the review stays open. Raises the same."""
        if not seen.strip():
            raise Refused("Say what you saw, so that somebody can look into it.", field="note")
        _must_fit(seen, "note")
        return await self._settle(lambda: self._flag(number, by, seen))

    async def remind(self, number: int) -> None:
        """Call its reviewers again, where that is due. Harmless when it has been reviewed meanwhile."""
        review, now = await self.custody.store.review(number), self.custody.clock.now()
        if review is None or review.due_at is None or review.due_at > now:
            return
        policy, request = self.custody.policies.current(), await self.custody.store.request(number)
        facts = await self._facts(policy, review)
        names = frozenset(reviewers(policy, request, facts) if request else ())
        state = step(REVIEW, review.state, ReviewStep.CALL)
        called = replace(review, state=state, due_at=now + EVERY, reminders=review.reminders + 1)
        event = ReviewReminded(at=now, ref=review.ref, to=policy.accounts_of(names))
        await self.custody.try_commit(Change(reviews=(called,), events=(event,)))

    async def waiting_for(self, person: Person) -> tuple[Review, ...]:
        """The open ones that this person may close, oldest first."""
        found = await self.custody.store.open_reviews()
        return tuple([review for review in found if (await self.judge(review, person)).allowed])

    async def mine(self, person: Person) -> tuple[Review, ...]:
        """The open ones of what this person did, oldest first."""
        return await self.custody.store.open_reviews(person.id)

    async def names(self, review: Review) -> tuple[str, ...]:
        """Who may close it, as far as that is known: by name, or by Slack id where the policy file has none."""
        policy, request = self.custody.policies.current(), await self.custody.store.request(review.number)
        return reviewers(policy, request, await self._facts(policy, review)) if request else ()

    async def judge(self, review: Review, by: Person) -> Verdict:
        """Whether they may close it, as far as is known without asking anew. Raises NotFound."""
        policy, request = self.custody.policies.current(), await self.custody.store.request(review.number)
        if request is None:
            raise NotFound("There is no such review.")
        return may_review(policy, request, by, await self._facts(policy, review))

    # Steps

    async def _close(self, number: int, by: Person, note: str) -> Review:
        review, judge, person = await self._entitled(number, by, REVIEWING)
        if (grant := await self.custody.store.grant(number)) is not None and grant.state in _OPEN:
            raise await self._no(review, person, REVIEWING, TooLate(
                f"{review.ref} is still open. End it first, or wait until it ends: then all of it can be seen."
            ))  # fmt: skip
        now = self.custody.clock.now()
        closed = replace(review, state=step(REVIEW, review.state, ReviewStep.CLOSE), due_at=None, by=person, at=now)
        event = ReviewClosed(at=now, ref=review.ref, by=person, text=note.strip(), policy_hash=judge[0].hash)
        return await self._write(closed, event, judge[1])

    async def _flag(self, number: int, by: Person, seen: str) -> Review:
        review, judge, person = await self._entitled(number, by, FLAGGING)
        now = self.custody.clock.now()
        try:
            state = step(REVIEW, review.state, ReviewStep.FLAG)
        except NotAllowed:
            who = f" by {review.by.name}" if review.by else ""
            raise TooLate(f"{review.ref} is already flagged{who}. Close its review once it is cleared up.") from None
        told = judge[0].accounts_of(frozenset(judge[0].names_of(judge[0].admins | judge[0].auditors)))
        event = ReviewFlagged(
            at=now, ref=review.ref, by=person, text=seen.strip(), policy_hash=judge[0].hash, told=told
        )
        return await self._write(replace(review, state=state, by=person, at=now), event, judge[1])

    async def _entitled(self, number: int, by: Person, act: str) -> tuple[Review, tuple[Policy, Facts], Person]:
        store = self.custody.store
        review, request = await store.review(number), await store.request(number)
        if review is None or request is None:
            raise NotFound("There is no such review.")
        person, policy = await self.custody.people.check(by), self.custody.policies.current()
        facts = await self._facts(policy, review, fresh=True)
        verdict = may_review(policy, request, person, facts)
        if not verdict.allowed:
            raise await self._no(review, person, act, Refused(verdict.why, rule=verdict.rule), (policy, facts))
        if review.state is ReviewState.REVIEWED:
            who = f" by {review.by.name}" if review.by else ""
            raise TooLate(f"{review.ref} has already been reviewed{who}.")
        return review, (policy, facts), person

    async def _facts(self, policy: Policy, review: Review, *, fresh: bool = False) -> Facts:
        return await self.custody.knowing.facts(policy.look_ups(review.target, review.role), fresh=fresh)

    async def _write(self, review: Review, event: ReviewClosed | ReviewFlagged, facts: Facts) -> Review:
        change = Change(reviews=(review,), events=(replace(event, looked=lines(facts)),))
        await self.custody.knowing.commit(self.custody.store, change, facts)
        return review

    async def _no(
        self, review: Review, by: Person, act: str, error: AccessError, judge: tuple[Policy, Facts] | None = None
    ) -> AccessError:
        """Written down as often in an hour as one may ask."""
        policy, facts = judge or (None, Facts())
        now = self.custody.clock.now()
        if not self.refusals.counts(by.id, self.custody.policies.current().most_per_hour, now):
            log.warning("refused, and no longer written down", extra={"action": act, "by": by.id})
            return error
        event = ActRefused(
            at=now, ref=review.ref, by=by, act=act, why=str(error),
            policy_hash=policy.hash if policy else "", rule=error.rule if isinstance(error, Refused) else "",
            looked=lines(facts),
        )  # fmt: skip
        await self.custody.knowing.commit(self.custody.store, Change(events=(event,)), facts)
        return error

    async def _settle(self, act: Callable[[], Awaitable[Review]]) -> Review:
        for _ in range(_RACES):
            try:
                return await act()
            except Stale:
                continue
        raise TooLate("Too much is happening to this review at once. Look at it again.")


def _must_fit(text: str, field: str) -> None:
    if len(text) > LONGEST_REASON:
        raise Refused(f"Keep it under {LONGEST_REASON} characters.", field=field)
