"""Access without approval, and looking back: a broken glass is always reviewed, and nobody reviews themselves."""

from __future__ import annotations

from . import ending
from .approving import unknown_policy
from .subject import Court, Fact, Subject

_OVER = ("ending", "closed")


def broken(court: Court, subject: Subject, fact: Fact) -> str | None:
    """From here on no approval is needed, for this request alone."""
    by, before = fact.by, court.unreviewed.get(fact.by["id"])
    if subject.state != "asked" or subject.glass != "asked":
        return "comes for a request that was not made so"
    subject.glass, subject.needed = "broken", 0
    court.broken.append(subject)
    court.unreviewed[subject.asker[0]] = subject.ref
    if by["id"] != subject.asker[0]:
        return "is not for the requester"
    if before is not None:
        return f"comes while {before}, of the same person, waits for its review"
    return unknown_policy(court, fact.data["policy_hash"])


def opened(_: Court, subject: Subject, fact: Fact) -> str | None:
    if subject.review:
        return "is a second one"
    subject.review = "open"
    if fact.data["why"] == "break_glass":
        return None if subject.glass == "broken" else "speaks of a glass that was not broken"
    return None if subject.state == "closed" else f"comes when the grant is {subject.state or 'not there'}, not over"


def flagged(court: Court, subject: Subject, fact: Fact) -> str | None:
    was, subject.review = subject.review, "flagged"
    if was != "open":
        return f"comes when the review is {was or 'not there'}"
    return _by_another(subject, fact) or unknown_policy(court, fact.data["policy_hash"])


def closed(court: Court, subject: Subject, fact: Fact) -> str | None:
    was, subject.review = subject.review, "reviewed"
    release(court, subject)
    if was not in ("open", "flagged"):
        return f"comes when the review is {was or 'not there'}"
    if subject.state not in _OVER:
        return f"comes when the grant is {subject.state}, not over"
    return _by_another(subject, fact) or unknown_policy(court, fact.data["policy_hash"])


def release(court: Court, subject: Subject) -> None:
    """Its requester may ask again: it was reviewed, or no access was given."""
    if court.unreviewed.get(subject.asker[0]) == subject.ref:
        del court.unreviewed[subject.asker[0]]


def failed(court: Court, subject: Subject, fact: Fact) -> str | None:
    release(court, subject)
    return ending.closed(court, subject, fact)


def in_words(court: Court) -> str:
    """A remark for whoever reads the report; empty where no glass was broken."""
    broken = court.broken
    if not broken:
        return ""
    still = sum(subject.review != "reviewed" for subject in broken)
    named = ", ".join(subject.ref for subject in broken[:10]) + (", …" if len(broken) > 10 else "")
    times = "once" if len(broken) == 1 else f"{len(broken)} times"
    told = f"the glass was broken {times}, for access that nobody approved ({named})"
    return f"{told}; {still or 'none'} of it still to be reviewed"


def _by_another(subject: Subject, fact: Fact) -> str | None:
    by = fact.by
    own = by["id"] == subject.asker[0] or by["slack_id"] == subject.asker[1]
    return f"was done by the requester, {by['name']}" if own else None
