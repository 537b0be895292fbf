"""How a request ends: once, with everything taken back, and in time. Late is an exception where the log says why."""

from __future__ import annotations

from .subject import NEVER, SECOND, Court, Fact, Subject, seconds

_ESCALATES = 300 * SECOND  # a revocation that goes on failing is written down again well within this


def closed(_: Court, subject: Subject, fact: Fact) -> str | None:
    expected = ("approved",) if fact.type == "grant.failed" else ("asked",)
    was, subject.state = subject.state, "closed"
    return None if was in expected else f"comes when the request is {was or 'not asked'}"


def ending(_: Court, subject: Subject, fact: Fact) -> str | None:
    was, subject.state, subject.closes = subject.state, "ending", min(fact.at, subject.expires_at)
    if wrong := _dated(fact):
        return wrong
    if fact.data["cause"] == "not_used" and not subject.waits:
        return "says that it was not used, and it was"
    return None if was in ("approved", "active") else f"comes when the grant is {was or 'not there'}"


def troubled(_: Court, subject: Subject, fact: Fact) -> str | None:
    subject.trouble = subject.trouble or f"{fact.type} in entry {fact.seq}: {str(fact.data['why'])[:200]}"
    goes_on = fact.type == "grant.quarantined" or fact.data["escalated"]
    subject.excused = max(subject.excused, NEVER if goes_on else fact.at + _ESCALATES)
    expected = "approved" if fact.type == "grant.quarantined" else "ending"
    if wrong := _dated(fact):
        return wrong
    return None if subject.state == expected else f"comes when the grant is {subject.state or 'not there'}"


def ended(court: Court, subject: Subject, fact: Fact) -> str | None:
    if subject.state != "ending":
        return f"comes when the grant is {subject.state or 'not there'}, not ending"
    subject.state, how = "closed", list(subject.leases.values())
    issued = how.count("issued") + how.count("taken back")
    if fact.data["credentials"] < issued:
        return f"speaks of {fact.data['credentials']} credentials, but {issued} were issued"
    if fact.data["credentials"] > issued + how.count("aborted"):  # some of these were made, and never issued
        return f"speaks of {fact.data['credentials']} credentials, but only {issued} were issued"
    if not fact.data["proof"]:
        return "says nothing of what was checked at the provider"
    if wrong := _dated(fact):
        return wrong
    subject.told = fact.data.get("happened_at", 0)
    return late(court, subject, fact.seq, fact.at, "ended")


def _dated(fact: Fact) -> str | None:
    """What was done while the database was away says when; an entry's own time is that of its writing."""
    return "speaks of a time that was still to come" if fact.data.get("happened_at", 0) > fact.at else None


def late(court: Court, subject: Subject, seq: int, at: int, what: str) -> str | None:
    """An end, or none yet, at this time."""
    delay = at - subject.expires_at
    if delay <= court.tolerance:
        return None
    what = f"{what} {seconds(delay)} after its deadline"
    is_up = court.uptime.was_up(subject.expires_at, at)
    why = _reason(court, subject, at) or ("" if is_up else _word(subject))
    if why:
        court.note(subject, seq, f"{what}; {why}")
        return None
    what = f"{what}, and nothing in the log says why"
    if is_up:
        return f"{what}, although the server was up"
    court.unexplained += 1
    court.note(subject, seq, what)
    return None


def _word(subject: Subject) -> str:
    """The server's own, which nothing proves; and nothing where the log was written all the while."""
    if not subject.told:
        return ""
    gone = seconds(max(0, subject.told - subject.expires_at))
    return f"it says that everything was gone {gone} after it, and the database took that down only then"


def _reason(court: Court, subject: Subject, at: int) -> str:
    """Trouble that was still going on, or a server that was down at the deadline and ended it at its start."""
    if subject.trouble and at <= subject.excused:
        return subject.trouble
    is_down = court.started > subject.expires_at and court.before_start <= subject.expires_at + court.tolerance
    if is_down and at - court.started <= court.tolerance:
        return f"the server was started {seconds(at - court.started)} before"
    return ""
