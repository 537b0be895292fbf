"""Asking for more time: the button, its form, and `/prodaccess extend PA-7 1h because …`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.duration import in_words, short
from access.errors import BadInput, NotFound, Refused, TooLate
from access.granting.timing import extendable
from access.model import Grant, Person, Request, RequestState, parse_ref, ref
from access.policy import LONGEST_TICKET
from access.ports import Clock, PolicySource, Store
from access.requesting.extending import More, is_over
from bot.acts.answers import Answers
from bot.acts.asking import ticket_patterns
from bot.acts.command import Verb
from bot.acts.commanding import DoesVerb
from bot.acts.gate import Act
from bot.look.blocks import Block, Button, Message, actions, plain, section, small
from bot.look.forms import Draft, button_value, read_form
from bot.look.modal import form_note
from bot.look.names import CANCEL, EXTEND_FORM, WHO
from bot.look.standing import named
from bot.look.words import LONGEST, at, who_decides

_USUAL = tuple(timedelta(minutes=m) for m in (5, 10, 15, 30, 60, 120, 240, 480, 720, 1440))
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Running:
    """A grant that can become longer, by so much at the most."""

    request: Request
    grant: Grant
    left: timedelta


@dataclass(frozen=True)
class Extending:
    """A request of its own comes of it; its card stands in the grant's thread."""

    client: AsyncWebClient
    broker: Broker
    policies: PolicySource
    store: Store
    clock: Clock
    answers: Answers

    def verbs(self) -> Mapping[str, DoesVerb]:
        return {"extend": self.typed}

    async def typed(self, act: Act, verb: Verb) -> None:
        """Asked at once where it is complete; else the form, filled in as far as possible."""
        draft = verb.draft
        if draft.duration is None or not draft.reason:
            await self._open(act, verb.number, draft)
        else:
            await self._ask(act, verb.number, draft, f"slash:{act.trigger}")

    async def pressed(self, act: Act) -> None:
        """The button, which names the grant."""
        await self._open(act, parse_ref(act.value), Draft())

    async def submit(self, act: Act) -> None:
        """The form's answer: it closes, or the refusal stands in its field."""
        draft = read_form(act.view, ticket_patterns(self.policies.current()))
        number = parse_ref(form_note(str(act.view.get("private_metadata") or ""))[1])
        await self._ask(act, number, draft, f"form:{act.view.get('id')}")

    async def _open(self, act: Act, number: int, draft: Draft) -> None:
        view = extend_form(await self._running(number, act.by), draft, act.where.response_url)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def _running(self, number: int, by: Person) -> Running:
        """Raises NotFound, TooLate, Refused."""
        request, grant = await self.store.request(number), await self.store.grant(number)
        if request is None or grant is None or grant.requester.id != by.id:
            raise NotFound("There is no such grant of yours.")
        if is_over(grant, self.clock.now()):
            raise TooLate(f"{grant.ref} is not active, so there is nothing to prolong. Ask anew.")
        if grant.started_at is None:
            raise TooLate(f"{grant.ref} has not been used yet: its time runs from the first use.")
        return Running(request, grant, await self._left(request, grant))

    async def _left(self, request: Request, grant: Grant) -> timedelta:
        policy = self.policies.current()
        rule = policy.rule_for(request, await self.broker.facts(policy, request.target, request.role))
        left = min(extendable(grant, rule.total), rule.maximum) if rule else timedelta()
        if left < _MINUTE:
            total = f" {rule.what} is given for {in_words(rule.total)} in all." if rule else ""
            raise Refused(f"{grant.ref} cannot become longer.{total} Ask anew when it has ended.")
        return left

    async def _ask(self, act: Act, number: int, draft: Draft, key: str) -> None:
        if draft.duration is None:
            raise BadInput("Choose how much longer.", field="duration")
        more = More(draft.duration, draft.reason, key, draft.ticket)
        request = await self.broker.extend(number, act.by, more)
        await self.answers.tell(act.where, await self._asked(request))

    async def _asked(self, request: Request) -> Message:
        what = ref(request.extends or 0)
        if request.state is RequestState.APPROVED:
            grant = await self.store.grant(request.extends or 0)
            until = f"{what} is active until {at(grant.expires_at)} now. Collect again to use it." if grant else ""
            return Message(until, (section(until),))
        policy = self.policies.current()
        facts = await self.broker.facts(policy, request.target, request.role)
        rule = policy.rule_for(request, facts)
        deciders = policy.deciders(rule, request.requester, facts) if rule else ()
        text = f"{request.ref}: asked for {in_words(request.duration)} more of {what}."
        text = f"{text} {who_decides(deciders, request.approvals_needed)}"
        value = button_value(request)
        return Message(text, (section(text), actions(Button("Who can?", WHO, value), Button("Cancel", CANCEL, value))))


def extend_form(running: Running, draft: Draft, back: str) -> Block:
    """How much longer, and why; the choices end at what is left. `back` is where to answer once it is submitted."""
    grant, left = running.grant, running.left
    until = f"{named(running.request)} ends at {at(grant.expires_at)}."
    blocks = [section(until), _how_long(left, draft), _why(draft), _ticket(grant, draft)]
    if draft.duration is not None and draft.duration > left:
        blocks.insert(2, small(f"⚠ At most {in_words(_whole(left))} more can be asked for."))
    return {
        "type": "modal", "callback_id": EXTEND_FORM, "title": plain("Extend", 24), "close": plain("Cancel", 24),
        "submit": plain("Ask", 24), "blocks": blocks, "private_metadata": json.dumps([back, grant.ref]),
    }  # fmt: skip


def _how_long(left: timedelta, draft: Draft) -> Block:
    most = _whole(left)
    lengths = {length for length in _USUAL if length < most} | {most}
    wanted = draft.duration if draft.duration is not None and draft.duration <= most else None
    chosen = wanted or max(length for length in lengths if length <= max(min(lengths), timedelta(hours=1)))
    options = {length: _option(length) for length in sorted(lengths | {chosen})}
    element: Block = {"type": "static_select", "action_id": "duration", "options": [*options.values()]}
    element |= {"initial_option": options[chosen]}
    return {"type": "input", "block_id": "duration", "label": plain("How much longer"), "element": element}


def _option(length: timedelta) -> Block:
    return {"text": plain(in_words(length), 75), "value": short(length)}


def _why(draft: Draft) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "reason", "max_length": LONGEST, "multiline": True}
    element |= {"initial_value": draft.reason} if draft.reason else {}
    hint = plain("It is decided like the first request; its card stands in this one's thread.")
    return {"type": "input", "block_id": "reason", "label": plain("Why"), "element": element, "hint": hint}


def _ticket(grant: Grant, draft: Draft) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "ticket", "max_length": 300}
    element |= {"placeholder": plain(f"{grant.ticket[:LONGEST_TICKET] or 'none'}, as before", 150)}
    element |= {"initial_value": draft.ticket} if draft.ticket else {}
    return {"type": "input", "block_id": "ticket", "label": plain("Ticket"), "element": element, "optional": True}


def _whole(length: timedelta) -> timedelta:
    """In whole minutes, as a list offers them."""
    return length // _MINUTE * _MINUTE
