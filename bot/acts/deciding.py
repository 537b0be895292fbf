"""Deciding, and taking away: what the buttons of a card, a private answer or a direct message do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.errors import AccessError, NotFound, Refused, TooLate
from access.lifecycle import GRANT_TERMINAL
from access.model import Grant, GrantState, Person, Request, RequestState
from access.ports import PolicySource, Store
from access.requesting.deciding import already
from access.signin import SignIns
from bot.acts.answers import Answers, sentence
from bot.acts.gate import Act
from bot.look.blocks import Message
from bot.look.forms import Pressed, read_button, read_form
from bot.look.modal import deny_form, form_note
from bot.look.small_forms import less_form
from bot.look.standing import named
from bot.look.words import escaped

Repaint = Callable[[str], Awaitable[None]]  # a request's ref


@dataclass(frozen=True)
class Deciding:
    """Nothing of what a button shows is believed: everything is read again by the request's id."""

    client: AsyncWebClient
    broker: Broker
    sign_ins: SignIns
    policies: PolicySource
    store: Store
    answers: Answers
    repaint: Repaint

    async def approve(self, act: Act) -> None:
        """The thread tells the rest; a late or double click is answered in private."""
        await self._approve(read_button(act.value), act.by)

    async def open_less(self, act: Act) -> None:
        """Asks for how long instead, unless it is clear already that the answer would not count."""
        request = await self._may_decide(act)
        view = less_form(act.value, named(request), request.duration, act.where.response_url)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def approve_less(self, act: Act) -> None:
        await self._approve(_pressed_before(act), act.by, read_form(act.view).duration)

    async def open_deny(self, act: Act) -> None:
        """Asks why, unless it is clear already that the answer would not count."""
        request = await self._may_decide(act)
        view = deny_form(act.value, named(request), act.where.response_url)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def deny(self, act: Act) -> None:
        pressed = _pressed_before(act)
        try:
            await self.broker.deny(pressed.request_id, act.by, read_form(act.view).reason)
        except TooLate:
            await self._paint_anew(pressed)
            raise

    async def _approve(self, pressed: Pressed, by: Person, shorter: timedelta | None = None) -> None:
        try:
            await self.broker.approve(pressed.request_id, by, pressed.digest, shorter)
        except TooLate:
            await self._paint_anew(pressed)
            raise

    async def _may_decide(self, act: Act) -> Request:
        request = await self._still_pending(read_button(act.value))
        policy = self.policies.current()
        facts = await self.broker.facts(policy, request.target, request.role)
        verdict = policy.judge_decision(request, act.by, facts)
        if not verdict.allowed:
            raise Refused(verdict.why, rule=verdict.rule)
        return request

    async def end(self, act: Act) -> None:
        """End a grant now."""
        pressed = read_button(act.value)
        request = await self._found(pressed)
        try:
            ended = await self.broker.end(request.number, act.by)
        except AccessError:
            await self.repaint(request.ref)
            raise
        await self.answers.tell(act.where, how_it_ended(ended))

    async def cancel(self, act: Act) -> None:
        """Take a waiting request back; the private answer that offered it says so instead."""
        request = await self._found(read_button(act.value))
        ended = await self.broker.cancel(request.number, act.by)
        await self.answers.tell(act.where, how_it_ended(ended), instead=True)

    async def not_me(self, act: Act) -> None:
        """Sign the terminal out, then end everything that is open in this person's name."""
        device = await self.sign_ins.sign_out(act.value, act.by)
        requests = await self.store.open_requests(act.by.id)
        done = await asyncio.gather(*map(self._end_if_open, requests), return_exceptions=True)
        ended = [ref for ref in done if ref and isinstance(ref, str)]
        failed = [request.ref for request, ref in zip(requests, done, strict=True) if isinstance(ref, BaseException)]
        what = f"Ended: {', '.join(ended)}." if ended else "Nothing was open in your name."
        what = f"{what} Not ended, press again: {', '.join(failed)}." if failed else what
        text = f"{escaped(device.host, 80) or 'That terminal'} is signed out. {what} Tell your security team."
        await self.answers.tell(act.where, sentence(text))

    async def _end_if_open(self, request: Request) -> str:
        grant = await self.store.grant(request.number)
        if grant is not None and (grant.state in GRANT_TERMINAL or grant.state is GrantState.REVOKING):
            return ""
        try:
            await self.broker.end(request.number, request.requester)
        except (TooLate, NotFound):  # it ended by itself meanwhile
            return ""
        return request.ref

    async def _found(self, pressed: Pressed) -> Request:
        request = await self.store.request_by_id(pressed.request_id)
        if request is None:
            raise NotFound("This request does not exist here.")
        return request

    async def _still_pending(self, pressed: Pressed) -> Request:
        request = await self._found(pressed)
        if request.state is not RequestState.PENDING:
            await self.repaint(request.ref)
            raise TooLate(already(request))
        return request

    async def _paint_anew(self, pressed: Pressed) -> None:
        request = await self.store.request_by_id(pressed.request_id)
        if request is not None:
            await self.repaint(request.ref)


def _pressed_before(act: Act) -> Pressed:
    """The button that opened the form."""
    return read_button(form_note(str(act.view.get("private_metadata") or ""))[1])


def how_it_ended(what: Request | Grant) -> Message:
    """What somebody sees who ended it."""
    if isinstance(what, Request):
        return sentence(f"{what.ref} is taken back; nobody needs to decide it any more.")
    if what.state is GrantState.REVOKED:
        return sentence(f"{what.ref} has ended. Its thread says what was checked.")
    return sentence(f"{what.ref} is being taken back. Its thread says when it is gone.")
