"""Groups that are kept elsewhere, as the log has them: who is in one once for each content, and in every decision that
rests on it one line that names the content, `slack:S0OWNERS DIGEST FETCHED_AT`; where nobody knew, `slack:S0OWNERS -
ASKED_AT`. The digest is the first `SHORT` digits of `MembersSeen.digest`; times are microseconds since 1970.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from access.events import MembersSeen
from access.policy import Facts, Looked, NotLooked

SHORT = 16
LARGEST = 60_000  # bytes of one group's people in an entry, which holds 65,535 in all
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_UNKNOWN = "-"


class NotRecorded(Exception):
    """Something that a decision rested on is not among the entries; the text says what."""


def bounded(found: Looked | NotLooked, now: datetime) -> Looked | NotLooked:
    """As it is; a group that no entry can hold gives nothing, for its decisions could not be judged again."""
    if isinstance(found, NotLooked) or _size(found.people) <= LARGEST:
        return found
    why = f"It has {len(found.people)} members, more than the audit log takes. Ask an admin to name a smaller group."
    return NotLooked(why, now)


def lines(facts: Facts) -> tuple[str, ...]:
    """What a decision rests on, by group."""
    return tuple(_line(group, found) for group, found in sorted(facts.members.items()))


def seen(facts: Facts, at: datetime, known: Collection[str]) -> tuple[MembersSeen, ...]:
    """Who is in the groups that the facts have, without those whose digest is known."""
    found = ((group, each) for group, each in sorted(facts.members.items()) if isinstance(each, Looked))
    events = (_seen(group, each, at) for group, each in found)
    return tuple(event for event in events if event.digest not in known)


def facts_of(
    look_ups: Collection[str], written: tuple[str, ...], at: datetime, told: Mapping[str, MembersSeen]
) -> Facts:
    """The facts behind lines; `told` by `name_of`. Raises NotRecorded where one is missing or not told."""
    members = dict(_read(line, told) for line in written)
    if missing := sorted(set(look_ups) - members.keys()):
        raise NotRecorded(f"who was in {', '.join(missing)} is not among the entries")
    return Facts(at, members)


def name_of(event: MembersSeen) -> str:
    """How a line names this content."""
    return f"{event.group} {event.digest[:SHORT]}"


def digest(group: str, people: Collection[str]) -> str:
    """SHA-256 of the group and its people in order, as JSON."""
    return hashlib.sha256(json.dumps([group, *sorted(people)]).encode()).hexdigest()


def _seen(group: str, found: Looked, at: datetime) -> MembersSeen:
    return MembersSeen(at=at, group=group, people=tuple(sorted(found.people)), digest=digest(group, found.people))


def _line(group: str, found: Looked | NotLooked) -> str:
    if isinstance(found, NotLooked):
        return f"{group} {_UNKNOWN} {_micros(found.asked_at)}"
    return f"{group} {digest(group, found.people)[:SHORT]} {_micros(found.fetched_at)}"


def _read(line: str, told: Mapping[str, MembersSeen]) -> tuple[str, Looked | NotLooked]:
    group, _, rest = line.partition(" ")
    short, _, micros = rest.partition(" ")
    if not micros.isdecimal():
        raise NotRecorded(f"“{line[:80]}” does not say who was looked up")
    moment = _EPOCH + int(micros) * _MICRO
    if short == _UNKNOWN:
        return group, NotLooked("Nobody knew.", moment)
    event = told.get(f"{group} {short}")
    if event is None or event.digest != digest(group, event.people):
        raise NotRecorded(f"who was in {group} is not among the entries")
    return group, Looked(frozenset(event.people), moment)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICRO


def _size(people: Collection[str]) -> int:
    return sum(map(len, people)) + 3 * len(people)
