"""Acting as a person: type a command, click, fill and submit a modal."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from slack_simulator import payloads
from slack_simulator.courier import Delivery, Outcome
from slack_simulator.errors import ActError, SlackError
from slack_simulator.inputs import chosen, elements, refusals
from slack_simulator.model import Channel, Json
from slack_simulator.posting import answer_command
from slack_simulator.submission import Submitted, apply_answer
from slack_simulator.typed import resolved_text
from slack_simulator.views import OpenView
from slack_simulator.watching import Watcher

Seen = TypeVar("Seen")
Values = Mapping[str, Mapping[str, Any]]  # block_id -> action_id -> what was typed or chosen
_FAILED = {"timeout": "operation_timeout", "http_error": "dispatch_failed", "not_connected": "app_not_connected"}


@dataclass(frozen=True)
class Shown:
    """What a command showed its author: the acknowledgement's message, or an error line."""

    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class Clicked:
    """What a click showed: nothing, or operation_timeout, dispatch_failed or app_not_connected."""

    error: str | None = None


class Person(Watcher):
    """One person at their screen. Acts raise ActError where the client would not let them."""

    async def command(self, channel: str, line: str) -> Shown:
        """Type a slash command in a channel and wait for its acknowledgement."""
        where = self._acting(channel)
        name, _, text = line.strip().partition(" ")
        known = self._world.manifest.command(name)
        allowed = self._world.is_ours(self.user) and self._world.app.installed
        if known is None or not allowed or "commands" not in self._world.manifest.scopes:
            return self._acted("command", Shown(error=f"{name} is not a valid command."), line=line)
        text = resolved_text(self._world, text.strip()) if known.should_escape else text.strip()
        payload = payloads.slash_command(self._world, self.user, where, name, text)
        outcome = await self._deliver("slash_commands", name, payload, where, accepts=True)
        shown = self._shown(name, where, outcome)
        return self._acted("command", shown, channel=where.id, line=line)

    def say(self, channel: str, text: str, thread: str | None = None) -> Json:
        """Write an ordinary message."""
        where = self._acting(channel)
        if where.is_archived or where.is_read_only or where.is_frozen:
            raise ActError(f"Nobody can write in #{where.name}: it is archived, frozen or read-only.")
        if thread is not None and thread not in where.messages:
            raise ActError(f"There is no message {thread} to reply to.")
        return self._world.say(where, self.id, text, thread)

    async def click(  # noqa: PLR0913 - a click has this many parts
        self,
        channel: str,
        ts: str,
        action_id: str,
        value: Any = None,
        block_id: str | None = None,
        *,
        message: Mapping[str, Any] | None = None,
    ) -> Clicked:
        """Press a button or choose in a select of a message.

        `value` is the option's value for a select, and picks one of several buttons with the same id.
        `message` is an older copy of the message that this person still has on the screen.
        """
        where = self._acting(channel)
        seen = dict(message) if message is not None else self._message(where, ts)
        found = _find(seen.get("blocks", []), action_id, block_id, value)
        if not self._world.manifest.interactivity:
            return Clicked("This app is not configured to handle interactive responses.")
        action = payloads.action_of(*found, value, self._world.messages.next_ts())
        payload = payloads.message_action(self._world, self.user, where, seen, action)
        outcome = await self._deliver("interactive", "block_actions", payload, where)
        clicked = Clicked(None if outcome.acked else _FAILED[outcome.status])
        return self._acted("click", clicked, channel=where.id, ts=ts, action_id=action_id)

    async def shortcut(self, channel: str, ts: str, callback_id: str) -> Clicked:
        """Choose one of the app's shortcuts in the menu of a message, whoever wrote it."""
        where = self._acting(channel)
        message = where.messages.get(ts)
        if message is None:
            raise ActError(f"There is no message {ts} in {where.name or where.id}.")
        offered = self._world.is_ours(self.user) and self._world.app.installed and self._world.manifest.interactivity
        if not offered or self._world.manifest.shortcut(callback_id) is None:
            raise ActError(f"There is no shortcut {callback_id} here.")
        payload = payloads.message_shortcut(self._world, self.user, where, copy.deepcopy(message), callback_id)
        outcome = await self._deliver("interactive", "message_action", payload, where)
        clicked = Clicked(None if outcome.acked else _FAILED[outcome.status])
        return self._acted("shortcut", clicked, channel=where.id, ts=ts, callback_id=callback_id)

    async def click_view(
        self, action_id: str, value: Any = None, block_id: str | None = None, view_id: str | None = None
    ) -> Clicked:
        """Press or choose in a modal (the top one unless named) or, without modals, in the home tab."""
        self._active()
        view = self._view(view_id, or_home=True)
        block, element = _find(view.json["blocks"], action_id, block_id, value)
        action = payloads.action_of(block, element, value, self._world.messages.next_ts())
        if state := chosen(element, value):
            view.state.setdefault(block["block_id"], {})[action_id] = state
            if block["type"] == "input" and not block.get("dispatch_action"):
                return Clicked()
        payload = payloads.view_action(self._world, self.user, view, action)
        outcome = await self._deliver("interactive", "block_actions", payload)
        clicked = Clicked(None if outcome.acked else _FAILED[outcome.status])
        return self._acted("click_view", clicked, view_id=view.json["id"], action_id=action_id)

    def fill(self, values: Values, view_id: str | None = None) -> None:
        """Type and choose in a modal or home tab without submitting."""
        view = self._view(view_id, or_home=True)
        for block_id, actions in values.items():
            for action_id, value in actions.items():
                _, element = _find(view.json["blocks"], action_id, block_id)
                view.state.setdefault(block_id, {})[action_id] = chosen(element, value)

    async def submit(self, values: Values | None = None, view_id: str | None = None) -> Submitted:
        """Fill and submit a modal (the top one unless named). The client's own checks come first."""
        self._active()
        view = self._view(view_id)
        self.fill(values or {}, view.json["id"])
        if refused := refusals(view.json["blocks"], view.state):
            return self._acted("submit", Submitted(errors=refused))
        payload = payloads.view_submission(self._world, self.user, view)
        outcome = await self._deliver("interactive", "view_submission", payload, accepts=True)
        submitted = apply_answer(self._world, view, outcome)
        return self._acted("submit", submitted, view_id=view.json["id"])

    async def close_view(self, view_id: str | None = None, *, all_views: bool = False) -> Clicked:
        """Cancel one view or, with `all_views`, close the whole stack by its x."""
        self._active()
        view = self._view(view_id)
        told = self._world.views.stack(self.id)[0] if all_views else view
        payload = payloads.view_closed(self._world, self.user, told, is_cleared=all_views)
        self._world.views.clear(self.id) if all_views else self._world.views.close(view)
        self._acted("close_view", Clicked(), view_id=told.json["id"])
        if not told.json["notify_on_close"]:
            return Clicked()
        outcome = await self._deliver("interactive", "view_closed", payload)
        return Clicked(None if outcome.acked else _FAILED[outcome.status])

    async def open_home(self) -> None:
        """Look at the app's home tab, which tells the app so."""
        self._active()
        if not self._world.manifest.home_tab:
            raise ActError("This app has no home tab.")
        view: Json = {} if self.home is None else {"view": self.home}
        self._acted("open_home", Clicked())
        self._world.events.send("app_home_opened", user=self.id, channel=self.dm(), tab="home", **view)

    async def suggest(self, action_id: str, query: str, view_id: str | None = None) -> list[Json]:
        """The options an external select offers for what was typed."""
        view = self._view(view_id, or_home=True)
        found = _find(view.json["blocks"], action_id, None)
        payload = payloads.suggestion(self._world, self.user, view, found, query)
        outcome = await self._deliver("interactive", "block_suggestion", payload, accepts=True)
        body = outcome.body if isinstance(outcome.body, dict) else {}
        grouped = [o for group in body.get("option_groups", ()) for o in group["options"]]
        return [*body.get("options", ()), *grouped]

    def dismiss(self, ts: str) -> None:
        """Dismiss one ephemeral message."""
        self._world.messages.forget_ephemerals(self.id, ts)
        self._world.bell.ring()

    def reload(self) -> None:
        """Reload the client: ephemeral messages and open modals are gone."""
        self._world.messages.forget_ephemerals(self.id)
        self._world.views.clear(self.id)
        self._acted("reload", Clicked())

    # What the client allows.

    def _acting(self, channel: str) -> Channel:
        self._active()
        return self.see(channel)

    def _active(self) -> None:
        if self.user.deleted:
            raise ActError(f"{self.user.name} is deactivated and signed out.")

    def _message(self, channel: Channel, ts: str) -> Json:
        message = self._world.messages.ephemeral(self.id, ts) or channel.messages.get(ts)
        if message is None:
            raise ActError(f"There is no message {ts} in {channel.name or channel.id}.")
        return copy.deepcopy(message)

    def _view(self, view_id: str | None, *, or_home: bool = False) -> OpenView:
        views = self._world.views
        view = views.find(view_id) if view_id else views.top(self.id) or (views.home(self.id) if or_home else None)
        if view is None or view.user != self.id:
            raise ActError(f"{self.user.name} has no such view open.")
        return view

    # Sending.

    async def _deliver(
        self, kind: str, what: str, payload: Json, channel: Channel | None = None, *, accepts: bool = False
    ) -> Outcome:
        courier = self._world.courier
        where = channel.id if channel else ""
        envelope = courier.envelope()
        return await courier.deliver(Delivery(kind, what, payload, envelope, accepts, self.id, where))

    def _shown(self, command: str, channel: Channel, outcome: Outcome) -> Shown:
        if outcome.status == "not_connected":
            return Shown(error=f"{command} failed because the app is not connected.")
        if not outcome.acked:
            return Shown(error=f"{command} failed with the error {_FAILED[outcome.status]}")
        try:
            message = answer_command(self._world, channel, self.id, outcome.body) or {}
        except SlackError as error:
            return Shown(error=f"{command} failed with the error {error.code}")
        return Shown(message.get("text", ""), copy.deepcopy(message.get("blocks", [])))

    def _acted(self, verb: str, seen: Seen, **facts: Any) -> Seen:
        self._world.journal.write("act", verb, user=self.id, seen=vars(seen), **facts)
        self._world.bell.ring()
        return seen


def _find(blocks: list[Json], action_id: str, block_id: str | None, value: Any = None) -> tuple[Json, Json]:
    """The (block, element) a person means; raises ActError with what there is instead."""
    everything = list(elements(blocks))
    found = [(b, e) for b, e in everything if e["action_id"] == action_id and block_id in (None, b["block_id"])]
    exact = [(b, e) for b, e in found if e["type"] == "button" and e.get("value") == value]
    if not found:
        raise ActError(f"Nothing here is called {action_id}; there are {[e['action_id'] for _, e in everything]}.")
    return (exact or found)[0]
