"""`/prodaccess break-glass …`: asked once more in a form that says what will happen, and then done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.errors import BadInput, Refused
from access.model import Ask, Grant, GrantState, Person, Request
from access.policy import Policy, Rule
from access.ports import PolicySource, Store
from bot.acts.answers import Answers, sentence
from bot.acts.asking import ticket_patterns
from bot.acts.command import Verb
from bot.acts.commanding import DoesVerb
from bot.acts.gate import Act
from bot.look.blocks import Message
from bot.look.forms import Draft, read_form
from bot.look.glass_forms import glass_form
from bot.look.letters import command
from bot.look.modal import form_note
from bot.look.words import at, escaped

_SOME = timedelta(minutes=15)  # what an ask that is refused anyway is written down with, where none was typed
_MOST_LISTED = 10


@dataclass(frozen=True)
class BreakingGlass:
    """What nobody has to approve is never done by a slip: the form is the second look."""

    client: AsyncWebClient
    broker: Broker
    policies: PolicySource
    store: Store
    answers: Answers
    slash: str
    cli: str

    def verbs(self) -> dict[str, DoesVerb]:
        return {"break-glass": self.typed}

    async def typed(self, act: Act, verb: Verb) -> None:
        """Opens the form; whoever is not named for it is refused, and that is written down."""
        glass, draft = self.broker.glass, verb.draft
        if not draft.target:
            raise BadInput(await self._which(act.by))
        if held := await glass.held(act.by):
            raise Refused(held.why)
        target, role = await glass.read_names(act.by, draft.target, draft.role)
        rule = self.policies.current().rule(target, role)
        told = await glass.who_is_told(act.by, target, role) if rule else ()
        if rule is None or rule.break_glass is None or not await self._is_offered(act.by, rule):
            raise await glass.refuse(_ask(act.by, (target, role), draft, f"slash:{act.trigger}"))
        view = glass_form(rule, rule.break_glass, draft, told, act.where.response_url)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def submit(self, act: Act) -> None:
        """The form's answer: it closes, or the refusal stands in its field."""
        policy, (_, pressed) = self.policies.current(), form_note(str(act.view.get("private_metadata") or ""))
        draft = read_form(act.view, ticket_patterns(policy))
        if draft.duration is None:
            raise BadInput("Say for how long.", field="duration")
        ask = _ask(act.by, _named(pressed), draft, f"glass:{act.view.get('id')}")
        taken = await self.broker.glass.take(ask)
        await self.answers.tell(act.where, done(taken, await self.store.grant(taken.number), self.cli))

    async def _is_offered(self, person: Person, rule: Rule) -> bool:
        return rule in await self._offers(person)

    async def _offers(self, person: Person) -> tuple[Rule, ...]:
        policy: Policy = self.policies.current()
        return policy.glass_offers(person, await self.broker.facts(policy))

    async def _which(self, person: Person) -> str:
        offers = (await self._offers(person))[:_MOST_LISTED]
        if not offers:
            return "There is no glass that the policy lets you break. It names the people who may, for each role."
        theirs = ", ".join(f"{rule.target}/{rule.role}" for rule in offers)
        example = f"{self.slash} break-glass {offers[0].target}/{offers[0].role} 15m because nobody answers"
        return f"Say what for: `{example}`. You can for {theirs}."


def done(taken: Request, grant: Grant | None, cli: str) -> Message:
    """What whoever broke it sees."""
    what = f"{taken.ref} · *{escaped(f'{taken.target} · {taken.role}', 200)}*"
    review = "Somebody else reviews it; before that you cannot ask for anything."
    if grant is None or grant.state is GrantState.FAILED:
        return sentence(f"{what} could not be opened; no access was given. The thread says why. You can try again.")
    if grant.state is not GrantState.ACTIVE:
        return sentence(f"{what} is being opened. {review}")
    usage = command(grant.ref, grant, cli)
    return sentence(f"{what} is yours until {at(grant.expires_at)}. In your own terminal:\n`{usage}`\n{review}")


def _ask(by: Person, what: tuple[str, str], draft: Draft, key: str) -> Ask:
    return Ask(by, *what, draft.duration or _SOME, draft.reason, draft.ticket, key, glass=True)


def _named(pressed: str) -> tuple[str, str]:
    """Target and role of a form of ours; it is judged again, so nothing of it is believed. Raises BadInput."""
    try:
        target, role = json.loads(pressed)
    except (ValueError, TypeError):
        raise BadInput("This form is not one of ours any more. Type the command again.") from None
    return str(target), str(role)
