"""How long access lasts: from its first use where that is what starts it, and longer only as another decision said."""

from __future__ import annotations

from .subject import SECOND, Court, Fact, Subject


def given(court: Court, subject: Subject, fact: Fact) -> str | None:
    """The time that an approval gives: from now on, from the first use on, or beyond another's end."""
    data = fact.data
    subject.expires_at = data["expires_at"]
    if subject.extends:
        court.extensions[subject.ref] = subject
        subject.state = "closed"  # it has no grant of its own
        return None
    if data.get("first_use", False):
        too_long = data["duration"] > subject.duration
        subject.waits, subject.duration = True, data["duration"]
        return "lasts longer than was asked for and approved" if too_long else None
    if subject.expires_at > fact.at + (subject.duration + 1) * SECOND:
        return "lasts longer than was asked for and approved"
    return None


def started(_: Court, subject: Subject, fact: Fact) -> str | None:
    if subject.state != "active":
        return f"comes when the grant is {subject.state or 'not there'}, not active"
    waited, until = subject.waits, subject.expires_at
    subject.waits, subject.expires_at = False, fact.data["expires_at"]
    subject.closes = subject.expires_at
    if not waited:
        return "comes for a grant whose time runs already"
    if fact.by["id"] != subject.asker[0]:
        return "was not done by the requester"
    if fact.at > until and not fact.unsure:
        return "comes after the time to wait for it"
    return "lasts longer than was approved" if _beyond(subject, fact.at) else None


def extended(court: Court, subject: Subject, fact: Fact) -> str | None:
    """By an approved request of the same person for this grant, once, and by no more than was asked for there."""
    data, was = fact.data, subject.expires_at
    subject.expires_at = subject.closes = data["expires_at"]
    if subject.state != "active" or subject.waits:
        return f"comes when the grant is {'not started' if subject.waits else subject.state or 'not there'}"
    by = court.extensions.pop(data["extension"], None)
    if by is None or by.extends != subject.ref or by.asker[0] != subject.asker[0]:
        return f"rests on {data['extension']}, which was not approved for it"
    if data["was"] != was or data["expires_at"] != by.expires_at:
        return "has another end than was approved"
    return "lasts longer than was asked for and approved" if _beyond(by, was) else None


def expiring(_: Court, subject: Subject, fact: Fact) -> str | None:
    if subject.state != "active":
        return f"comes when the grant is {subject.state or 'not there'}, not active"
    return None if fact.data["expires_at"] == subject.expires_at else "names another end than the grant has"


def unspent(court: Court) -> None:
    """Extensions that were approved, and no grant became longer."""
    for subject in court.extensions.values():
        court.note(subject, subject.last, f"{subject.extends} was to become longer, and nothing says that it did")


def _beyond(subject: Subject, start: int) -> bool:
    return subject.expires_at > start + (subject.duration + 1) * SECOND
