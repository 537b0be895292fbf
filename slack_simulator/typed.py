"""What people type, as the app gets it: mentions become ids."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace


def resolved_text(world: "Workspace", text: str) -> str:
    """With should_escape: escaped, `@ada` as `<@U…>`, `#general` as `<#C…|general>`, groups as `<!subteam^S…>`."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    users = {user.name: f"<@{user.id}>" for user in world.users.values()}
    groups = {group.handle: f"<!subteam^{group.id}|@{group.handle}>" for group in world.groups.values()}
    # A private channel is not named to an app that may not see it.
    channels = {c.name: f"<#{c.id}|{'' if c.is_private else c.name}>" for c in world.channels.values() if c.name}
    people = groups | users
    safe = re.sub(r"(?<!\S)@([\w.-]+)", lambda m: people.get(m[1], m[0]), safe)
    return re.sub(r"(?<!\S)#([\w-]+)", lambda m: channels.get(m[1], m[0]), safe)
