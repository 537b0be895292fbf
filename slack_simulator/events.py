"""Events: which ones this app hears, and the envelope they come in."""

from typing import TYPE_CHECKING, Any

from slack_simulator.model import Channel, Json

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace

# Slack lets an app subscribe to these only with one of these scopes.
_NEEDS = {
    "channel_archive": {"channels:read"},
    "group_archive": {"groups:read"},
    "channel_unarchive": {"channels:read"},
    "group_unarchive": {"groups:read"},
    "channel_rename": {"channels:read"},
    "group_rename": {"groups:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "member_left_channel": {"channels:read", "groups:read"},
    "user_change": {"users:read"},
    "team_join": {"users:read"},
    "subteam_members_changed": {"usergroups:read"},
    "subteam_updated": {"usergroups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
}


class Events:
    """Builds events and hands the subscribed ones to the courier."""

    def __init__(self, world: "Workspace") -> None:
        self._world = world

    def send(self, kind: str, *, subscription: str = "", **event: Any) -> None:
        """Emit an event when the manifest subscribes to it and its scope is granted."""
        world = self._world
        name = subscription or kind
        needs = _NEEDS.get(name, set())
        if not world.app.installed or name not in world.manifest.events:
            return
        if needs and not needs & world.manifest.scopes:
            return
        stamped = {"type": kind, "event_ts": world.messages.next_ts(), **event}
        world.courier.emit(kind, self._wrapped(stamped))

    def message(self, channel: Channel, message: Json) -> None:
        """Echo a message, the app's own too, to an app that subscribed to this kind of channel."""
        plural = {"channel": "channels", "group": "groups"}.get(channel.type_name, channel.type_name)
        body = {**message, "channel": channel.id, "channel_type": channel.type_name}
        body.pop("type", None)
        self.send("message", subscription=f"message.{plural}", **body)

    def _wrapped(self, event: Json) -> Json:
        world = self._world
        enterprise = world.team.enterprise_id
        channel = world.channels.get(event["channel"]) if isinstance(event.get("channel"), str) else None
        seen_by = {
            "enterprise_id": enterprise,
            "team_id": world.team.id,
            "user_id": world.app.bot_user_id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        return {
            "token": world.app.verification_token,
            "team_id": world.team.id,
            "api_app_id": world.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": world.ids.new("Ev"),
            "event_time": int(world.clock.now()),
            "authorizations": [seen_by],
            "is_ext_shared_channel": bool(channel and channel.is_ext_shared),
            "event_context": f"1-{event['type']}-{world.team.id}-{world.app.id}",
            "context_team_id": world.team.id,
            "context_enterprise_id": enterprise,
        }
