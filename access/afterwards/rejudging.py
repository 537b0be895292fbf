"""One recorded decision judged again: the rules are asked the same questions as then, out of the entries before it, and
what they say is laid beside what was written down. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from access.afterwards.retold import Judged, Story, Told, grant_of, readings, stand_in
from access.events import (
    ActRefused,
    ApprovalGiven,
    AskRefused,
    CredentialIntended,
    Event,
    GlassBroken,
    GrantExtended,
    GrantStarted,
    RequestApproved,
    RequestAsked,
    RequestDenied,
    ReviewClosed,
    ReviewFlagged,
)
from access.evidence.looked import NotRecorded
from access.evidence.recognising import is_in_the_file
from access.evidence.ticketing import is_asked, rule_of
from access.granting.reviews import FLAGGING, REVIEWING, UNREVIEWED, may_review
from access.granting.timing import started
from access.model import Ask, Grant, GrantState, Person, Request, Vote, parse_ref, ref
from access.policy import Facts, Policy, Rule, Verdict
from access.requesting.extending import judge_ask, prolonged, within
from access.requesting.glass import BY_DEVICE, judge
from access.requesting.making import as_ask, ask_refused, asked, new_grant, new_request

_BROKEN = re.compile(r"for (PA-[0-9]+),")  # what waits for its review, as `granting.reviews.held_up` says it
Unlike = tuple[str, object, object]  # what, as recorded, as judged again


@dataclass(frozen=True)
class Judge:
    """`told`: the entries so far. `bundles`: policies by the hash of their text."""

    told: Told
    bundles: Mapping[str, Policy]

    def judge(self, event: Event) -> tuple[Unlike, ...] | None:
        """What differs; None where nothing was decided. Raises NotRecorded."""
        judges: Mapping[type[Event], Callable[[Any], Iterator[Unlike]]] = {
            RequestAsked: self._asked,
            AskRefused: self._ask_refused,
            ApprovalGiven: self._approved,
            RequestApproved: self._opened,
            RequestDenied: self._denied,
            ActRefused: self._act_refused,
            GlassBroken: self._broken,
            ReviewFlagged: self._reviewed,
            ReviewClosed: self._reviewed,
            CredentialIntended: self._intended,
            GrantStarted: self._started,
            GrantExtended: self._extended,
        }
        judge = judges.get(type(event))
        return None if judge is None else tuple(judge(event))

    # Asking

    def _asked(self, event: RequestAsked) -> Iterator[Unlike]:
        policy = self._policy(event.policy_hash)
        ask = _as_ask(event, stand_in(event.reason))
        facts = self._facts(policy, ask, event)
        verdict = self._may_ask(policy, ask, facts)
        rule = policy.rule_named(verdict.rule)
        if not verdict.allowed or rule is None:
            yield _answer("allowed", verdict.why)
            return
        again = within(new_request(ask, policy, rule, (parse_ref(event.ref), event.at)), self._extended_by(ask))
        again_asked = asked(again, policy, rule, facts)
        yield from _unlike(event, again_asked, "rule", "approvals_needed", "deciders", "lapses_at", "stages")
        yield from _not_looked_at(rule, ask.ticket, event.snapshot, glass=event.glass)

    def _ask_refused(self, event: AskRefused) -> Iterator[Unlike]:
        if event.limit == UNREVIEWED:  # that is said before anything is judged
            yield from self._held_up(event)
            return
        policy, found = self._policy(event.policy_hash), []
        for reading in readings(event.reason):
            ask = _as_ask(event, reading)
            verdict = self._may_ask(policy, ask, self._facts(policy, ask, event))
            if verdict.allowed:
                found.append(_refused_beside_policy(event, policy, verdict))
            else:
                found.append(tuple(_unlike(event, ask_refused(ask, policy, verdict, event.at), "rule", "field")))
        yield from min(found, key=len)  # one reading of an erased text that explains it is enough

    def _held_up(self, event: AskRefused) -> Iterator[Unlike]:
        """By a broken glass of their own that waits for its review."""
        named, policy = _BROKEN.search(event.why), self._policy(event.policy_hash)
        story = self.told.story(named[1] if named else "")
        if not (story.holds_up and policy.same_person(story.request.requester, _who(event))):
            yield "the answer", event.why, "nothing of theirs waits for its review"

    def _may_ask(self, policy: Policy, ask: Ask, facts: Facts) -> Verdict:
        if ask.glass:
            return policy.judge_break_glass(ask, facts)
        return judge_ask(policy, ask, facts, self._extended_by(ask))

    def _extended_by(self, ask: Ask | Request) -> Grant | None:
        return self._grant(ref(ask.extends)) if ask.extends is not None else None

    # Deciding

    def _approved(self, event: ApprovalGiven) -> Iterator[Unlike]:
        policy, story, by = self._policy(event.policy_hash), self.told.story(event.ref), _who(event)
        facts = self._facts(policy, story.request, event)
        rule = yield from _decided(policy, story.request, by, facts)
        wanted = self._may_ask(policy, as_ask(story.request, policy.today(story.request.requester)), facts)
        if not wanted.allowed:
            yield _answer("wanted still", wanted.why)
        if any(policy.same_person(vote.by, by) for vote in story.request.votes):
            yield _answer("counted", "this person had approved already")
        if rule is None:
            return
        votes = [*_still_there(policy, story, event.counted), _vote(by, event)]
        standing = policy.standing(story.request, votes, facts)
        own = policy.same_person(by, story.request.requester)
        again = replace(event, rule=rule.name, digest=story.digest, needed=standing.needed, own_request=own)
        yield from _unlike(event, again, "rule", "digest", "needed", "own_request")
        yield from _not_looked_at(rule, story.request.ticket, event.snapshot)
        counted = tuple(voter.id for voter in standing.counted)
        if set(event.counted) != set(counted):
            yield "counted", event.counted, tuple(sorted(counted))
        if event.count != len(event.counted):
            yield "count", event.count, len(event.counted)

    def _opened(self, event: RequestApproved) -> Iterator[Unlike]:
        story = self.told.story(event.ref)
        policy, facts, rule = self._at_opening(story, event)
        if rule is None:
            yield _answer("opened", "the policy has no such rule")
            return
        grant = self._prolonged(story.request, event.at) or new_grant(story.request, rule, event.at)
        yield from _unlike(event, replace(event, provider=grant.provider, expires_at=grant.expires_at),
                           "provider", "expires_at")  # fmt: skip
        if story.request.glass:
            return  # its own entry says by what it was taken
        standing = policy.standing(story.request, _still_there(policy, story, event.approvers), facts)
        counted = tuple(sorted(voter.id for voter in standing.counted))
        if not standing.met or set(counted) != set(event.approvers):
            voters = tuple(sorted(vote.by.id for vote in story.request.votes))
            yield "approvers", event.approvers, counted if standing.met else voters

    def _prolonged(self, request: Request, at: datetime) -> Grant | None:
        grant = self._extended_by(request)
        return None if grant is None else prolonged(replace(grant, state=GrantState.ACTIVE), request, at).grant

    def _denied(self, event: RequestDenied) -> Iterator[Unlike]:
        policy, story = self._policy(event.policy_hash), self.told.story(event.ref)
        facts = self._facts(policy, story.request, event)
        rule = yield from _decided(policy, story.request, _who(event), facts)
        if rule is not None:
            yield from _unlike(event, replace(event, rule=rule.name), "rule")

    def _act_refused(self, event: ActRefused) -> Iterator[Unlike]:
        if not event.policy_hash:
            return  # the moment, the button or the ticket said no, not the policy
        story, policy = self.told.story(event.ref), self._policy(event.policy_hash)
        facts = self._facts(policy, story.request, event)
        judging = may_review if event.act in (REVIEWING, FLAGGING) else Policy.judge_decision
        verdict = judging(policy, story.request, _who(event), facts)
        if verdict.allowed and event.act == "approve":
            verdict = self._may_ask(policy, as_ask(story.request, policy.today(story.request.requester)), facts)
        if verdict.allowed:
            yield "the answer", event.why, "yes"
        yield from _unlike(event, replace(event, rule=verdict.rule), "rule")

    def _broken(self, event: GlassBroken) -> Iterator[Unlike]:
        policy, story = self._policy(event.policy_hash), self.told.story(event.ref)
        facts = self._facts(policy, story.request, event)
        verdict = judge(policy, as_ask(story.request, _who(event)), facts, event.identity)
        if not verdict.allowed:
            yield _answer("glass broken", verdict.why)
        if story.request.extends is not None:
            yield _answer("glass broken", "nothing is prolonged without approval")
        yield from _unlike(event, replace(event, rule=verdict.rule), "rule")

    def _reviewed(self, event: ReviewFlagged | ReviewClosed) -> Iterator[Unlike]:
        policy, story = self._policy(event.policy_hash), self.told.story(event.ref)
        verdict = may_review(policy, story.request, _who(event), self._facts(policy, story.request, event))
        if not verdict.allowed:
            yield _answer("entitled", verdict.why)

    # While it lasts

    def _intended(self, event: CredentialIntended) -> Iterator[Unlike]:
        grant, policy, story = self._grant(event.ref), self._policy(event.policy_hash), self.told.story(event.ref)
        verdict = policy.judge_grant(grant, _who(event), self._facts(policy, grant, event))
        if not verdict.allowed:
            yield _answer("still entitled", verdict.why)
        if event.at >= grant.expires_at:
            yield "the moment", event.at, f"too late: the deadline was {grant.expires_at}"
        rule = rule_of(policy, story.request)
        if rule is not None and not story.issued:
            yield from _not_looked_at(rule, grant.ticket, event.snapshot, glass=grant.glass)

    def _started(self, event: GrantStarted) -> Iterator[Unlike]:
        end = started(self._grant(event.ref), event.at).expires_at
        yield from _unlike(event, replace(event, expires_at=end), "expires_at")

    def _extended(self, event: GrantExtended) -> Iterator[Unlike]:
        """By what its approved request says."""
        grant, request = self._grant(event.ref), self.told.story(event.extension).request
        if request.extends != grant.number:
            yield "extension", event.extension, f"{ref(request.number)} prolongs something else"
            return
        again = prolonged(replace(grant, state=GrantState.ACTIVE), request, event.at)
        yield from _unlike(event, replace(event, was=grant.expires_at, expires_at=again.grant.expires_at),
                           "was", "expires_at")  # fmt: skip

    def _grant(self, ref: str) -> Grant:
        story = self.told.story(ref)
        if story.opened is None:
            raise NotRecorded("the opening of its grant is not among the entries before it")
        _, _, rule = self._at_opening(story, story.opened)
        if rule is None:
            raise NotRecorded("the rule that opened its grant is not in the policy")
        return grant_of(story, rule, story.opened.at)

    def _at_opening(self, story: Story, event: RequestApproved) -> tuple[Policy, Facts, Rule | None]:
        """Policy, facts and rule of the last approval; where nobody had to decide, of the opening itself."""
        last = event if event.policy_hash or story.approval is None else story.approval
        policy = self._policy(last.policy_hash or story.request.policy_hash)
        facts = self._facts(policy, story.request, last)
        rule = policy.rule_named(event.rule) if story.request.glass else policy.rule_for(story.request, facts)
        return policy, facts, rule

    def _facts(self, policy: Policy, what: Ask | Request | Grant, event: Judged) -> Facts:
        return self.told.facts(policy, (what.target, what.role), event)

    def _policy(self, digest: str) -> Policy:
        found = self.bundles.get(digest)
        if found is None:
            raise NotRecorded(f"the text of policy {digest[:12] or '(none)'} is not at hand")
        return found


def _decided(policy: Policy, request: Request, by: Person, facts: Facts) -> Generator[Unlike, None, Rule | None]:
    """Yields what differs, and returns the rule."""
    verdict = policy.judge_decision(request, by, facts)
    if not verdict.allowed:
        yield _answer("entitled", verdict.why)
    return policy.rule_for(request, facts)


def _refused_beside_policy(event: AskRefused, policy: Policy, verdict: Verdict) -> tuple[Unlike, ...]:
    """The policy says yes: then a limit said no, or the ticket's own system."""
    rule = policy.rule_named(verdict.rule)
    explained = {
        "pending": event.waiting >= policy.most_pending,
        "per_hour": event.lately >= policy.most_per_hour,
        BY_DEVICE: rule is not None and not is_in_the_file(policy, _who(event), rule),
        "": event.field == "ticket" and rule is not None and is_asked(rule, event.ticket),
    }
    return () if explained.get(event.limit) else (("the answer", event.why, "yes"),)


def _not_looked_at(rule: Rule, ticket: str, snapshot: str, *, glass: bool = False) -> Iterator[Unlike]:
    if not snapshot and not glass and is_asked(rule, ticket):
        yield "the ticket", "not looked at", f"{rule.ticket_system} had to be asked"


def _still_there(policy: Policy, story: Story, counted: tuple[str, ...]) -> tuple[Vote, ...]:
    """Earlier approvals that the entry still counts: of the others, Slack may have known that they had left."""
    today = (replace(vote, by=policy.today(vote.by)) for vote in story.request.votes)
    return tuple(vote for vote in today if vote.by.id in counted)


def _vote(voter: Person, event: Event) -> Vote:
    return Vote("", voter, event.at, "")


def _who(event: Event) -> Person:
    if event.by is None:
        raise NotRecorded("it names nobody")
    return event.by


def _as_ask(event: RequestAsked | AskRefused, reason: str) -> Ask:
    extends = parse_ref(event.extends) if event.extends else None
    return Ask(
        _who(event), event.target, event.role, event.duration, reason, event.ticket, "", extends, event.glass
    )  # fmt: skip


def _answer(recorded: str, why: str) -> Unlike:
    return "the answer", recorded, f"no: {why}"


def _unlike(recorded: Event, again: Event, *names: str) -> Iterator[Unlike]:
    for name in names:
        was, now = getattr(recorded, name), getattr(again, name)
        if was != now:
            yield name, was, now
