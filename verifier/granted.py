"""Access while it is open: to the one who asked, at the target that was asked for, within the time that was given."""

from __future__ import annotations

from .subject import NEVER, Court, Fact, Place, Subject, seconds


def active(_: Court, subject: Subject, fact: Fact) -> str | None:
    if subject.state != "approved":
        return f"comes when the request is {subject.state or 'not asked'}, not approved"
    subject.state, subject.opens, subject.closes = "active", fact.at, subject.expires_at
    if subject.glass and not subject.review:
        return "is by break-glass, and no review of it was opened"
    subject.trouble, subject.excused = "", 0  # what was in doubt before explains nothing from here on
    return None if fact.data["expires_at"] == subject.expires_at else "has another deadline than was approved"


def intended(court: Court, subject: Subject, fact: Fact) -> str | None:
    n, by = fact.data["n"], fact.by
    if n in subject.leases:
        return f"repeats credential {n}"
    subject.leases[n] = "intended"
    return _usable(court, subject, fact) or (None if by["id"] == subject.asker[0] else "is not for the requester")


def issued(court: Court, subject: Subject, fact: Fact) -> str | None:
    n, by = fact.data["n"], fact.by
    before = subject.leases.get(n, "not intended")
    subject.leases[n] = "issued"
    if before != "intended":
        return f"of credential {n}, which was {before}"
    if fact.data["not_after"] > subject.expires_at:
        return f"of credential {n}, which outlives its grant"
    return _usable(court, subject, fact) or (None if by["id"] == subject.asker[0] else "is not for the requester")


def aborted(_: Court, subject: Subject, fact: Fact) -> str | None:
    n = fact.data["n"]
    known = subject.leases.get(n)
    subject.leases[n] = "taken back" if known in ("issued", "taken back") else "aborted"
    return None if known else f"of credential {n}, which was never intended"


def _usable(court: Court, subject: Subject, fact: Fact) -> str | None:
    if subject.state != "active":
        return f"comes when the grant is {subject.state or 'not there'}, not active"
    if subject.waits:
        return "comes before the first use has started the time"
    return outside(court, subject, Place(fact.seq, fact.at, fact.unsure), fact.type)


def outside(court: Court, subject: Subject, place: Place, type_: str) -> str | None:
    """Where it happened while access was not open. Just outside is an exception: clocks and wires take time."""
    if subject.opens == NEVER:
        return "happened without an active grant"
    away = max(subject.opens - place.at, place.at - subject.closes)
    if away > court.tolerance and not place.unsure:
        return f"happened {seconds(away)} outside its grant"
    if away > 0 and type_ != "session.closed":  # that it is over is said when it is
        court.note(subject, place.seq, f"{type_} happened {seconds(away)} outside its grant")
    return None


def told_late(court: Court, subject: Subject, place: Place, type_: str) -> None:
    """By somebody else, after the gateway that saw it was gone: its time is that of the telling."""
    away = max(0, place.at - subject.closes)
    where = f"{seconds(away)} after its grant" if away else "later"
    court.note(subject, place.seq, f"{type_} was told {where}, out of the recording of a gateway that had stopped")


def foreign(subject: Subject, type_: str, body: bytes) -> str | None:
    """An action by somebody else, or at another target."""
    if not body.startswith(subject.mark) and (body.startswith(b'{"by":') or type_ != "session.closed"):
        return "was not done by the requester"
    if type_ != "session.closed" and subject.at_target not in body:
        return "was done at another target than was asked for"
    return None
