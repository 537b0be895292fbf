"""Whether a ticket that exists is good enough. Pure: the look-up came before."""

from __future__ import annotations

from dataclasses import dataclass

from access.policy import Verdict
from access.ports import Ticket


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule wants of a ticket. `projects` None: any that the system shows; empty: none will do."""

    projects: frozenset[str] | None = None
    must_be_open: bool = True


def check_ticket(ticket: Ticket, terms: Terms) -> Verdict:
    """Right project, and open where that is wanted; what is not known does not count as open."""
    if terms.projects is not None and ticket.project.lower() not in {p.lower() for p in terms.projects}:
        wanted = ", ".join(sorted(terms.projects)) or "no project at all"
        return _no(f"{ticket.key} is in {ticket.project or 'no project'}; the policy wants a ticket of {wanted}.")
    if terms.must_be_open and ticket.state == "closed":
        return _no(f"{ticket.key} is closed. Reopen it, or name one that is open.")
    if terms.must_be_open and ticket.state == "unknown":
        return _no(f"Nobody can tell whether {ticket.key} is open, and the policy wants it open.")
    said = "" if ticket.state == "unknown" else f" and is {ticket.state}"
    return Verdict(allowed=True, rule="", why=f"{ticket.key} exists{said}.", field="ticket")


def _no(why: str) -> Verdict:
    return Verdict(allowed=False, rule="", why=why, field="ticket")
