"""One Web API call: its arguments in whatever form they came, and the checks every method shares."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slack_simulator.errors import SlackError, invalid_arguments
from slack_simulator.model import Channel, Json, User

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace

_TRUE = ("1", "true", "True", True, 1)
_JSON_ERRORS = {
    "blocks": "invalid_blocks_format",
    "attachments": "invalid_attachments",
    "metadata": "invalid_metadata_format",
}


@dataclass(frozen=True)
class Call:
    """A call that has passed token and scope checks. `base_url` is the address the client used."""

    world: "Workspace"
    method: str
    args: Json

    def text(self, name: str) -> str:
        value = self.args.get(name)
        return "" if value is None else str(value)

    def required(self, name: str) -> str:
        """Raises invalid_arguments when absent."""
        value = self.text(name)
        if not value:
            raise invalid_arguments(f"missing required field: {name}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        return self.args[name] in _TRUE if name in self.args else default

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.args.get(name) or default)
        except ValueError as error:
            raise invalid_arguments(f"must provide an integer [json-pointer:/{name}]") from error

    def names(self, name: str) -> list[str]:
        """A list, comma-joined or not."""
        value = self.args.get(name) or []
        return value if isinstance(value, list) else [one for one in str(value).split(",") if one]

    def structure(self, name: str) -> Any:
        """A JSON value, also when it came as a JSON string; None when absent."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            code = _JSON_ERRORS.get(name)
            raise (SlackError(code) if code else invalid_arguments(f"must provide valid json: {name}")) from error

    def body(self) -> Json:
        """The parts of a message that were given."""
        keys = ("blocks", "attachments", "metadata")
        given = {k: self.structure(k) for k in keys if self.args.get(k) is not None}
        return given | ({"text": self.text("text")} if "text" in self.args else {})

    def user(self, name: str = "user") -> User:
        """Raises user_not_found."""
        user = self.world.users.get(self.required(name))
        if user is None:
            raise SlackError("user_not_found")
        return user

    def channel(self, *, posting: bool = False) -> Channel:
        """A channel the app can see; a user's id opens the DM when posting. Raises channel_not_found."""
        world, name = self.world, self.required("channel")
        if posting and name in world.users:
            return self.open_dm(world.users[name])
        found = next((c for c in world.channels.values() if name in (c.id, f"#{c.name}", c.name)), None)
        member = found is not None and world.app.bot_user_id in found.members
        if found is None or (found.is_private and not member):
            raise SlackError("channel_not_found")
        return found

    def open_dm(self, user: User) -> Channel:
        """Raises user_disabled or messages_tab_disabled."""
        if user.deleted:
            raise SlackError("user_disabled")
        if not self.world.manifest.messages_tab:
            raise SlackError("messages_tab_disabled")
        return self.world.dm(user.id, self.world.app.bot_user_id)

    def page(self, items: list[Any], default: int = 100) -> tuple[list[Any], Json]:
        """One page and its response_metadata; the cursor is opaque to clients."""
        start = 0
        if cursor := self.text("cursor"):
            kind, _, offset = cursor.partition(":")
            if kind != "next" or not offset.isdigit():
                raise SlackError("invalid_cursor")
            start = int(offset)
        end = start + max(1, min(self.number("limit", default), 1000))
        cursor = f"next:{end}" if end < len(items) else ""
        return items[start:end], {"next_cursor": cursor}


Handler = Callable[[Call], Json]


@dataclass(frozen=True)
class Method:
    """A method of the Web API. `scopes`: any one of them is enough."""

    name: str
    handler: Handler
    scopes: tuple[str, ...] = ()


def read_scopes(channel: Channel, kind: str) -> tuple[str, ...]:
    """The scope for reading this kind of channel; `kind` is read or history."""
    plural = {"channel": "channels", "group": "groups"}.get(channel.type_name, channel.type_name)
    return (f"{plural}:{kind}",)


def need(world: "Workspace", scopes: tuple[str, ...]) -> None:
    """Raises missing_scope unless the manifest grants one of these."""
    granted = world.manifest.scopes
    if scopes and not granted & set(scopes):
        raise SlackError("missing_scope", needed=",".join(scopes), provided=",".join(sorted(granted)))
