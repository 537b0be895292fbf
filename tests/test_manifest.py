"""manifest.yml asks for what the code uses, all of it and nothing else, and is one that Slack takes."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from bot.acts.command import VERBS
from bot.look import names
from bot.settings import BotSettings
from directory.slack_groups import EVENTS as GROUP_EVENTS

ROOT = Path(__file__).parents[1]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text())
SCHEMA = ROOT / "tests" / "samples" / "slack-manifest.schema.2.0.0.json"

#: what each Slack method that we call needs; the audit channel may be public or private
SCOPES: dict[str, set[str]] = {
    "auth_test": set(),
    "chat_getPermalink": set(),
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_list": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "conversations_replies": {"channels:history", "groups:history"},
    "usergroups_users_list": {"usergroups:read"},
    "users_info": {"users:read"},
    "views_open": set(),
    "views_publish": set(),
    "views_push": set(),
    "views_update": set(),
}
EVENT_SCOPES = {
    "user_change": {"users:read"},
    "subteam_members_changed": {"usergroups:read"},
    "subteam_updated": {"usergroups:read"},
    "app_home_opened": set(),
}


def called() -> set[str]:
    """The Slack methods that we call."""
    found: set[str] = set()
    for path in [*(ROOT / "bot").rglob("*.py"), *(ROOT / "directory").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            if re.fullmatch(
                r"(auth|chat|conversations|users|usergroups|views|pins|reactions|files|team|bots)_\w+", name
            ):
                found.add(name)
    return found


def heard() -> set[str]:
    """The events that the bot listens to."""
    text = (ROOT / "bot" / "listeners.py").read_text()
    return set(re.findall(r'gate\.event\("(\w+)"\)', text))


def test_the_scopes_are_those_of_the_calls() -> None:
    assert called() <= set(SCOPES), "a new Slack method: say what it needs"
    needed = {"commands"}.union(*(SCOPES[method] for method in called()), *(EVENT_SCOPES[event] for event in heard()))
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed


def test_every_news_of_a_user_group_is_heard() -> None:
    assert set(GROUP_EVENTS) <= heard()


def test_the_events_are_those_that_are_heard() -> None:
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == heard()


def test_the_command_is_the_one_that_is_registered() -> None:
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == BotSettings.__dataclass_fields__["command"].default
    assert command["should_escape"] is True


def test_the_shortcuts_are_those_that_are_registered() -> None:
    registered = re.findall(r"gate\.shortcut\((\w+)\)", (ROOT / "bot" / "listeners.py").read_text())
    shortcuts = MANIFEST["features"]["shortcuts"]
    assert [shortcut["callback_id"] for shortcut in shortcuts] == [getattr(names, name) for name in registered]
    assert all(shortcut["type"] == "message" and len(shortcut["name"]) <= 24 for shortcut in shortcuts)


def test_the_usage_hint_names_every_verb() -> None:
    (command,) = MANIFEST["features"]["slash_commands"]
    assert not {verb for verb in VERBS if verb not in command["usage_hint"]} - {"audit"}


def test_buttons_and_forms_are_switched_on_and_the_home_tab_matches_the_code() -> None:
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is ("views_publish" in called())


def test_every_scope_and_event_says_why() -> None:
    lines = (ROOT / "manifest.yml").read_text().splitlines()
    for name in [*MANIFEST["oauth_config"]["scopes"]["bot"], *heard()]:
        line = next(line for line in lines if line.strip().startswith(f"- {name} ") or line.strip() == f"- {name}")
        assert "# " in line, f"{name} has no reason beside it"


def test_slack_takes_it() -> None:
    jsonschema.validate(MANIFEST, json.loads(SCHEMA.read_text()))
    info = MANIFEST["display_information"]
    assert len(info["name"]) <= 35
    assert len(info["description"]) <= 140
    assert len(MANIFEST["features"]["slash_commands"][0]["usage_hint"]) <= 1000
