"""Saying something about a request: the button, its form, and `/prodaccess comment PA-7 …`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from access.broker import Broker
from access.errors import NotFound
from access.model import Request
from access.ports import Store
from bot.acts.answers import Answers, sentence
from bot.acts.command import Verb
from bot.acts.commanding import DoesVerb
from bot.acts.gate import Act
from bot.look.forms import Pressed, read_button, typed_in
from bot.look.modal import form_note
from bot.look.small_forms import comment_form
from bot.look.standing import named


@dataclass(frozen=True)
class Commenting:
    """What is said is told by the thread, which reads it in the log."""

    client: AsyncWebClient
    broker: Broker
    store: Store
    answers: Answers

    def verbs(self) -> Mapping[str, DoesVerb]:
        return {"comment": self.typed}

    async def typed(self, act: Act, verb: Verb) -> None:
        """`/prodaccess comment PA-7 the import runs since noon`."""
        request = await self.broker.comment(verb.number, act.by, verb.rest)
        await self.answers.tell(act.where, sentence(f"{request.ref}: your comment is in its thread."))

    async def open(self, act: Act) -> None:
        """Asks what to say, of whoever may see the request."""
        request, _ = await self.broker.see((await self._found(read_button(act.value))).number, act.by)
        view = comment_form(act.value, named(request), act.where.response_url)
        await self.client.views_open(trigger_id=act.trigger, view=view)

    async def say(self, act: Act) -> None:
        """The form's answer."""
        request = await self._found(read_button(form_note(str(act.view.get("private_metadata") or ""))[1]))
        await self.broker.comment(request.number, act.by, typed_in(act.view, "text"))

    async def _found(self, pressed: Pressed) -> Request:
        request = await self.store.request_by_id(pressed.request_id)
        if request is None:
            raise NotFound("This request does not exist here.")
        return request
