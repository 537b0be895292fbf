"""Asking: the command and the form become an `Ask`; a refusal comes back where it can be mended."""

from __future__ import annotations

import difflib
import html
from dataclasses import dataclass, replace

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.duration import in_words
from access.errors import BadInput, NotFound, Refused
from access.model import Ask, Person, Request, RequestState
from access.policy import Facts, Policy, Rule
from access.ports import PolicySource
from bot.acts.answers import Answers
from bot.acts.command import as_typed, nearest_verb
from bot.acts.gate import Act
from bot.look.blocks import Button, Message, actions, section
from bot.look.forms import Draft, button_value, read_form
from bot.look.modal import Offers, Problem, ask_form, form_note
from bot.look.names import CANCEL, FILL_IN, MEANT, WHO, WHY_NOT
from bot.look.words import by_rule, escaped, listed, who_decides
from bot.slack.people import code

_LONGEST_VALUE = 2000  # characters that a button can carry
_LONGEST_LABEL = 75
_GONE = ("not_found", "hash_conflict")  # closed, or already drawn anew by a later choice


@dataclass(frozen=True)
class Asking:
    """`/prodaccess …` and the request form."""

    client: AsyncWebClient
    broker: Broker
    policies: PolicySource
    answers: Answers

    async def ask(self, act: Act, draft: Draft, key: str) -> None:
        """Submits what is complete; opens the form, filled in as far as possible, for the rest.

        `key` is the same for the same act.
        """
        policy = self.policies.current()
        facts = await self.broker.facts(policy)
        offers = offers_of(policy, act.by, facts)
        if not offers.rules and not draft.target:
            raise Refused("There is nothing here that you may ask for. The owners of the policy decide who may.")
        draft, problem = settled(draft, policy, act.by, facts)
        if problem is None and draft.target and not offers.roles(draft.target):
            await self._unknown(act, draft, key, nearest=policy.nearest(draft.target, act.by, facts))
            return
        rule = offers.chosen(draft)
        if rule is None or problem is not None:
            await self._open(act, offers, draft, problem)
            return
        draft = _filled(draft, rule)
        ask = _ask(draft, act.by, key)
        verdict = policy.judge_ask(ask, facts)
        if verdict.allowed:
            await self._ask_or_explain(act, ask, draft)
        else:
            await self._open(act, offers, draft, Problem(verdict.field, verdict.why))

    async def open(self, act: Act, draft: Draft) -> None:
        """The form, with as much of the draft as can stand in it."""
        policy = self.policies.current()
        facts = await self.broker.facts(policy)
        draft, problem = settled(draft, policy, act.by, facts)
        await self._open(act, offers_of(policy, act.by, facts), draft, problem)

    async def _unknown(self, act: Act, draft: Draft, key: str, nearest: str | None) -> None:
        """Offers the nearest; where nothing is near, the broker refuses it, and writes the attempt down."""
        meant = did_you_mean(draft, nearest, act.text)
        if meant is not None:
            await self.answers.tell(act.where, meant)
            return
        names = [rule.target for rule in (await self._offers(act.by)).targets()][:10]
        theirs = f" You can ask for {listed(names)}." if names else ""
        if draft.duration is None:  # not yet an ask that could be written down
            raise NotFound(f"There is no “{draft.target[:60]}” that you can ask for.{theirs}")
        try:
            await self._ask(act, _ask(replace(draft, role=draft.role or "any role"), act.by, key))
        except Refused as refused:
            raise Refused(f"{refused}{theirs}", rule=refused.rule) from refused

    async def _open(self, act: Act, offers: Offers, draft: Draft, problem: Problem | None) -> None:
        view = ask_form(offers, draft, act.where.response_url, problem)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def choose(self, act: Act) -> None:
        """Another target or role was chosen: the form is drawn anew, with what was typed kept."""
        draft = read_form(act.view)
        offers = await self._offers(act.by)
        view = ask_form(offers, draft, form_note(str(act.view.get("private_metadata") or ""))[0])
        try:
            await self.client.views_update(view_id=act.view["id"], hash=act.view["hash"], view=view)
        except SlackApiError as error:
            if code(error) not in _GONE:
                raise

    async def submit(self, act: Act) -> None:
        """The form's answer: it closes, or the refusal stands in its field."""
        policy = self.policies.current()
        draft = read_form(act.view, ticket_patterns(policy))
        rule = (await self._offers(act.by)).chosen(draft)
        filled = _filled(draft, rule) if rule else draft
        await self._ask(act, _ask(filled, act.by, f"form:{act.view.get('id')}"))

    async def _ask_or_explain(self, act: Act, ask: Ask, draft: Draft) -> None:
        """A refusal that comes only now, with the way to its reasons."""
        try:
            await self._ask(act, ask)
        except Refused as refused:
            if not refused.rule:
                raise
            await self.answers.tell(act.where, with_reasons(refused, draft))

    async def _ask(self, act: Act, ask: Ask) -> None:
        request = await self.broker.ask(ask)
        policy = self.policies.current()
        facts = await self.broker.facts(policy, request.target, request.role)
        rule = policy.rule_for(request, facts)
        deciders = policy.deciders(rule, request.requester, facts) if rule else ()
        await self.answers.tell(act.where, asked(request, deciders))

    async def _offers(self, person: Person) -> Offers:
        policy = self.policies.current()
        return offers_of(policy, person, await self.broker.facts(policy))


def asked(request: Request, deciders: tuple[str, ...]) -> Message:
    """What the asker sees: what was asked for, and who decides."""
    what = f"*{escaped(request.target)} · {escaped(request.role)}* for {in_words(request.duration)}"
    if request.state is RequestState.APPROVED and not request.approvals_needed:
        text = f"{request.ref}: {what}. {by_rule(request.rule)}"
        return Message(text, (section(text),))
    text = f"{request.ref}: asked for {what}. {who_decides(deciders, request.approvals_needed)}"
    value = button_value(request)
    return Message(text, (section(text), actions(Button("Who can?", WHO, value), Button("Cancel", CANCEL, value))))


def with_reasons(refused: Refused, draft: Draft) -> Message:
    """The refusal, and a button that shows what is met and what is missing."""
    text = escaped(str(refused))
    about = as_typed(replace(draft, reason=""))
    return Message(text, (section(text), actions(Button("Why can't I?", WHY_NOT, about))))


def offers_of(policy: Policy, person: Person, facts: Facts) -> Offers:
    return Offers(policy.offers(person, facts), lambda rule: policy.deciders(rule, person, facts))


def ticket_patterns(policy: Policy) -> tuple[str, ...]:
    """What looks like a ticket anywhere in this policy."""
    return tuple(dict.fromkeys(rule.ticket_pattern for rule in policy.rules))


def settled(draft: Draft, policy: Policy, person: Person, facts: Facts) -> tuple[Draft, Problem | None]:
    """The typed target and role as the policy writes them, or what is wrong with the role and the nearest to it."""
    target = policy.target_named(draft.target, person, facts) if draft.target else None
    if target is None:
        return draft, None
    roles = [rule.role for rule in policy.offers(person, facts) if rule.target == target]
    role = next((role for role in roles if role.lower() == draft.role.lower()), "")
    if draft.role and not role:
        near = next(iter(difflib.get_close_matches(draft.role.lower(), roles, n=1, cutoff=0.6)), "")
        why = f"There is no “{draft.role[:60]}” here that you can ask for.{' This is the nearest.' if near else ''}"
        return replace(draft, target=target, role=near), Problem("role", why)
    return replace(draft, target=target, role=role), None


def did_you_mean(draft: Draft, nearest: str | None, typed: str) -> Message | None:
    """The nearest target, and the nearest verb, each as a button that does it; None where nothing is near."""
    verb = nearest_verb(draft.target)
    meant = [as_typed(replace(draft, target=nearest))] if nearest else []
    if verb:
        meant.append(" ".join([verb, *typed.split(maxsplit=1)[1:]]))
    fits = [text for text in meant if len(text) <= _LONGEST_VALUE]
    if not fits:
        return None
    text = f"There is no “{escaped(draft.target, 60)}” that you can ask for. Did you mean this?"
    buttons = [Button(_shortened(html.unescape(text)), MEANT, text) for text in fits]
    buttons += [Button("Open the form", FILL_IN, fits[0])] if nearest and fits[0] == meant[0] else []
    return Message(text, (section(text), actions(*buttons)))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def _filled(draft: Draft, rule: Rule) -> Draft:
    return replace(draft, role=rule.role, duration=draft.duration or rule.default)


def _ask(draft: Draft, by: Person, key: str) -> Ask:
    if draft.duration is None:
        raise BadInput("Choose how long.", field="duration")
    return Ask(by, draft.target, draft.role, draft.duration, draft.reason, draft.ticket, key)
