"""conversations.*: open, look up, list, read, join."""

from slack_simulator.api.call import Call, Method, need, read_scopes
from slack_simulator.errors import SlackError
from slack_simulator.messages import replies
from slack_simulator.model import Channel, Json
from slack_simulator.shapes import channel_json

_ANY_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_TYPES = {"public_channel": "public", "private_channel": "private", "im": "im", "mpim": "mpim"}


def open_(call: Call) -> Json:
    """Direct messages with one person."""
    names = call.names("users")
    if not names:
        raise SlackError("users_list_not_supplied")
    if unknown := [name for name in names if name not in call.world.users]:
        raise SlackError("user_not_found", response_metadata={"messages": [f"[ERROR] {unknown[0]}"]})
    user = call.world.users[names[0]]
    if call.world.is_stranger(user):
        raise SlackError("user_not_visible")
    channel = call.open_dm(user)
    return {"ok": True, "no_op": True, "already_open": True, "channel": {"id": channel.id}}


def info(call: Call) -> Json:
    return {"ok": True, "channel": _seen(call, _readable(call, "read"))}


def members(call: Call) -> Json:
    page, metadata = call.page(_readable(call, "read").members)
    return {"ok": True, "members": page, "response_metadata": metadata}


def list_(call: Call) -> Json:
    """Public channels and, where the app is a member, private ones and DMs; `types` narrows it."""
    wanted = {_TYPES.get(name.strip(), "") for name in call.names("types") or ["public_channel"]}
    bot, hide = call.world.app.bot_user_id, call.flag("exclude_archived")
    found = [
        _seen(call, c)
        for c in call.world.channels.values()
        if c.kind in wanted and (c.kind == "public" or bot in c.members) and not (hide and c.is_archived)
    ]
    page, metadata = call.page(found)
    return {"ok": True, "channels": page, "response_metadata": metadata}


def history(call: Call) -> Json:
    """Newest first, replies left out."""
    channel = _readable(call, "history")
    _member(call, channel)
    oldest, latest = call.text("oldest") or "0", call.text("latest") or "9999999999.999999"
    edge = call.flag("inclusive")
    top = [
        message
        for ts, message in channel.messages.items()
        if (oldest < ts < latest or (edge and ts in (oldest, latest)))
        and (message.get("thread_ts", ts) == ts or message.get("subtype") == "thread_broadcast")
    ]
    page, metadata = call.page([_shown(call, message) for message in reversed(top)])
    more = bool(metadata["next_cursor"])
    answer = {"ok": True, "messages": page, "has_more": more, "pin_count": 0}
    return answer | ({"response_metadata": metadata} if more else {})


def replies_(call: Call) -> Json:
    """The parent and its replies, oldest first."""
    channel = _readable(call, "history")
    _member(call, channel)
    ts = call.required("ts")
    if ts not in channel.messages:
        raise SlackError("thread_not_found")
    parent = channel.messages[ts].get("thread_ts", ts)
    oldest, latest = call.text("oldest") or "0", call.text("latest") or "9999999999.999999"
    edge = call.flag("inclusive")
    under = [m for m in replies(channel, parent) if oldest < m["ts"] < latest or (edge and m["ts"] in (oldest, latest))]
    page, metadata = call.page([_shown(call, m) for m in [channel.messages[parent], *under]], 1000)
    more = bool(metadata["next_cursor"])
    return {"ok": True, "messages": page, "has_more": more} | ({"response_metadata": metadata} if more else {})


def join(call: Call) -> Json:
    channel = call.channel()
    if channel.kind != "public":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    bot = call.world.app.bot_user_id
    already = bot in channel.members
    if not already:
        call.world.join(channel.id, bot)
    answer = {"ok": True, "channel": _seen(call, channel)}
    return answer | ({"warning": "already_in_channel"} if already else {})


def invite(call: Call) -> Json:
    channel = call.channel()
    _member(call, channel)
    for name in call.names("users"):
        if name not in call.world.users:
            raise SlackError("user_not_found")
        if name in channel.members:
            raise SlackError("already_in_channel")
        call.world.join(channel.id, name)
    return {"ok": True, "channel": _seen(call, channel)}


def _readable(call: Call, kind: str) -> Channel:
    channel = call.channel()
    need(call.world, read_scopes(channel, kind))
    return channel


def _member(call: Call, channel: Channel) -> None:
    if call.world.app.bot_user_id not in channel.members:
        raise SlackError("not_in_channel")


def _seen(call: Call, channel: Channel) -> Json:
    made = channel_json(channel, call.world.team, call.world.app.bot_user_id)
    return made | ({"num_members": len(channel.members)} if call.flag("include_num_members") else {})


def _shown(call: Call, message: Json) -> Json:
    """Metadata is read back only on request."""
    keep = call.flag("include_all_metadata")
    return {key: value for key, value in message.items() if keep or key != "metadata"}


METHODS = (
    Method("conversations.open", open_, ("im:write", "mpim:write")),
    Method("conversations.info", info),
    Method("conversations.members", members),
    Method("conversations.list", list_, _ANY_READ),
    Method("conversations.history", history),
    Method("conversations.replies", replies_),
    Method("conversations.join", join, ("channels:join",)),
    Method("conversations.invite", invite, ("channels:manage", "channels:write.invites", "groups:write")),
)
