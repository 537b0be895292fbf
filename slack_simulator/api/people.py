"""users.*, usergroups.*, team.info and bots.info."""

from slack_simulator.api.call import Call, Method
from slack_simulator.errors import SlackError
from slack_simulator.model import Json, User
from slack_simulator.shapes import group_json


def user_info(call: Call) -> Json:
    user = call.user()
    return {"ok": True, "user": call.world.user_json(user)}


def users_list(call: Call) -> Json:
    everybody = [_listed(call, u) for u in call.world.users.values() if call.world.is_ours(u)]
    page, metadata = call.page(everybody)
    when = int(call.world.clock.now())
    return {"ok": True, "members": page, "cache_ts": when, "response_metadata": metadata}


def _listed(call: Call, user: User) -> Json:
    """A user as lists show it: two flags are told by users.info alone."""
    only_info = ("is_stranger", "is_invited_user")
    return {key: value for key, value in call.world.user_json(user).items() if key not in only_info}


def lookup_by_email(call: Call) -> Json:
    wanted = call.required("email").lower()
    for user in call.world.users.values():
        if user.email.lower() == wanted and not user.deleted and call.world.is_ours(user):
            return {"ok": True, "user": _listed(call, user)}
    raise SlackError("users_not_found")


def groups_list(call: Call) -> Json:
    shown = [g for g in call.world.groups.values() if call.flag("include_disabled") or not g.disabled]
    with_users = call.flag("include_users")
    made = [group_json(group, call.world.team, with_users=with_users) for group in shown]
    return {"ok": True, "usergroups": made}


def group_users(call: Call) -> Json:
    group = call.world.groups.get(call.required("usergroup"))
    if group is None or (group.disabled and not call.flag("include_disabled")):
        raise SlackError("no_such_subteam")
    return {"ok": True, "users": list(group.users)}


def team_info(call: Call) -> Json:
    team = call.world.team
    made: Json = {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": ""}
    made |= {"url": f"{call.world.base_url}/", "is_verified": False, "icon": {"image_default": True}}
    return {"ok": True, "team": made}


def bot_info(call: Call) -> Json:
    app = call.world.app
    if call.text("bot") not in ("", app.bot_id):
        raise SlackError("bot_not_found")
    made: Json = {"id": app.bot_id, "deleted": False, "name": app.name, "updated": 0, "app_id": app.id}
    return {"ok": True, "bot": made | {"user_id": app.bot_user_id, "icons": {"image_36": ""}}}


METHODS = (
    Method("users.info", user_info, ("users:read",)),
    Method("users.list", users_list, ("users:read",)),
    Method("users.lookupByEmail", lookup_by_email, ("users:read.email",)),
    Method("usergroups.list", groups_list, ("usergroups:read",)),
    Method("usergroups.users.list", group_users, ("usergroups:read",)),
    Method("team.info", team_info, ("team:read",)),
    Method("bots.info", bot_info, ("users:read",)),
)
