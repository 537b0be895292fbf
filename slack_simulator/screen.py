"""What one person has on the screen, as JSON: the page and out-of-process tests read it."""

from typing import TYPE_CHECKING

from slack_simulator.model import Channel, Json, User

if TYPE_CHECKING:
    from slack_simulator.people import Person
    from slack_simulator.workspace import Workspace

MOST_MESSAGES = 500  # on one screen


def screen(world: "Workspace", me: "Person", channel: str = "", thread: str = "") -> Json:
    """The sidebar, one channel, one thread, the modals and the home tab of this person."""
    if world.is_ours(me.user) and world.manifest.messages_tab:
        me.dm()
    seen = me.channels()
    where = next((c for c in seen if c.id == channel), None) or next(iter(seen), None)
    return {
        "team": {"id": world.team.id, "name": world.team.name},
        "app": {"id": world.app.id, "name": world.app.name, "user": world.app.bot_user_id},
        "me": me.id,
        "people": [_person(world, user) for user in world.users.values()],
        "groups": [{"id": g.id, "handle": g.handle, "users": g.users} for g in world.groups.values()],
        "commands": [vars(c) for c in world.manifest.commands] if world.is_ours(me.user) else [],
        "shortcuts": _shortcuts(world, me),
        "channels": [_channel(world, me, c) for c in seen],
        "channel": where.id if where else None,
        "messages": me.messages(where.id)[-MOST_MESSAGES:] if where else [],
        "thread": {"ts": thread, "messages": me.messages(where.id, thread)} if where and thread else None,
        "views": me.views,
        "home": me.home,
        "home_tab": world.manifest.home_tab and world.is_ours(me.user),
        "now": world.clock.now(),
        "skipped": world.clock.skipped,
    }


def _shortcuts(world: "Workspace", me: "Person") -> list[Json]:
    offered = world.is_ours(me.user) and world.app.installed and world.manifest.interactivity
    return [vars(shortcut) for shortcut in world.manifest.shortcuts] if offered else []


def _person(world: "Workspace", user: User) -> Json:
    team = world.home_team(user)
    return {
        "id": user.id,
        "name": user.name,
        "real_name": user.real_name,
        "title": user.title,
        "color": user.color,
        "is_bot": user.is_bot,
        "deleted": user.deleted,
        "guest": user.is_restricted or user.is_ultra_restricted,
        "external": "" if world.is_ours(user) else team.name,
    }


def _channel(world: "Workspace", me: "Person", channel: Channel) -> Json:
    other = next((m for m in channel.members if m != me.id), me.id) if channel.kind == "im" else None
    mine = [m["ts"] for m in world.messages.ephemerals if m["for_user"] == me.id and m["channel"] == channel.id]
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "with": other,
        "topic": channel.topic,
        "members": len(channel.members),
        "member": me.id in channel.members,
        "archived": channel.is_archived,
        "read_only": channel.is_read_only or channel.is_frozen,
        "external": channel.is_ext_shared,
        "last_ts": max([*channel.messages, *mine], default=""),
    }
