"""The app manifest, read: what the app may do and hear in the workspace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_simulator.errors import SeedError


@dataclass(frozen=True)
class Command:
    """One slash command as the composer offers it."""

    command: str
    description: str
    usage_hint: str = ""
    should_escape: bool = False


@dataclass(frozen=True)
class Shortcut:
    """One message shortcut, as the menu of a message offers it."""

    name: str
    callback_id: str
    description: str


@dataclass(frozen=True)
class Manifest:
    """The parts of a manifest that the workspace enforces."""

    name: str
    description: str
    commands: tuple[Command, ...]
    scopes: frozenset[str]
    events: frozenset[str]
    interactivity: bool
    home_tab: bool
    messages_tab: bool
    messages_read_only: bool
    shortcuts: tuple[Shortcut, ...] = ()

    def command(self, name: str) -> Command | None:
        return next((c for c in self.commands if c.command == name), None)

    def shortcut(self, callback_id: str) -> Shortcut | None:
        return next((s for s in self.shortcuts if s.callback_id == callback_id), None)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Manifest":
        """Raises SeedError where Slack would refuse the manifest."""
        about, features, settings = (_part(raw, k) for k in ("display_information", "features", "settings"))
        home = _part(features, "app_home")
        return cls(
            name=_text(about, "name", 1, 35),
            description=about.get("description", ""),
            commands=tuple(_command(c) for c in features.get("slash_commands", ())),
            scopes=frozenset(_part(_part(raw, "oauth_config"), "scopes").get("bot", ())),
            events=frozenset(_part(settings, "event_subscriptions").get("bot_events", ())),
            interactivity=bool(_part(settings, "interactivity").get("is_enabled", False)),
            home_tab=bool(home.get("home_tab_enabled", False)),
            messages_tab=bool(home.get("messages_tab_enabled", True)),
            messages_read_only=bool(home.get("messages_tab_read_only_enabled", False)),
            shortcuts=tuple(_shortcut(s) for s in features.get("shortcuts", ()) if s.get("type") == "message"),
        )


def _command(raw: Mapping[str, Any]) -> Command:
    name = _text(raw, "command", 2, 32)
    if not name.startswith("/"):
        raise SeedError(f"The manifest's command {name!r} must start with a slash.")
    _text(raw, "description", 1, 2000)
    return Command(name, raw["description"], raw.get("usage_hint", ""), bool(raw.get("should_escape", False)))


def _shortcut(raw: Mapping[str, Any]) -> Shortcut:
    name, callback_id = _text(raw, "name", 1, 24), _text(raw, "callback_id", 1, 255)
    return Shortcut(name, callback_id, _text(raw, "description", 1, 150))


def _part(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key) or {}
    if not isinstance(value, Mapping):
        raise SeedError(f"{key} in the manifest must be a mapping.")
    return value


def _text(raw: Mapping[str, Any], key: str, least: int, most: int) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise SeedError(f"{key} in the manifest must be a text of {least} to {most} characters.")
    return value
