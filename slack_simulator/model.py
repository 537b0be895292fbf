"""The things in a workspace. Messages and views stay the JSON that Slack would show."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Team:
    id: str
    name: str
    domain: str = ""
    enterprise_id: str | None = None
    enterprise_name: str | None = None


@dataclass
class User:
    """A person or bot. Flags have Slack's names; `is_stranger` here forces what is otherwise worked out."""

    id: str
    name: str
    team_id: str
    real_name: str = ""
    email: str = ""
    title: str = ""
    tz: str = "Etc/UTC"
    tz_offset: int = 0
    color: str = "4a6fa5"
    deleted: bool = False
    is_bot: bool = False
    is_app_user: bool = False
    is_admin: bool = False
    is_owner: bool = False
    is_primary_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_email_confirmed: bool = True
    is_invited_user: bool = False
    enterprise_id: str | None = None
    enterprise_user_id: str | None = None
    updated: int = 0


@dataclass
class UserGroup:
    id: str
    handle: str
    name: str
    users: list[str] = field(default_factory=list)
    disabled: bool = False
    updated: int = 0


@dataclass
class Channel:
    """A conversation of any kind; `messages` by ts, in order, replies included."""

    id: str
    name: str = ""
    kind: str = "public"  # public, private, im, mpim
    members: list[str] = field(default_factory=list)
    topic: str = ""
    purpose: str = ""
    is_general: bool = False
    is_archived: bool = False
    is_frozen: bool = False
    is_read_only: bool = False
    is_ext_shared: bool = False
    is_pending_ext_shared: bool = False
    connected_teams: list[str] = field(default_factory=list)
    former_ids: list[str] = field(default_factory=list)
    created: int = 0
    messages: dict[str, Json] = field(default_factory=dict)

    @property
    def is_private(self) -> bool:
        return self.kind != "public"

    @property
    def type_name(self) -> str:
        """The name used in events and scopes: channel, group, im, mpim."""
        return {"public": "channel", "private": "group"}.get(self.kind, self.kind)


@dataclass
class App:
    """The one app of the workspace: what it is, how it is reached and whether it is still installed."""

    id: str
    name: str
    bot_id: str
    bot_user_id: str
    bot_token: str
    app_token: str
    signing_secret: str
    verification_token: str = "local-verification"  # noqa: S105 - deprecated by Slack, checked by nobody
    delivery: str = "socket"  # socket or http
    commands_url: str = ""
    interactivity_url: str = ""
    events_url: str = ""
    installed: bool = True
    token_revoked: bool = False
