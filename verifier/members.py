"""Groups that are kept elsewhere: who was in them is told before a decision rests on it, and is what it says it is."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .subject import Court

SEEN = "members.seen"
_SHORT = 16  # digits of the digest that name the members in a decision


def seen(court: Court, data: dict[str, Any]) -> str | None:
    """Take one content of a group; what is wrong with it, or None."""
    group, people, digest = data["group"], data["people"], data["digest"]
    court.members.add(f"{group} {digest[:_SHORT]}")
    told = hashlib.sha256(json.dumps([group, *people]).encode()).hexdigest()
    return None if told == digest else f"has another digest than the members of {str(group)[:80]}"


def untold(court: Court, data: dict[str, Any]) -> str | None:
    """A decision that rests on members which no entry before it tells. In a piece of a log they may stand before it."""
    for line in data.get("looked", ()) if court.whole else ():
        name, _, _ = str(line).rpartition(" ")
        if not name.endswith(" -") and name not in court.members:
            return f"rests on members of {name.partition(' ')[0][:80]} that no entry before it tells"
    return None
