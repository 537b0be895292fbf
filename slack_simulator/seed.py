"""The seed: a mapping (from YAML or JSON) that describes the workspace at its start.

    seed: 7                      every id and choice is drawn from it
    rate_limits: false           true: Slack's real budgets per method and one post a second per channel
    team: {id: T0ACME, name: Acme, domain: acme, enterprise_id: null}
    other_teams: [{id: T0OTHER, name: Other}]
    app:
      {id, name, bot_id, bot_user_id, bot_token, app_token, signing_secret, delivery: socket | http,
       commands_url, interactivity_url, events_url}
    users:    [{id, name, real_name, email, title, tz, tz_offset, team_id, deleted, is_restricted, ...}]
    groups:   [{id, handle, name, users: [name or id]}]
    channels: [{id, name, kind: public | private, members: [name or id], topic, is_ext_shared, connected_teams,
                messages: [{user: ada, text: hello}]}]

A person's `name` is the handle. The word `app` in a list of members means the app's own user. The keys of each
entry are the fields of the value in `model.py`; any other key is an error.
"""

import copy
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from slack_simulator.errors import SeedError
from slack_simulator.ids import Ids
from slack_simulator.model import App, Channel, Team, User, UserGroup

T = TypeVar("T")
_COLOURS = ("b3541e", "2f6f4f", "6b4fa0", "1f6f8b", "a03c5f", "7a6a1f", "3c5aa0", "8a4b2f")


@dataclass
class Seed:
    """The seed as values, every reference resolved to an id."""

    ids: Ids
    team: Team
    teams: dict[str, Team]
    app: App
    users: dict[str, User]
    groups: dict[str, UserGroup]
    channels: dict[str, Channel]
    messages: list[tuple[str, str, str]] = field(default_factory=list)  # channel id, user id, text
    rate_limits: bool = False


def read_seed(raw: Mapping[str, Any]) -> Seed:
    """Raises SeedError with the key that is wrong."""
    raw = copy.deepcopy(raw)  # the same parsed seed may be used again
    team = _make(Team, raw.get("team"), "team")
    app = _make(App, raw.get("app"), "app")
    ids = Ids(raw.get("seed", 0))
    users = {user.id: user for user in _users(raw, team)}
    users[app.bot_user_id] = User(
        app.bot_user_id, app.name, team.id, app.name, is_bot=True, is_app_user=True, color="2b6cb0"
    )
    seed = Seed(ids, team, {team.id: team}, app, users, {}, {}, rate_limits=bool(raw.get("rate_limits")))
    for other in raw.get("other_teams", ()):
        seed.teams[other["id"]] = _make(Team, other, "other_teams")
    for group in raw.get("groups", ()):
        made = _make(UserGroup, group, "groups")
        made.users = [_user_id(seed, name) for name in made.users]
        seed.groups[made.id] = made
    for channel in raw.get("channels", ()):
        _add_channel(seed, dict(channel))
    return seed


def _users(raw: Mapping[str, Any], team: Team) -> list[User]:
    made = []
    for entry in raw.get("users", ()):
        colour = _COLOURS[zlib.crc32(str(entry.get("name")).encode()) % len(_COLOURS)]
        user = _make(User, {"team_id": team.id, "color": colour, **entry}, "users")
        user.real_name = user.real_name or user.name.capitalize()
        user.enterprise_id = user.enterprise_id or (team.enterprise_id if user.team_id == team.id else None)
        made.append(user)
    return made


def _add_channel(seed: Seed, entry: dict[str, Any]) -> None:
    said = entry.pop("messages", ())
    prefix = "C" if entry.get("kind", "public") == "public" else "G"
    channel = _make(Channel, {"id": seed.ids.new(prefix), **entry}, "channels")
    channel.members = [_user_id(seed, name) for name in channel.members]
    seed.channels[channel.id] = channel
    seed.messages += [(channel.id, _user_id(seed, one["user"]), one["text"]) for one in said]


def _user_id(seed: Seed, name: str) -> str:
    if name == "app":
        return seed.app.bot_user_id
    for user in seed.users.values():
        if name in (user.id, user.name):
            return user.id
    raise SeedError(f"The seed names a user {name!r} that it does not describe.")


def _make(kind: type[T], raw: Any, where: str) -> T:
    if not isinstance(raw, Mapping):
        raise SeedError(f"The seed needs a mapping under {where}.")
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := set(raw) - known:
        raise SeedError(f"{where} in the seed: unknown key {sorted(unknown)[0]}; known are {sorted(known)}.")
    try:
        return kind(**raw)
    except TypeError as error:
        raise SeedError(f"{where} in the seed: {error}.") from error
