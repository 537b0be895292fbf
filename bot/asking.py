"""Asking: the command and the form become an `Ask`; a refusal comes back where it can be mended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.duration import in_words
from access.errors import BadInput, Refused
from access.model import Ask, Person, Request
from access.policy import Policy, Rule
from access.ports import PolicySource
from bot.answers import Answers
from bot.blocks import Button, Message, actions, section
from bot.forms import Draft, Verb, button_value, read_command, read_form
from bot.gate import Act
from bot.modal import Offers, Problem, ask_form, form_note
from bot.names import CANCEL, WHO
from bot.people import code
from bot.words import escaped, listed, who_decides

_GONE = ("not_found", "hash_conflict")  # closed, or already drawn anew by a later choice


@dataclass(frozen=True)
class Asking:
    """`/prodaccess …` and the request form."""

    client: AsyncWebClient
    broker: Broker
    policies: PolicySource
    answers: Answers

    async def command(self, act: Act) -> None:
        """Submits what is complete; opens the form, filled in as far as possible, for the rest."""
        policy = self.policies.current()
        draft = read_command(act.text, ticket_patterns(policy))
        if isinstance(draft, Verb):
            raise BadInput(f"`{draft.name}` is not known here.")
        offers = offers_of(policy, act.by)
        if not offers.rules and not draft.target:
            raise Refused("There is nothing here that you may ask for. The owners of the policy decide who may.")
        draft, problem = settled(draft, policy, act.by)
        rule = offers.chosen(draft)
        if draft.target and rule is None:
            await self._ask_for_unknown(act, draft, offers)
        elif rule is None or problem is not None:
            await self._open(act, offers, draft, problem)
        else:
            await self._ask_or_open(act, offers, _filled(draft, rule))

    async def _ask_or_open(self, act: Act, offers: Offers, draft: Draft) -> None:
        ask = _ask(draft, act.by, f"slash:{act.trigger}")
        verdict = self.policies.current().judge_ask(ask)
        if verdict.allowed:
            await self._ask(act, ask)
        else:
            await self._open(act, offers, draft, Problem(verdict.field, verdict.why))

    async def _ask_for_unknown(self, act: Act, draft: Draft, offers: Offers) -> None:
        """Nothing near it is theirs: the broker refuses it, and writes the attempt down."""
        draft = replace(draft, role=draft.role or "any role")
        try:
            await self._ask(act, _ask(draft, act.by, f"slash:{act.trigger}"))
        except Refused as refused:
            names = [rule.target for rule in offers.targets()][:10]
            theirs = f" You can ask for {listed(names)}." if names else ""
            raise Refused(f"{refused}{theirs}", rule=refused.rule) from refused

    async def _open(self, act: Act, offers: Offers, draft: Draft, problem: Problem | None) -> None:
        view = ask_form(offers, draft, act.where.response_url, problem)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def choose(self, act: Act) -> None:
        """Another target or role was chosen: the form is drawn anew, with what was typed kept."""
        draft = read_form(act.view)
        offers = offers_of(self.policies.current(), act.by)
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
        rule = offers_of(policy, act.by).chosen(draft)
        filled = _filled(draft, rule) if rule else draft
        await self._ask(act, _ask(filled, act.by, f"form:{act.view.get('id')}"))

    async def _ask(self, act: Act, ask: Ask) -> None:
        request = await self.broker.ask(ask)
        policy = self.policies.current()
        rule = policy.rule(request.target, request.role)
        await self.answers.tell(act.where, asked(request, policy.deciders(rule, request.requester) if rule else ()))


def asked(request: Request, deciders: tuple[str, ...]) -> Message:
    """What the asker sees: what was asked for, and who decides."""
    what = f"*{escaped(request.target)} · {escaped(request.role)}*"
    text = (
        f"{request.ref}: asked for {what} for {in_words(request.duration)}. "
        f"{who_decides(deciders, request.approvals_needed)}"
    )
    value = button_value(request)
    return Message(text, (section(text), actions(Button("Who can?", WHO, value), Button("Cancel", CANCEL, value))))


def offers_of(policy: Policy, person: Person) -> Offers:
    return Offers(policy.offers(person), lambda rule: policy.deciders(rule, person))


def ticket_patterns(policy: Policy) -> tuple[str, ...]:
    """What looks like a ticket anywhere in this policy."""
    return tuple(dict.fromkeys(rule.ticket_pattern for rule in policy.rules))


def settled(draft: Draft, policy: Policy, person: Person) -> tuple[Draft, Problem | None]:
    """The typed target and role as the policy writes them, or the nearest ones with a word about it."""
    if not draft.target:
        return draft, None
    target = policy.target_named(draft.target, person)
    if target is None:
        near = policy.nearest(draft.target, person)
        if near is None:
            return draft, None
        why = f"There is no “{draft.target[:60]}” that you can ask for. This is the nearest."
        return replace(draft, target=near, role=""), Problem("target", why)
    roles = {rule.role for rule in policy.offers(person) if rule.target == target}
    if draft.role and draft.role not in roles:
        return replace(draft, target=target, role=""), Problem(
            "role", f"There is no “{draft.role[:60]}” here that you can ask for."
        )
    return replace(draft, target=target), None


def _filled(draft: Draft, rule: Rule) -> Draft:
    return replace(draft, role=rule.role, duration=draft.duration or rule.default)


def _ask(draft: Draft, by: Person, key: str) -> Ask:
    if draft.duration is None:
        raise BadInput("Choose how long.", field="duration")
    return Ask(by, draft.target, draft.role, draft.duration, draft.reason, draft.ticket, key)
