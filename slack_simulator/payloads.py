"""What the app receives when a person acts: payloads with Slack's keys, built from the workspace."""

from typing import TYPE_CHECKING

from slack_simulator.inputs import State, chosen, initial_state, is_stateful
from slack_simulator.model import Channel, Json, User
from slack_simulator.shapes import person_brief, team_brief
from slack_simulator.views import OpenView

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace


def slash_command(world: "Workspace", user: User, channel: Channel, command: str, text: str) -> Json:
    """All values are strings, is_enterprise_install too."""
    named = {"im": "directmessage", "private": "privategroup", "mpim": "privategroup"}
    made: Json = {
        "token": world.app.verification_token,
        "team_id": world.team.id,
        "team_domain": world.team.domain,
        "channel_id": channel.id,
        "channel_name": named.get(channel.kind, channel.name),
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": world.app.id,
        "is_enterprise_install": "false",
        "response_url": _response_url(world, "commands", user=user.id, channel=channel.id),
        "trigger_id": world.triggers.issue(user.id),
    }
    if world.team.enterprise_id:
        made |= {"enterprise_id": world.team.enterprise_id, "enterprise_name": world.team.enterprise_name or ""}
    return made


def message_action(world: "Workspace", user: User, channel: Channel, message: Json, action: Json) -> Json:
    """A click in a message. From an ephemeral one there is no `message` key."""
    ephemeral = bool(message.get("is_ephemeral"))
    ts, thread = message["ts"], message.get("thread_ts")
    container: Json = {"type": "message", "message_ts": ts, "channel_id": channel.id, "is_ephemeral": ephemeral}
    if thread:
        container["thread_ts"] = thread
    made = _interaction(world, user, "block_actions") | {
        "container": container,
        "trigger_id": world.triggers.issue(user.id),
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "state": {"values": _message_state(message, action)},
        "response_url": _response_url(
            world,
            "actions",
            user=user.id,
            channel=channel.id,
            message_ts=ts,
            ephemeral=ephemeral,
            thread_ts=thread,
        ),
        "actions": [action],
    }
    if not ephemeral:
        made["message"] = {k: v for k, v in message.items() if k != "is_ephemeral"}
    return made


def message_shortcut(world: "Workspace", user: User, channel: Channel, message: Json, callback_id: str) -> Json:
    """A shortcut chosen in a message's menu; its `user` has no team."""
    brief = {"id": user.id, "name": user.name}
    return _interaction(world, user, "message_action") | {
        "user": brief,
        "callback_id": callback_id,
        "action_ts": world.messages.next_ts(),
        "trigger_id": world.triggers.issue(user.id),
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "message_ts": message["ts"],
        "message": message,
        "response_url": _response_url(world, "actions", user=user.id, channel=channel.id),
    }


def view_action(world: "Workspace", user: User, view: OpenView, action: Json) -> Json:
    """A click in a modal or home tab: no channel, no message, no response_url."""
    shown = viewed(view)
    return _interaction(world, user, "block_actions") | {
        "container": {"type": "view", "view_id": view.json["id"]},
        "trigger_id": world.triggers.issue(user.id, view.json["id"]),
        "view": shown,
        "actions": [action],
    }


def view_submission(world: "Workspace", user: User, view: OpenView) -> Json:
    return _interaction(world, user, "view_submission") | {
        "trigger_id": world.triggers.issue(user.id, view.json["id"]),
        "view": viewed(view),
        "response_urls": [],
    }


def view_closed(world: "Workspace", user: User, view: OpenView, *, is_cleared: bool) -> Json:
    return _interaction(world, user, "view_closed") | {"view": viewed(view), "is_cleared": is_cleared}


def suggestion(world: "Workspace", user: User, view: OpenView, found: tuple[Json, Json], query: str) -> Json:
    """The request for the options of an external select; `found` is its (block, element)."""
    block, element = found
    return _interaction(world, user, "block_suggestion") | {
        "container": {"type": "view", "view_id": view.json["id"]},
        "view": viewed(view),
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "value": query,
    }


def viewed(view: OpenView) -> Json:
    """A view with the state of all its stateful elements."""
    return {**view.json, "state": {"values": view.state}}


def action_of(block: Json, element: Json, value: object, action_ts: str) -> Json:
    """The entry in `actions` for a click on, or a choice in, this element."""
    made: Json = {"action_id": element["action_id"], "block_id": block["block_id"]}
    if is_stateful(element):
        made |= chosen(element, value)
    else:
        made |= {k: element[k] for k in ("text", "value", "style", "url") if k in element}
    return made | {"type": element["type"], "action_ts": action_ts}


def _interaction(world: "Workspace", user: User, kind: str) -> Json:
    return {
        "type": kind,
        "user": person_brief(user),
        "api_app_id": world.app.id,
        "token": world.app.verification_token,
        "team": team_brief(world.home_team(user)),
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _message_state(message: Json, action: Json) -> State:
    state = initial_state(message.get("blocks", []))
    entry = state.get(action["block_id"], {}).get(action["action_id"])
    if entry is not None:
        entry.update({key: action[key] for key in entry if key in action})
    return state


def _response_url(world: "Workspace", kind: str, **facts: object) -> str:
    return world.base_url + world.response_urls.issue(kind, **facts)
