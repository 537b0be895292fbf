"""Credentials kept for the moments between two calls: in memory only, private, gone when they are over.

An SDK starts us at every call in the last quarter of an hour of a session; without this each of them would be a new
credential.
"""

from __future__ import annotations

import time
from typing import Any, TypeGuard

from .room import Room, find_room

_PARTS = {"ref", "target", "role", "kind", "public_id", "expires_at", "expires_in", "not_after", "secret", "hints"}
_EARLY = 60.0  # seconds before its end at which a credential that can still be renewed is


def kept(ref: str) -> dict[str, Any] | None:
    """The credential, while it is good. Looks at nothing else, so that it costs next to nothing."""
    room = find_room()
    found = room.read(_name(ref)) if room and room.in_memory else None
    if room is None or not _is_whole(found):
        return None
    if found["good_until"] > time.time():
        return dict(found["credential"])
    room.remove(_name(ref))
    return None


def keep(room: Room, credential: dict[str, Any]) -> None:
    """Until a minute before it ends, or to the end where a new one would not live longer. Not on a disk."""
    from .credential import seconds_left

    if not room.in_memory:
        return
    left = seconds_left(credential)
    life = left - _EARLY if left < credential["expires_in"] else left
    _sweep(room)
    if life > 0:
        room.write(_name(credential["ref"]), {"good_until": time.time() + life, "credential": credential})


def drop(room: Room, ref: str) -> None:
    """It has ended."""
    room.remove(_name(ref))


def _sweep(room: Room) -> None:
    for name in room.names():
        if not name.startswith("credential-"):
            continue
        found = room.read(name)
        if not _is_whole(found) or found["good_until"] <= time.time():
            room.remove(name)


def _is_whole(found: Any) -> TypeGuard[dict[str, Any]]:
    """A file of another version, or one that was cut off, is no credential."""
    if not isinstance(found, dict) or not isinstance(found.get("good_until"), float):
        return False
    credential = found.get("credential")
    return isinstance(credential, dict) and credential.keys() >= _PARTS


def _name(ref: str) -> str:
    return f"credential-{ref}.json"
