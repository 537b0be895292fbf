"""The workspace: people, channels, one app, and everything that can be looked up or changed in it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slack_simulator import shapes
from slack_simulator.bell import Bell
from slack_simulator.clock import Clock
from slack_simulator.courier import Courier
from slack_simulator.errors import ActError, SeedError
from slack_simulator.events import Events
from slack_simulator.faults import Faults
from slack_simulator.journal import Journal
from slack_simulator.manifest import Manifest
from slack_simulator.messages import Messages
from slack_simulator.model import Channel, Json, Team, User, UserGroup
from slack_simulator.rates import Rates
from slack_simulator.seed import Seed, read_seed
from slack_simulator.triggers import ResponseUrls, Triggers
from slack_simulator.views import Views

if TYPE_CHECKING:
    from slack_simulator.people import Person


class Workspace:
    """The seeded world and its engine, without sockets."""

    def __init__(self, seed: Seed, manifest: Manifest) -> None:
        self.manifest, self.app, self.team, self.teams = manifest, seed.app, seed.team, seed.teams
        self.users, self.groups, self.channels, self.ids = seed.users, seed.groups, seed.channels, seed.ids
        self.base_url = "http://127.0.0.1"
        self.clock, self.bell = Clock(), Bell()
        self.journal = Journal(self.clock.now)
        self.journal.on_write.append(lambda _entry: self.bell.ring())
        self.faults = Faults(self.ids, self.journal)
        self.rates = Rates(self.clock.now, on=seed.rate_limits)
        self.messages = Messages(self.clock.now)
        self.triggers = Triggers(self.ids, self.clock.now)
        self.response_urls = ResponseUrls(self.ids, self.clock.now, self.team.id)
        self.views = Views(self.ids, self.clock.now, self.team, self.app)
        self.courier = Courier(self.ids, self.clock, self.journal, self.faults)
        self.courier.expire_trigger = self.triggers.expire
        self.events = Events(self)
        self._people: dict[str, Person] = {}
        for channel_id, user_id, text in seed.messages:
            self.say(self.channels[channel_id], user_id, text)

    @classmethod
    def from_seed(cls, seed: Mapping[str, Any], manifest: Mapping[str, Any]) -> "Workspace":
        """A workspace from parsed seed and manifest files (see seed.py); raises SeedError."""
        read = read_seed(seed)
        if read.app.delivery not in ("socket", "http"):
            raise SeedError("app.delivery in the seed must be socket or http.")
        return cls(read, Manifest.parse(manifest))

    # Looking things up.

    def person(self, name: str) -> "Person":
        """Act as this person, named by id or handle."""
        from slack_simulator.people import Person  # noqa: PLC0415 - a person acts on a workspace

        user = self.user(name)
        return self._people.setdefault(user.id, Person(self, user))

    def user(self, name: str) -> User:
        """By id, handle, or BOT for the app's own user; raises ActError."""
        if name == "BOT":
            return self.users[self.app.bot_user_id]
        handle = name.lstrip("@")
        for user in self.users.values():
            if handle in (user.id, user.name):
                return user
        raise ActError(f"There is nobody called {name!r} here; there are {[u.name for u in self.users.values()]}.")

    def channel(self, name: str) -> Channel:
        """By id or name, with or without the hash sign; raises ActError."""
        for channel in self.channels.values():
            if name == channel.id or name.lstrip("#") == channel.name != "":
                return channel
        raise ActError(f"There is no channel {name!r} here.")

    def group(self, name: str) -> UserGroup:
        for group in self.groups.values():
            if name.lstrip("@") in (group.id, group.handle):
                return group
        raise ActError(f"There is no user group {name!r} here.")

    def dm(self, user: str, other: str) -> Channel:
        """The direct conversation of two people, made when it is first needed."""
        for channel in self.channels.values():
            if channel.kind == "im" and set(channel.members) == {user, other}:
                return channel
        made = Channel(self.ids.new("D"), kind="im", members=[user, other], created=int(self.clock.now()))
        self.channels[made.id] = made
        return made

    def is_ours(self, user: User) -> bool:
        return user.team_id == self.team.id

    def is_stranger(self, user: User) -> bool:
        """From another workspace and in no channel with us."""
        shares = any(user.id in c.members for c in self.channels.values() if c.kind != "im")
        return user.is_stranger or (not self.is_ours(user) and not shares)

    def home_team(self, user: User) -> Team:
        return self.teams.get(user.team_id, self.team)

    def user_json(self, user: User) -> Json:
        with_email = "users:read.email" in self.manifest.scopes
        return shapes.user_json(user, stranger=self.is_stranger(user), with_email=with_email)

    def link(self, channel: Channel, message: Json) -> str:
        """The permalink of a message, which the page opens."""
        path = f"{self.base_url}/archives/{channel.id}/p{message['ts'].replace('.', '')}"
        parent = message.get("thread_ts", message["ts"])
        return path if parent == message["ts"] else f"{path}?thread_ts={parent}&cid={channel.id}"

    # Writing messages.

    def say(self, channel: Channel, user_id: str, text: str, thread: str | None = None) -> Json:
        """A person's own message; `text` is escaped as the client does."""
        safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        message = {"user": user_id, "text": safe, "team": self.users[user_id].team_id}
        return self.posted(channel, self.messages.post(channel, message, thread))

    def posted(self, channel: Channel, message: Json) -> Json:
        """Tell the app and everybody waiting about a new message."""
        self.events.message(channel, message)
        self.bell.ring()
        return message

    # Changing the world. Every change is journalled and tells the app what Slack would tell it.

    def set_flags(self, user: str, **flags: Any) -> None:
        """Change fields of a person (see model.User), for example is_restricted=True for a guest."""
        person = self.user(user)
        for name, value in flags.items():
            if not hasattr(person, name):
                raise SeedError(f"A user has no flag {name!r}.")
            setattr(person, name, value)
        person.updated = int(self.clock.now())
        self.journal.write("admin", "set_flags", user=person.id, flags=flags)
        self.events.send("user_change", user=self.user_json(person), cache_ts=person.updated)

    def deactivate(self, user: str) -> None:
        self.set_flags(user, deleted=True)

    def group_add(self, group: str, user: str) -> None:
        self._regroup(group, added=self.user(user).id)

    def group_remove(self, group: str, user: str) -> None:
        self._regroup(group, removed=self.user(user).id)

    def group_disable(self, group: str) -> None:
        found = self.group(group)
        found.disabled, found.updated = True, int(self.clock.now())
        self.journal.write("admin", "group_disable", group=found.id)
        self.events.send("subteam_updated", subteam=shapes.group_json(found, self.team, with_users=True))

    def join(self, channel: str, user: str) -> None:
        self._member(channel, self.user(user).id, joins=True)

    def leave(self, channel: str, user: str) -> None:
        """Leave or be removed; `BOT` is the app itself."""
        self._member(channel, self.user(user).id, joins=False)

    def channel_archive(self, channel: str) -> None:
        where = self.channel(channel)
        where.is_archived = True
        self.journal.write("admin", "channel_archive", channel=where.id)
        kind = "channel_archive" if where.kind == "public" else "group_archive"
        self.events.send(kind, channel=where.id, user=next(iter(where.members), ""))

    def channel_unarchive(self, channel: str) -> None:
        where = self.channel(channel)
        where.is_archived = False
        self.journal.write("admin", "channel_unarchive", channel=where.id)
        kind = "channel_unarchive" if where.kind == "public" else "group_unarchive"
        self.events.send(kind, channel=where.id, user=next(iter(where.members), ""))

    def channel_rename(self, channel: str, name: str) -> None:
        """Another name; the id stays."""
        where = self.channel(channel)
        where.name = name
        self.journal.write("admin", "channel_rename", channel=where.id, name=name)
        kind = "channel_rename" if where.kind == "public" else "group_rename"
        self.events.send(kind, channel={"id": where.id, "name": name, "created": where.created})

    def share_externally(self, channel: str, team: str = "", *, pending: bool = False) -> str:
        """Share with another workspace. A G channel gets a new C id at once; returns the id."""
        where = self.channel(channel)
        where.is_ext_shared, where.is_pending_ext_shared = not pending, pending
        other = team or next((t for t in self.teams if t != self.team.id), "")
        where.connected_teams = [other] if other and not pending else []
        self.journal.write("admin", "share_externally", channel=where.id, pending=pending)
        if where.id.startswith("G"):
            self._rename(where)
        if not pending:
            self.events.send("channel_shared", channel=where.id, connected_team_id=other)
        return where.id

    def revoke_token(self) -> None:
        self.app.token_revoked = True
        self.events.send("tokens_revoked", tokens={"oauth": [], "bot": [self.app.bot_user_id]})
        self.journal.write("admin", "revoke_token")

    def uninstall(self) -> None:
        self.events.send("app_uninstalled")
        self.app.installed = False
        self.journal.write("admin", "uninstall")

    def _rename(self, channel: Channel) -> None:
        old, new = channel.id, "C" + channel.id[1:]
        while new in self.channels:
            new = self.ids.new("C")
        channel.former_ids.append(old)
        channel.id = new
        self.channels = {c.id: c for c in self.channels.values()}
        for message in self.messages.ephemerals:
            message["channel"] = new if message["channel"] == old else message["channel"]
        self.events.send("channel_id_changed", old_channel_id=old, new_channel_id=new)

    def _regroup(self, name: str, added: str = "", removed: str = "") -> None:
        group = self.group(name)
        group.users = [u for u in [*group.users, added] if u and u != removed]
        group.updated, before = int(self.clock.now()), group.updated
        plus, minus = [u for u in [added] if u], [u for u in [removed] if u]
        self.journal.write("admin", "group", group=group.id, added=plus, removed=minus)
        self.events.send(
            "subteam_members_changed",
            subteam_id=group.id,
            team_id=self.team.id,
            date_previous_update=before,
            date_update=group.updated,
            added_users=plus,
            added_users_count=len(plus),
            removed_users=minus,
            removed_users_count=len(minus),
        )

    def _member(self, name: str, user: str, *, joins: bool) -> None:
        channel = self.channel(name)
        channel.members = [m for m in channel.members if m != user] + ([user] if joins else [])
        verb = "member_joined_channel" if joins else "member_left_channel"
        self.journal.write("admin", verb, channel=channel.id, user=user)
        letter = {"channel": "C", "group": "G"}.get(channel.type_name, "D")
        self.events.send(verb, user=user, channel=channel.id, channel_type=letter, team=self.team.id)
