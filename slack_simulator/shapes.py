"""How users, channels, groups and teams look in answers and events: Slack's field sets."""

from slack_simulator.model import App, Channel, Json, Team, User, UserGroup


def user_json(user: User, *, stranger: bool, with_email: bool) -> Json:
    profile: Json = {
        "title": user.title,
        "phone": "",
        "skype": "",
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "status_text": "",
        "status_emoji": "",
        "team": user.team_id,
    }
    if with_email and user.email:
        profile["email"] = user.email
    made: Json = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "color": user.color,
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": user.tz,
        "tz_offset": user.tz_offset,
        "profile": profile,
        "is_admin": user.is_admin,
        "is_owner": user.is_owner,
        "is_primary_owner": user.is_primary_owner,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_bot": user.is_bot,
        "is_app_user": user.is_app_user,
        "is_stranger": stranger,
        "is_email_confirmed": user.is_email_confirmed,
        "is_invited_user": user.is_invited_user,
        "updated": user.updated,
    }
    if user.enterprise_id:
        made["enterprise_user"] = {
            "id": user.enterprise_user_id or user.id,
            "enterprise_id": user.enterprise_id,
            "enterprise_name": "",
            "is_admin": False,
            "is_owner": False,
            "teams": [user.team_id],
        }
    return made


def channel_json(channel: Channel, team: Team, bot_user: str) -> Json:
    base: Json = {"id": channel.id, "created": channel.created, "is_archived": channel.is_archived}
    base |= {"is_im": channel.kind == "im", "is_org_shared": False, "context_team_id": team.id}
    if channel.kind == "im":
        other = next((m for m in channel.members if m != bot_user), bot_user)
        return base | {"user": other, "is_user_deleted": False, "priority": 0}
    return base | {
        "name": channel.name,
        "name_normalized": channel.name,
        # A private channel with a C id says is_channel, the old G ones say is_group.
        "is_channel": channel.id.startswith("C"),
        "is_group": channel.id.startswith("G"),
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.is_private,
        "is_general": channel.is_general,
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_pending_ext_shared": channel.is_pending_ext_shared,
        "pending_shared": [],
        "pending_connected_team_ids": [],
        "shared_team_ids": [team.id, *channel.connected_teams],
        "is_member": bot_user in channel.members,
        "creator": next(iter(channel.members), ""),
        "unlinked": 0,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": channel.purpose, "creator": "", "last_set": 0},
        "previous_names": [],
        "updated": channel.created * 1000,
    }


def group_json(group: UserGroup, team: Team, *, with_users: bool) -> Json:
    made: Json = {
        "id": group.id,
        "team_id": team.id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": "",
        "handle": group.handle,
        "is_external": False,
        "date_create": 0,
        "date_update": group.updated,
        "date_delete": group.updated if group.disabled else 0,
        "auto_provision": False,
        "enterprise_subteam_id": "",
        "prefs": {"channels": [], "groups": []},
        "user_count": len(group.users),
    }
    return made | {"users": list(group.users)} if with_users else made


def bot_profile(app: App, team: Team, updated: int) -> Json:
    return {
        "id": app.bot_id,
        "app_id": app.id,
        "name": app.name,
        "deleted": False,
        "updated": updated,
        "team_id": team.id,
        "icons": {"image_36": "", "image_48": "", "image_72": ""},
    }


def person_brief(user: User) -> Json:
    """The `user` of an interactive payload."""
    return {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id}


def team_brief(team: Team) -> Json:
    made: Json = {"id": team.id, "domain": team.domain}
    if team.enterprise_id:
        made |= {"enterprise_id": team.enterprise_id, "enterprise_name": team.enterprise_name or ""}
    return made
