"""“Why can't I?” and “Who will be asked?”: the judge's own look, in private. Who may not ask learns of no target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.duration import in_words
from access.errors import BadInput, NotFound
from access.model import Person
from access.policy import Facts, Policy
from access.policy.explaining import Explanation, explain
from access.policy.judging import Condition, Wanted
from access.ports import PolicySource
from bot.acts.answers import Answers
from bot.acts.asking import offers_of, ticket_patterns
from bot.acts.command import Verb, as_typed, read_command
from bot.acts.commanding import DoesVerb, lexicon
from bot.acts.gate import Act
from bot.look.blocks import Block, Button, Message, actions, lines, note, plain, section, word
from bot.look.forms import Draft, read_form
from bot.look.names import MEANT
from bot.look.words import at, escaped, listed, named

_MOST_ROLES = 6  # of one target, in one answer
_MOST_PEOPLE = 12
_MARKS = {True: "✓", False: "✗", None: "○"}


@dataclass(frozen=True)
class Explaining:
    """`/prodaccess why`, `/prodaccess who`, and their buttons. `show` answers where a request is named instead."""

    client: AsyncWebClient
    broker: Broker
    policies: PolicySource
    answers: Answers
    show: DoesVerb

    def verbs(self) -> dict[str, DoesVerb]:
        return {"why": self.why, "who": self.who}

    async def why(self, act: Act, verb: Verb) -> None:
        """What is met, what is missing, who is asked."""
        await self._answer(act, verb, with_conditions=True)

    async def who(self, act: Act, verb: Verb) -> None:
        """Who is asked, now and later."""
        await self._answer(act, verb, with_conditions=False)

    async def why_not(self, act: Act) -> None:
        """The button under a refusal; it carries what was asked for."""
        read = read_command(act.value, lexicon(self.policies.current(), act))
        if isinstance(read, Draft):
            await self.why(act, Verb("why", draft=read))

    async def in_form(self, act: Act) -> None:
        """The button in the form: the same, over it, for what is chosen and typed in it so far."""
        policy = self.policies.current()
        draft, facts = read_form(act.view, ticket_patterns(policy)), await self.broker.facts(policy)
        rule = offers_of(policy, act.by, facts).chosen(draft)
        role = rule.role if rule else draft.role
        told = explain(policy, _wanted(act.by, draft, role), facts)
        view = {"type": "modal", "title": plain("What it takes", 24), "close": plain("Back", 24)}
        await self.client.views_push(trigger_id=act.trigger, view={**view, "blocks": list(explained(told))})

    async def _answer(self, act: Act, verb: Verb, *, with_conditions: bool) -> None:
        if verb.number:
            await self.show(act, verb)
            return
        policy = self.policies.current()
        facts = await self.broker.facts(policy)
        if not verb.draft.target:
            raise BadInput(_which(verb.name, policy, act.by, facts))
        await self.answers.tell(act.where, _told(policy, facts, (act.by, verb), with_conditions=with_conditions))


def _which(verb: str, policy: Policy, person: Person, facts: Facts) -> str:
    names = _names(policy, person, facts)
    return f"Say what it is about: `/prodaccess {verb} {names[0] if names else 'orders-db'}`.{_theirs(names)}"


def _names(policy: Policy, person: Person, facts: Facts) -> list[str]:
    return list(dict.fromkeys(rule.target for rule in policy.offers(person, facts)))[:10]


def _theirs(names: list[str]) -> str:
    return f" You can ask for {listed(names)}." if names else ""


def _told(policy: Policy, facts: Facts, asked: tuple[Person, Verb], *, with_conditions: bool) -> Message:
    (person, verb), admin = asked, policy.is_admin(asked[0])
    draft = verb.draft
    target = policy.target_named(draft.target, person, facts)
    near = policy.nearest(draft.target, person, facts) if target is None else None
    if near is not None and not (admin and any(rule.target == draft.target for rule in policy.rules)):
        return _nearest(verb, near)
    roles = _roles(policy, facts, person, target or (draft.target if admin else ""))
    roles = [role for role in roles if role == draft.role.lower()] or ([draft.role] if draft.role else roles)
    if not roles:
        theirs = _theirs(_names(policy, person, facts))
        raise NotFound(f"There is no “{draft.target[:60]}” that you can ask for.{theirs}")
    found = [
        explain(policy, _wanted(person, draft, role, target), facts, to_admin=admin) for role in roles[:_MOST_ROLES]
    ]
    shown = [block for each in found for block in explained(each, with_conditions=with_conditions)]
    more = [note(f"And {len(roles) - _MOST_ROLES} more roles; name one.")] if len(roles) > _MOST_ROLES else []
    said = "; ".join(_verdict(each, marked=with_conditions) for each in found)
    return Message(said, (*shown, *more))


def _roles(policy: Policy, facts: Facts, person: Person, target: str) -> list[str]:
    """Those that are theirs; without any, all that there are of a target they may know of."""
    theirs = [rule.role for rule in policy.offers(person, facts) if rule.target == target]
    return theirs or list(dict.fromkeys(rule.role for rule in policy.rules if rule.target == target))


def _wanted(person: Person, draft: Draft, role: str, target: str | None = None) -> Wanted:
    return Wanted(person, target or draft.target, role, draft.duration, draft.reason or None, draft.ticket or None)


def _nearest(verb: Verb, near: str) -> Message:
    text = f"There is no “{escaped(verb.draft.target, 60)}” that you can ask for. Did you mean this?"
    typed = as_typed(Draft(near, verb.draft.role, verb.draft.duration, verb.draft.ticket))
    return Message(text, (section(text), actions(Button(f"{verb.name} {near}", MEANT, f"{verb.name} {typed}"))))


def explained(told: Explanation, *, with_conditions: bool = True) -> Iterator[Block]:
    """One role: the verdict, the conditions with ✓ and ✗, and who is asked."""
    yield section(_verdict(told, marked=with_conditions))
    if with_conditions and told.conditions:
        yield lines([_condition(condition, told.why) for condition in told.conditions[:12]])
    if told.rule:
        yield section(_who(told))
    for sentence in (*told.unknown, *(told.notes if with_conditions else ())):
        if shown := escaped(sentence):
            yield note(shown)


def _verdict(told: Explanation, *, marked: bool) -> str:
    """`marked`: whether the conditions stand under it."""
    what = f"*{escaped(told.target, 100)} · {escaped(told.role, 100)}*"
    if told.allowed:
        still = marked and any(condition.met is None for condition in told.conditions)
        return f"{what}: you can ask for it{', with what is marked ○' if still else ''}."
    return f"{what}: not like this. {escaped(told.why)}"


def _condition(condition: Condition, said: str) -> Sequence[Block]:
    """With its reason, unless that has been said already."""
    line = [word(_MARKS[condition.met]), word(condition.wants, "bold" if condition.met is False else "")]
    return [*line, word(condition.why)] if condition.met is False and condition.why not in ("", said) else line


def _who(told: Explanation) -> str:
    most = f"At most {in_words(told.maximum)}." if told.maximum else ""
    if not told.approvals:
        return f"Nobody has to approve it: it opens at once. {most}"
    asked = f"Asked at once: {_people(told.asked)}." if told.asked else "Nobody is asked at once."
    later = [f"{_when(each.at)}: {_people(each.people)}." for each in told.later[:5]]
    return " ".join([f"Needs {escaped(told.approval, 300)}.", asked, *later, most])


def _when(moment: datetime | None) -> str:
    """Without a moment it waits for somebody else's approval."""
    return f"From {at(moment)}" if moment else "Then"


def _people(people: Sequence[str]) -> str:
    shown = [named(name) for name in people[:_MOST_PEOPLE]]
    shown += [f"{len(people) - _MOST_PEOPLE} more"] if len(people) > _MOST_PEOPLE else []
    return listed(shown, "and") or "nobody"
