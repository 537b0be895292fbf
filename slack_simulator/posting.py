"""The app's own messages: as chat.postMessage, as the answer to a command, and through a response URL."""

from typing import TYPE_CHECKING, Any

from slack_simulator.errors import SlackError
from slack_simulator.model import Channel, Json
from slack_simulator.rules import check_message, filled_blocks
from slack_simulator.shapes import bot_profile
from slack_simulator.triggers import ResponseUrl

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace

ATTACHMENTS = 100


def content(world: "Workspace", body: Json) -> Json:
    """Checked `text`, `blocks` and `attachments` of a body; raises SlackError."""
    made: Json = {"text": str(body.get("text") or "")}
    blocks, attachments = body.get("blocks"), body.get("attachments")
    if blocks:
        check_message(blocks)
        made["blocks"] = filled_blocks(blocks, world.ids)
    elif blocks is not None and not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if attachments:
        if len(attachments) > ATTACHMENTS:
            raise SlackError("too_many_attachments")
        made["attachments"] = attachments
    if not made["text"] and not blocks and not attachments:
        raise SlackError("no_text")
    return made


def signed_by_app(world: "Workspace", made: Json) -> Json:
    """The message with the fields that say which app wrote it."""
    app = world.app
    return {
        "user": app.bot_user_id,
        "bot_id": app.bot_id,
        "app_id": app.id,
        "team": world.team.id,
        "bot_profile": bot_profile(app, world.team, int(world.clock.now())),
        **made,
    }


def answer_command(world: "Workspace", channel: Channel, user: str, body: Any) -> Json | None:
    """Show what a command was acknowledged with; nothing for an empty body. Raises SlackError."""
    if body in (None, "", {}):
        return None
    given = body if isinstance(body, dict) else {"text": str(body)}
    return _told(world, channel, user, given, None)


def through_url(world: "Workspace", url: ResponseUrl, body: Any) -> None:
    """Act on what was posted to a response URL; raises SlackError."""
    if not isinstance(body, dict):
        raise SlackError("invalid_payload")
    channel = world.channels[url.channel]
    if body.get("delete_original"):
        _remove(world, channel, url)
    elif body.get("replace_original") and url.message_ts:
        _replace(world, channel, url, content(world, body))
    else:
        _told(world, channel, url.user, body, body.get("thread_ts") or _private_thread(url, body))
    world.bell.ring()


def _private_thread(url: ResponseUrl, body: Json) -> str | None:
    """An ephemeral answer to a click in a thread shows in that thread."""
    return url.thread_ts if body.get("response_type") != "in_channel" else None


def _told(world: "Workspace", channel: Channel, user: str, body: Json, thread: str | None) -> Json:
    made = signed_by_app(world, content(world, body))
    if body.get("response_type") == "in_channel":
        return world.posted(channel, world.messages.post(channel, made, thread))
    extra = {"thread_ts": thread} if thread else {}
    message = world.messages.post_ephemeral(channel, user, made | extra)
    world.bell.ring()
    return message


def _original(world: "Workspace", channel: Channel, url: ResponseUrl) -> Json:
    ts = url.message_ts or ""
    found = world.messages.ephemeral(url.user, ts) if url.ephemeral else channel.messages.get(ts)
    if found is None:
        raise SlackError("message_not_found")
    return found


def _remove(world: "Workspace", channel: Channel, url: ResponseUrl) -> None:
    message = _original(world, channel, url)
    if url.ephemeral:
        world.messages.forget_ephemerals(url.user, message["ts"])
    else:
        world.messages.delete(channel, message["ts"])


def _replace(world: "Workspace", channel: Channel, url: ResponseUrl, made: Json) -> None:
    message = _original(world, channel, url)
    for key in ("blocks", "attachments"):
        message.pop(key, None)
    message.update(made)
