"""The sign-in of this terminal, and where the server is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from ..credentials.room import Room, find_room
from ..exits import NotSignedIn, Usage

_FILE = "session.json"
_HOW = "Not signed in on this terminal. Type /prodaccess login in Slack, then run: prodaccess login"


class Session(NamedTuple):
    """`key` is the Ed25519 seed, base64url; without it the token is worth nothing."""

    server: str
    token: str
    key: str
    person: str
    expires_at: str

    def __repr__(self) -> str:
        return f"Session({self.server}, {self.person})"


def load() -> tuple[Session, Room]:
    """Raises NotSignedIn."""
    room = find_room()
    stored = room.read(_FILE) if room else None
    if room is None or not _is_whole(stored):
        raise NotSignedIn(_HOW)
    session = Session(**stored)
    wanted = os.environ.get("PRODACCESS_SERVER", "").rstrip("/")
    if wanted and wanted != session.server:  # a token is never shown to another server
        raise NotSignedIn(f"Signed in at {session.server}, not at {wanted}. Run: prodaccess login --server {wanted}")
    return session, room


def _is_whole(stored: Any) -> TypeGuard[dict[str, str]]:
    """A file of another version, or one that was cut off, is no sign-in."""
    if not isinstance(stored, dict) or set(stored) != set(Session._fields):
        return False
    return all(isinstance(value, str) and value.isprintable() for value in stored.values()) and len(stored["key"]) == 43


def save(session: Session, room: Room) -> None:
    """A new sign-in; what the one before had collected goes."""
    forget(room)
    room.write(_FILE, session._asdict())


def forget(room: Room) -> None:
    """Everything in the room."""
    for name in room.names():
        room.remove(name)


def server_url(wanted: str | None) -> str:
    """What was said, else PRODACCESS_SERVER, else what the last sign-in remembered. Raises Usage."""
    url = (wanted or os.environ.get("PRODACCESS_SERVER") or _remembered()).rstrip("/")
    if not url:
        raise Usage("Say where the server is: prodaccess login --server https://prodaccess.example.com")
    return url


def remember_server(url: str) -> None:
    """Not a secret, so it stays in the home directory."""
    place = _config()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"server": url}) + "\n", encoding="utf-8")


def _remembered() -> str:
    try:
        return str(json.loads(_config().read_text(encoding="utf-8"))["server"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _config() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "prodaccess" / "config.json"
