"""The one way in. Every listener is registered through the gate, so none can forget it.

1. acknowledge at once (a form's answer may take a moment: what is refused there stands in its field)
2. a delivery that was already dealt with is dropped: Slack delivers more than once, and Bolt passes it all on
3. the payload's own workspace and organisation are ours
4. the channel is not shared with another organisation
5. Slack says who it is: a full member of ours, not deactivated, no guest, no bot
6. the handler runs as a task of ours; whatever goes wrong becomes a sentence for the person, in one place
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from access.errors import AccessError, NotFound, Refused, Unavailable
from access.model import Person
from access.tasks import Tasks
from bot.acts.answers import Answers, Where, refusal, sentence
from bot.look.blocks import Block, Message
from bot.look.forms import block_of
from bot.look.modal import form_note, notice, said_in
from bot.look.words import escaped
from bot.slack.people import SILENT, Directory, code

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds a form waits for its answer; Slack gives up at 3
_REMEMBERED = 4096  # deliveries
_EXPIRED = ("expired_trigger_id", "trigger_expired", "exchanged_trigger_id", "trigger_exchanged", "invalid_trigger_id")
_TOO_SLOW = "Slack closed the form before it could open. Try once more."
_FOREIGN = "Only people of this organisation can use prodaccess."
_SHARED = (
    "This channel is shared with another organisation. "
    "Use prodaccess in a channel of your own, or in a direct message with the app."
)


class Does(Enum):
    """What an act does decides how much must be known before it is let through."""

    #: gives access: everything must be known
    GIVES = "gives"
    #: looks, or asks for something that is judged again later
    LOOKS = "looks"
    #: takes access away: goes on when Slack cannot say, for the signed payload names its person
    TAKES = "takes"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, let in by the gate."""

    by: Person
    body: Mapping[str, Any]
    where: Where

    @property
    def text(self) -> str:
        return str(self.body.get("text") or "")

    @property
    def trigger(self) -> str:
        return str(self.body.get("trigger_id") or "")

    @property
    def action(self) -> Mapping[str, Any]:
        actions: Sequence[Mapping[str, Any]] = self.body.get("actions") or ({},)
        return actions[0]

    @property
    def value(self) -> str:
        return str(self.action.get("value") or "")

    @property
    def view(self) -> Mapping[str, Any]:
        return self.body.get("view") or {}


Handler = Callable[[Act], Awaitable[None]]
EventHandler = Callable[[Mapping[str, Any]], Awaitable[None]]
Register = Callable[[Handler], Handler]


@dataclass
class Gate:
    """Registers handlers with Bolt, each behind the same checks."""

    app: AsyncApp
    directory: Directory
    answers: Answers
    tasks: Tasks
    patience: float = PATIENCE
    _handled: OrderedDict[str, asyncio.Task[Any] | None] = field(default_factory=OrderedDict)

    # Registering

    def command(self, name: str) -> Register:
        """A slash command."""

        def register(handler: Handler) -> Handler:
            self.app.command(name)(self._acknowledged(handler, Does.LOOKS))
            return handler

        return register

    def action(self, action_id: str, does: Does = Does.LOOKS) -> Register:
        """A button or a choice."""

        def register(handler: Handler) -> Handler:
            self.app.action(action_id)(self._acknowledged(handler, does))
            return handler

        return register

    def shortcut(self, callback_id: str) -> Register:
        """An entry in the menu of every message."""

        def register(handler: Handler) -> Handler:
            self.app.message_shortcut(callback_id)(self._acknowledged(handler, Does.LOOKS))
            return handler

        return register

    def form(self, callback_id: str, does: Does = Does.LOOKS) -> Register:
        """A submitted form. It closes when the handler returns; an error stands in its field."""

        def register(handler: Handler) -> Handler:
            async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
                await self._answer_form(ack, body, self._once(body, lambda: self._filled_in(body, handler, does)))

            self.app.view(callback_id)(listener)
            return handler

        return register

    def event(self, name: str) -> Callable[[EventHandler], EventHandler]:
        """Something that happened in Slack, by itself: nobody acts, so there is nobody to check."""

        def register(handler: EventHandler) -> EventHandler:
            async def listener(body: dict[str, Any]) -> None:
                self._once(body, lambda: handler(body.get("event") or {}))

            self.app.event(name)(listener)
            return handler

        return register

    # Letting in

    async def admit(self, body: Mapping[str, Any], does: Does) -> Person:
        """Steps 3 to 5. Raises Refused, Unavailable."""
        account, teams = _account(body), _teams(body)
        if not account or not (teams or _organisations(body)) or not self._are_ours(body, teams):
            raise Refused(_FOREIGN)  # 3
        try:
            await self._check_channel(body, does)  # 4
            return await self.directory.look(account)  # 5
        except Unavailable:
            if does is Does.TAKES:
                return self.directory.named(account, self._home_of(body, teams))
            raise

    def _are_ours(self, body: Mapping[str, Any], teams: frozenset[str]) -> bool:
        ours = self.directory.team_ids
        return (bool(teams) and teams <= ours) or bool(_organisations(body) & ours)

    def _home_of(self, body: Mapping[str, Any], teams: frozenset[str]) -> str:
        """Under which of ours Slack would name the person: an organisation goes before its workspaces."""
        named = (*sorted(_organisations(body)), *sorted(teams))
        return next(home for home in named if home in self.directory.team_ids)

    async def _check_channel(self, body: Mapping[str, Any], does: Does) -> None:
        channel = str((body.get("channel") or {}).get("id") or body.get("channel_id") or "")
        if not channel or channel.startswith("D"):  # a form, or a direct message
            return
        try:
            facts = await self.directory.channel(channel)
        except NotFound:  # a private one without us: all we say there is for one pair of eyes
            if does is Does.GIVES:
                raise
            return
        if facts.get("is_ext_shared") or facts.get("is_pending_ext_shared"):
            raise Refused(_SHARED)

    # Running

    def _acknowledged(self, handler: Handler, does: Does) -> Callable[..., Awaitable[None]]:
        async def listener(ack: AsyncAck, body: dict[str, Any]) -> None:
            await ack()  # 1
            self._once(body, lambda: self._run(body, handler, does))

        return listener

    def _once(self, body: Mapping[str, Any], work: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        """The task of this delivery; a second delivery of the same gets the first one's task."""
        key = str(body.get("trigger_id") or body.get("event_id") or secrets.token_hex(8))
        known = self._handled.get(key)
        if known is not None:
            return known  # 2

        async def run() -> Any:
            return await work()

        task = self._handled[key] = self.tasks.start(run(), name=f"slack {body.get('type', 'command')}")  # 6
        while len(self._handled) > _REMEMBERED:
            self._handled.popitem(last=False)
        return task

    async def _run(self, body: Mapping[str, Any], handler: Handler, does: Does) -> None:
        where = where_of(body)
        try:
            await handler(Act(await self.admit(body, does), body, where))
        except AccessError as error:
            await self.answers.tell(where, refusal(error))
        except Exception as error:
            await self.answers.tell(where, sentence(_unexpected(error)))

    async def _filled_in(self, body: Mapping[str, Any], handler: Handler, does: Does) -> dict[str, Any]:
        """What to acknowledge a form with: nothing closes it, errors stand in their fields."""
        try:
            await handler(Act(await self.admit(body, does), body, where_of(body)))
        except AccessError as error:
            return _in_field(body, str(getattr(error, "field", "")), str(error))
        except Exception as error:
            return _in_field(body, "", _unexpected(error))
        return {}

    async def _answer_form(self, ack: AsyncAck, body: Mapping[str, Any], task: asyncio.Task[Any]) -> None:
        await asyncio.wait({task}, timeout=self.patience)
        if task.done() and not task.cancelled():
            await ack(**task.result())
            return
        await ack(response_action="update", view=notice("Working on it …"))
        answer = await asyncio.shield(task)
        view = answer.get("view") or notice(escaped(" ".join(answer.get("errors", {}).values()) or "Done."))
        try:
            await self.answers.client.views_update(view_id=str(body["view"]["id"]), view=view)
        except SILENT:  # closed meanwhile, or Slack is away: what came of it is told all the same
            await self.answers.tell(where_of(body), Message(said_in(view), tuple(view["blocks"])))


def where_of(body: Mapping[str, Any]) -> Where:
    """Where to answer an act: Slack's address for it, or the one that its form carried along."""
    url = body.get("response_url") or form_note(str((body.get("view") or {}).get("private_metadata") or ""))[0]
    return Where(_account(body), str(url or ""))


def _account(body: Mapping[str, Any]) -> str:
    return str((body.get("user") or {}).get("id") or body.get("user_id") or "")


def _teams(body: Mapping[str, Any]) -> frozenset[str]:
    """Every workspace the payload names: in a shared channel the person's and the channel's differ."""
    user, team = body.get("user") or {}, body.get("team") or {}
    return frozenset(str(t) for t in (user.get("team_id"), team.get("id"), body.get("team_id")) if t)


def _organisations(body: Mapping[str, Any]) -> frozenset[str]:
    team, organisation = body.get("team") or {}, body.get("enterprise") or {}
    named = (team.get("enterprise_id"), organisation.get("id"), body.get("enterprise_id"))
    return frozenset(str(e) for e in named if e)


def _in_field(body: Mapping[str, Any], name: str, why: str) -> Block:
    block = block_of(body.get("view") or {}, name)
    if not block:
        return {"response_action": "update", "view": notice(escaped(why))}
    return {"response_action": "errors", "errors": {block: why[:1000]}}


def _unexpected(error: Exception) -> str:
    """A sentence with a short id; the log has the rest under the same id."""
    if code(error) in _EXPIRED:
        return _TOO_SLOW
    number = secrets.token_hex(4)
    if isinstance(error, SlackApiError):  # its text repeats the response, which may quote people
        log.error("Slack refused a call", extra={"action": "slack act", "id": number, "error_code": code(error)})
    else:
        log.error("an act failed", extra={"action": "slack act", "id": number}, exc_info=error)
    return f"Something went wrong on our side. Try again; if it stays, tell your administrator this number: {number}."
