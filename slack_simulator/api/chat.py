"""chat.*: post, update, delete, ephemerals and permalinks."""

from typing import Any

from slack_simulator.api.call import Call, Method
from slack_simulator.errors import SlackError
from slack_simulator.model import Channel, Json
from slack_simulator.posting import content, signed_by_app
from slack_simulator.rules import check_metadata

UPDATE_CHARACTERS = 4_000
# What the answer to an update shows of the message: not its ts, nor its thread.
_UPDATED = frozenset(
    ("type", "user", "text", "team", "bot_id", "app_id", "bot_profile", "blocks", "attachments", "metadata", "edited")
)


def post_message(call: Call) -> Json:
    channel = call.channel(posting=True)
    _may_post(call, channel)
    thread = _thread(call, channel)
    made = signed_by_app(call.world, _content(call))
    if thread and call.flag("reply_broadcast"):
        made["subtype"] = "thread_broadcast"
    message = call.world.posted(channel, call.world.messages.post(channel, made, thread))
    return {"ok": True, "channel": channel.id, "ts": message["ts"], "message": message}


def update(call: Call) -> Json:
    channel = call.channel()
    message = _own_message(call, channel, "cant_update_message")
    if channel.is_archived:
        raise SlackError("is_inactive")
    given = call.body()
    if len(given.get("text", "")) > UPDATE_CHARACTERS:
        raise SlackError("msg_too_long")
    _change(call, message, given)
    call.world.events.send(
        "message",
        subscription=f"message.{'im' if channel.kind == 'im' else channel.type_name + 's'}",
        subtype="message_changed",
        message=message,
        channel=channel.id,
        channel_type=channel.type_name,
    )
    call.world.bell.ring()
    shown = {key: value for key, value in message.items() if key in _UPDATED}
    return {"ok": True, "channel": channel.id, "ts": message["ts"], "text": message["text"], "message": shown}


def _change(call: Call, message: Json, given: Json) -> None:
    """Text without blocks removes the blocks; an empty list removes them; neither keeps them."""
    if "metadata" in given:
        check_metadata(given["metadata"])
    drawn: Json = {k: given[k] for k in ("text", "blocks", "attachments") if k in given}
    if not drawn and "metadata" not in given:
        raise SlackError("no_text")
    made: dict[str, Any] = {}
    if drawn:
        # Emptied blocks leave the old text standing when no new text comes with them.
        made = content(call.world, {"text": message["text"], **drawn})
        for key in ("blocks", "attachments"):
            if key not in made and (key in drawn or "text" in drawn):
                message.pop(key, None)
    message.update(made)
    if "metadata" in given:
        message["metadata"] = given["metadata"]
        if not given["metadata"]:
            del message["metadata"]
    if "blocks" not in message:
        message["edited"] = {"user": call.world.app.bot_user_id, "ts": call.world.messages.next_ts()}


def post_ephemeral(call: Call) -> Json:
    channel, user = call.channel(), call.user()
    if channel.is_archived:
        raise SlackError("is_archived")
    if user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    if call.world.app.bot_user_id not in channel.members and not _may_post_uninvited(call, channel):
        raise SlackError("not_in_channel")
    made = signed_by_app(call.world, _content(call))
    if thread := _thread(call, channel):
        made["thread_ts"] = thread
    message = call.world.messages.post_ephemeral(channel, user.id, made)
    call.world.bell.ring()
    return {"ok": True, "message_ts": message["ts"]}


def delete(call: Call) -> Json:
    channel = call.channel()
    message = _own_message(call, channel, "cant_delete_message")
    call.world.messages.delete(channel, message["ts"])
    call.world.bell.ring()
    return {"ok": True, "channel": channel.id, "ts": message["ts"]}


def get_permalink(call: Call) -> Json:
    channel = call.channel()
    message = channel.messages.get(call.required("message_ts"))
    if message is None:
        raise SlackError("message_not_found")
    return {"ok": True, "channel": channel.id, "permalink": call.world.link(channel, message)}


def _content(call: Call) -> Json:
    made = content(call.world, call.body())
    metadata = call.structure("metadata")
    if metadata is not None:
        check_metadata(metadata)
    return made | ({"metadata": metadata} if metadata else {})


def _may_post(call: Call, channel: Channel) -> None:
    if channel.is_archived:
        raise SlackError("is_archived")
    if channel.is_read_only or channel.is_frozen:
        raise SlackError("restricted_action_read_only_channel")
    if call.world.app.bot_user_id not in channel.members and not _may_post_uninvited(call, channel):
        raise SlackError("not_in_channel")
    if channel.kind == "im":
        other = next(m for m in channel.members if m != call.world.app.bot_user_id)
        call.open_dm(call.world.users[other])


def _may_post_uninvited(call: Call, channel: Channel) -> bool:
    return channel.kind == "public" and "chat:write.public" in call.world.manifest.scopes


def _thread(call: Call, channel: Channel) -> str | None:
    """The parent's ts; raises thread_not_found or, for the ts of a reply, cannot_reply_to_message."""
    ts = call.text("thread_ts")
    if not ts:
        return None
    parent = channel.messages.get(ts)
    if parent is None:
        raise SlackError("thread_not_found")
    if parent.get("thread_ts", ts) != ts:
        raise SlackError("cannot_reply_to_message")
    return ts


def _own_message(call: Call, channel: Channel, refusal: str) -> Json:
    message = channel.messages.get(call.required("ts"))
    if message is None or message.get("subtype") == "tombstone":
        raise SlackError("message_not_found")
    if message.get("bot_id") != call.world.app.bot_id:
        raise SlackError(refusal)
    return message


METHODS = (
    Method("chat.postMessage", post_message, ("chat:write",)),
    Method("chat.update", update, ("chat:write",)),
    Method("chat.postEphemeral", post_ephemeral, ("chat:write",)),
    Method("chat.delete", delete, ("chat:write",)),
    Method("chat.getPermalink", get_permalink),
)
