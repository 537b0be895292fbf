"""Judging again what was judged: every recorded decision, out of the audit entries alone, under the policy text of its
time. The rules are asked the same questions as then, and what they say is laid beside what was written down. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from access.events import (
    ActRefused,
    ApprovalGiven,
    AskRefused,
    CredentialIntended,
    Event,
    RequestApproved,
    RequestAsked,
    RequestDenied,
)
from access.making import as_ask, ask_refused, asked, new_grant, new_request
from access.model import Ask, Grant, Person, Request, Vote, parse_ref
from access.policy import Facts, Policy, Rule
from access.retold import NotRecorded, Story, Told, readings, stand_in

_Unlike = tuple[str, object, object]  # what, as recorded, as judged again


class Recorded(Protocol):
    """One audit entry, as read back."""

    @property
    def seq(self) -> int: ...

    @property
    def event(self) -> Event: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the rules say differently today, from the same inputs."""

    seq: int
    tag: str
    ref: str
    what: str
    recorded: str
    replayed: str

    def __str__(self) -> str:
        where = " · ".join(filter(None, (f"entry {self.seq}", self.ref, self.tag)))
        return f"{where}: {self.what} was recorded as {self.recorded}; the replay says {self.replayed}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A decision that cannot be judged again out of the entries, and why."""

    seq: int
    tag: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """How many decisions were judged again, which could not be, and where the answer is another."""

    checked: int
    skipped: tuple[Skipped, ...]
    differences: tuple[Difference, ...]


def replay(entries: Iterable[Recorded], bundles: Mapping[str, Policy]) -> Report:
    """Entries in the log's order, from its beginning where possible; `bundles`: policies by the hash of their text."""
    judge, checked = _Judge(Told(), bundles), 0
    skipped: list[Skipped] = []
    differences: list[Difference] = []
    for entry in entries:
        event = entry.event
        try:
            found = judge.judge(event)
        except NotRecorded as error:
            skipped.append(Skipped(entry.seq, event.TAG, str(error)))
        else:
            checked += found is not None
            differences += (Difference(entry.seq, event.TAG, event.ref, what, _text(was), _text(now))
                            for what, was, now in found or ())  # fmt: skip
        judge.told.take(event)
    return Report(checked, tuple(skipped), tuple(differences))


@dataclass(frozen=True)
class _Judge:
    told: Told
    bundles: Mapping[str, Policy]

    def judge(self, event: Event) -> tuple[_Unlike, ...] | None:
        """What differs; None where nothing was decided. Raises NotRecorded."""
        judges: Mapping[type[Event], Callable[[Any], Iterator[_Unlike]]] = {
            RequestAsked: self._asked,
            AskRefused: self._ask_refused,
            ApprovalGiven: self._approved,
            RequestApproved: self._opened,
            RequestDenied: self._denied,
            ActRefused: self._act_refused,
            CredentialIntended: self._intended,
        }
        judge = judges.get(type(event))
        return None if judge is None else tuple(judge(event))

    # Asking

    def _asked(self, event: RequestAsked) -> Iterator[_Unlike]:
        policy = self._policy(event.policy_hash)
        ask = _as_ask(event, stand_in(event.reason))
        facts = _facts(policy, ask, event)
        verdict = policy.judge_ask(ask, facts)
        rule = policy.rule_named(verdict.rule)
        if not verdict.allowed or rule is None:
            yield _answer("allowed", verdict.why)
            return
        again = new_request(ask, policy, rule, (parse_ref(event.ref), event.at))
        yield from _unlike(
            event, asked(again, policy, rule, facts), "rule", "approvals_needed", "deciders", "lapses_at"
        )

    def _ask_refused(self, event: AskRefused) -> Iterator[_Unlike]:
        policy, found = self._policy(event.policy_hash), []
        for reading in readings(event.reason):
            ask = _as_ask(event, reading)
            verdict = policy.judge_ask(ask, _facts(policy, ask, event))
            if verdict.allowed:
                found.append(self._over_quota(event, policy))
            else:
                found.append(tuple(_unlike(event, ask_refused(ask, policy, verdict, event.at), "rule", "field")))
        yield from min(found, key=len)  # one reading of an erased text that explains the answer is enough

    def _over_quota(self, event: AskRefused, policy: Policy) -> tuple[_Unlike, ...]:
        over = {"pending": event.waiting >= policy.most_pending, "per_hour": event.lately >= policy.most_per_hour}
        return () if over.get(event.limit) else (("the answer", event.why, "yes"),)

    # Deciding

    def _approved(self, event: ApprovalGiven) -> Iterator[_Unlike]:
        policy, story, by = self._policy(event.policy_hash), self.told.story(event.ref), _who(event)
        facts = _facts(policy, story.request, event)
        rule = yield from _decided(policy, story.request, by, facts)
        wanted = policy.judge_ask(as_ask(story.request, policy.today(story.request.requester)), facts)
        if not wanted.allowed:
            yield _answer("wanted still", wanted.why)
        if any(policy.same_person(voter, by) for voter in story.voters):
            yield _answer("counted", "this person had approved already")
        if rule is None:
            return
        votes = [_vote(voter, event) for voter in (*_still_there(policy, story, event.counted), by)]
        standing = policy.standing(story.request, votes, facts)
        own = policy.same_person(by, story.request.requester)
        again = replace(event, rule=rule.name, digest=story.digest, needed=standing.needed, own_request=own)
        yield from _unlike(event, again, "rule", "digest", "needed", "own_request")
        counted = tuple(voter.id for voter in standing.counted)
        if set(event.counted) != set(counted):
            yield "counted", event.counted, tuple(sorted(counted))
        if event.count != len(event.counted):
            yield "count", event.count, len(event.counted)

    def _opened(self, event: RequestApproved) -> Iterator[_Unlike]:
        story = self.told.story(event.ref)
        policy = self._policy(story.approved_under or story.request.policy_hash)
        facts = _facts(policy, story.request, event)
        rule = policy.rule_for(story.request, facts)
        if rule is None:
            yield _answer("opened", "the policy has no such rule")
            return
        grant = new_grant(story.request, rule, event.at)
        yield from _unlike(event, replace(event, provider=grant.provider, expires_at=grant.expires_at),
                           "provider", "expires_at")  # fmt: skip
        votes = [_vote(voter, event) for voter in _still_there(policy, story, event.approvers)]
        standing = policy.standing(story.request, votes, facts)
        counted = tuple(sorted(voter.id for voter in standing.counted))
        if not standing.met or set(counted) != set(event.approvers):
            yield (
                "approvers",
                event.approvers,
                tuple(sorted(v.id for v in story.voters)) if not standing.met else counted,
            )

    def _denied(self, event: RequestDenied) -> Iterator[_Unlike]:
        policy, story = self._policy(event.policy_hash), self.told.story(event.ref)
        rule = yield from _decided(policy, story.request, _who(event), _facts(policy, story.request, event))
        if rule is not None:
            yield from _unlike(event, replace(event, rule=rule.name), "rule")

    def _act_refused(self, event: ActRefused) -> Iterator[_Unlike]:
        if not event.policy_hash:
            return  # the moment or the button said no, not the policy
        story, policy = self.told.story(event.ref), self._policy(event.policy_hash)
        facts = _facts(policy, story.request, event)
        verdict = policy.judge_decision(story.request, _who(event), facts)
        if verdict.allowed and event.act == "approve":
            verdict = policy.judge_ask(as_ask(story.request, policy.today(story.request.requester)), facts)
        if verdict.allowed:
            yield "the answer", event.why, "yes"
        yield from _unlike(event, replace(event, rule=verdict.rule), "rule")

    # Collecting

    def _intended(self, event: CredentialIntended) -> Iterator[_Unlike]:
        grant, policy = self._grant(event.ref), self._policy(event.policy_hash)
        verdict = policy.judge_grant(grant, _who(event), _facts(policy, grant, event))
        if not verdict.allowed:
            yield _answer("still entitled", verdict.why)
        if event.at >= grant.expires_at:
            yield "the moment", event.at, f"too late: the deadline was {grant.expires_at}"

    def _grant(self, ref: str) -> Grant:
        story = self.told.story(ref)
        policy = self._policy(story.approved_under or story.request.policy_hash)
        if story.opened_at is None:
            raise NotRecorded("the opening of its grant is not among the entries before it")
        rule = policy.rule_for(story.request, Facts(story.opened_at))
        if rule is None:
            raise NotRecorded("the rule that opened its grant is not in the policy")
        return new_grant(story.request, rule, story.opened_at)

    def _policy(self, digest: str) -> Policy:
        found = self.bundles.get(digest)
        if found is None:
            raise NotRecorded(f"the text of policy {digest[:12] or '(none)'} is not at hand")
        return found


def _decided(policy: Policy, request: Request, by: Person, facts: Facts) -> Generator[_Unlike, None, Rule | None]:
    """Yields what differs, and returns the rule."""
    verdict = policy.judge_decision(request, by, facts)
    if not verdict.allowed:
        yield _answer("entitled", verdict.why)
    return policy.rule_for(request, facts)


def _facts(policy: Policy, what: Ask | Request | Grant, event: Event) -> Facts:
    """The time of the entry. Raises NotRecorded where more had to be known."""
    if policy.look_ups(what.target, what.role):
        raise NotRecorded("who was in the groups that had to be looked up is not among the entries")
    return Facts(event.at)


def _still_there(policy: Policy, story: Story, counted: tuple[str, ...]) -> tuple[Person, ...]:
    """Earlier approvers whom the entry still counts: of the others, Slack may have known that they had left."""
    today = (policy.today(voter) for voter in story.voters)
    return tuple(voter for voter in today if voter.id in counted)


def _vote(voter: Person, event: Event) -> Vote:
    return Vote("", voter, event.at, "")


def _who(event: Event) -> Person:
    if event.by is None:
        raise NotRecorded("it names nobody")
    return event.by


def _as_ask(event: RequestAsked | AskRefused, reason: str) -> Ask:
    return Ask(_who(event), event.target, event.role, event.duration, reason, event.ticket, "")


def _answer(recorded: str, why: str) -> _Unlike:
    return "the answer", recorded, f"no: {why}"


def _unlike(recorded: Event, again: Event, *names: str) -> Iterator[_Unlike]:
    for name in names:
        was, now = getattr(recorded, name), getattr(again, name)
        if was != now:
            yield name, was, now


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"“{value}”"
