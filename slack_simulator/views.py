"""Modals and home tabs: the stack each person sees, hashes, and what was typed so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slack_simulator.errors import SlackError
from slack_simulator.ids import Ids
from slack_simulator.inputs import State, initial_state, kept_state
from slack_simulator.model import App, Json, Team
from slack_simulator.rules import check_view, filled_blocks

STACK_DEPTH = 3


@dataclass
class OpenView:
    """A view somebody can see. `json` is what Slack would return for it."""

    json: Json
    user: str
    state: State = field(default_factory=dict)


class Views:
    """All open views of the app."""

    def __init__(self, ids: Ids, now: Callable[[], float], team: Team, app: App) -> None:
        self._ids = ids
        self._now = now
        self._team = team
        self._app = app
        self._all: dict[str, OpenView] = {}
        self._stacks: dict[str, list[str]] = {}
        self._homes: dict[str, str] = {}

    def stack(self, user: str) -> list[OpenView]:
        """Bottom first."""
        return [self._all[view_id] for view_id in self._stacks.get(user, ())]

    def top(self, user: str) -> OpenView | None:
        return next(reversed(self.stack(user)), None)

    def home(self, user: str) -> OpenView | None:
        return self._all[self._homes[user]] if user in self._homes else None

    def find(self, view_id: str) -> OpenView | None:
        return self._all.get(view_id)

    def open(self, user: str, given: Any) -> Json:
        """A new stack of one."""
        check_view(given, "modal")
        self._free(given.get("external_id"))
        self.clear(user)
        return self._add(user, given, previous=None)

    def push(self, user: str, given: Any) -> Json:
        """Raises push_limit_reached beyond three, not_found without a stack."""
        stack = self.stack(user)
        if not stack:
            raise SlackError("not_found")
        if len(stack) >= STACK_DEPTH:
            raise SlackError("push_limit_reached")
        check_view(given, "modal")
        self._free(given.get("external_id"))
        return self._add(user, given, previous=stack[-1].json)

    def update(self, target: OpenView, given: Any, hash_: str | None = None) -> Json:
        """Replace what a view shows; what people typed stays where block and action are the same."""
        if hash_ is not None and hash_ != target.json["hash"]:
            raise SlackError("hash_conflict")
        check_view(given, target.json["type"])
        self._free(given.get("external_id"), but=target)
        target.json.update(self._drawn(given))
        target.state = kept_state(target.json["blocks"], target.state)
        return target.json

    def publish(self, user: str, given: Any, hash_: str | None = None) -> Json:
        check_view(given, "home")
        current = self.home(user)
        if current is not None:
            return self.update(current, given, hash_)
        view_id = self._ids.new("V")
        self._homes[user] = view_id
        self._all[view_id] = self._made(view_id, user, given)
        return self._all[view_id].json

    def named(self, view_id: str | None, external_id: str | None) -> OpenView:
        """Raises not_found."""
        for name, view in self._all.items():
            if name == view_id or (external_id and view.json["external_id"] == external_id):
                return view
        raise SlackError("not_found")

    def close(self, view: OpenView) -> None:
        """Take one view away; what lay under it shows again."""
        stack = self._stacks.get(view.user, [])
        if view.json["id"] in stack:
            stack.remove(view.json["id"])
            del self._all[view.json["id"]]

    def clear(self, user: str) -> None:
        for view in self.stack(user):
            self.close(view)

    def _add(self, user: str, given: Json, previous: Json | None) -> Json:
        view_id = self._ids.new("V")
        view = self._made(view_id, user, given)
        view.json["previous_view_id"] = previous["id"] if previous else None
        view.json["root_view_id"] = previous["root_view_id"] if previous else view_id
        self._all[view_id] = view
        self._stacks.setdefault(user, []).append(view_id)
        return view.json

    def _made(self, view_id: str, user: str, given: Json) -> OpenView:
        json: Json = {"id": view_id, "team_id": self._team.id, "type": given["type"], "state": {"values": {}}}
        json |= {"previous_view_id": None, "root_view_id": view_id, "app_id": self._app.id}
        json |= {"app_installed_team_id": self._team.id, "bot_id": self._app.bot_id, **self._drawn(given)}
        return OpenView(json, user, initial_state(json["blocks"]))

    def _drawn(self, given: Json) -> Json:
        return {
            "blocks": filled_blocks(given["blocks"], self._ids),
            "private_metadata": given.get("private_metadata", ""),
            "callback_id": given.get("callback_id", ""),
            "external_id": given.get("external_id", ""),
            "hash": f"{int(self._now())}.{self._ids.word(8)}",
            "title": _titled(given.get("title"), "View Title"),
            "submit": _titled(given.get("submit")),
            "close": _titled(given.get("close")),
            "clear_on_close": given.get("clear_on_close", False),
            "notify_on_close": given.get("notify_on_close", False),
        }

    def _free(self, external_id: str | None, but: OpenView | None = None) -> None:
        for view in self._all.values():
            if external_id and view is not but and view.json["external_id"] == external_id:
                raise SlackError("duplicate_external_id")


def _titled(text: Json | None, default: str | None = None) -> Json | None:
    if text is None:
        return {"type": "plain_text", "text": default, "emoji": True} if default else None
    return {"emoji": True, **text}
