"""Whether a request's ticket will do: asked of the system that the rule names, when somebody asks for access, when an
approval counts and when a grant is first used. Where the policy has a pattern alone, nobody is asked.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from access.errors import Refused
from access.model import Grant, Person, Request
from access.policy import LONGEST_TICKET, Policy, Rule, Verdict
from access.ports import NoSuchTicket, Ticket, Tickets, TicketSystemSilent

PATTERN = "pattern"  # the system that is none
_REMEMBERED = 2_000  # tickets whose title can still be shown

_Answer = Ticket | NoSuchTicket | TicketSystemSilent


@dataclass(frozen=True, slots=True)
class Said:
    """What the systems say of one ticket, by their names."""

    answers: Mapping[str, _Answer] = field(default_factory=dict)

    def ticket(self, rule: Rule | None) -> Ticket | None:
        """As the rule's system knows it."""
        found = self.answers.get(rule.ticket_system) if rule else None
        return found if isinstance(found, Ticket) else None

    def must_do(self, rule: Rule, text: str) -> str:
        """The snapshot of a ticket that the rule is content with; empty where there was nothing to ask.

        Raises Refused and TicketSystemSilent, both with `field`.
        """
        if not is_asked(rule, text):
            return ""
        match self.answers.get(rule.ticket_system):
            case Ticket() as ticket:
                if not (verdict := check_ticket(ticket, rule)).allowed:
                    raise Refused(verdict.why, rule=rule.name, field="ticket")
                return ticket.snapshot
            case NoSuchTicket() as error:
                raise Refused(str(error), rule=rule.name, field="ticket")
            case TicketSystemSilent() as error:
                raise error
        raise TicketSystemSilent(f"prodaccess is not connected to {rule.ticket_system}. Ask an admin to set it up.")


@dataclass(frozen=True)
class Ticketing:
    """`systems`: by the name that a policy has for them."""

    systems: Mapping[str, Tickets] = field(default_factory=dict)
    _shown: OrderedDict[tuple[str, str], Ticket] = field(default_factory=OrderedDict, repr=False)

    def key(self, rules: Iterable[Rule], text: str) -> str:
        """The key that a key or a link means to the first system that understands it; else the text."""
        for name in dict.fromkeys(rule.ticket_system for rule in rules if is_asked(rule, text)):
            try:
                return self.systems[name].key(text)
            except (KeyError, NoSuchTicket):
                continue
        return text

    async def look(self, rules: Iterable[Rule], text: str, by: Person, *, fresh: bool = False) -> Said:
        """What the systems of these rules say; with `fresh`, asked for now. Does not raise."""
        names = dict.fromkeys(rule.ticket_system for rule in rules if is_asked(rule, text))
        systems = [self.systems[name] for name in names if name in self.systems]
        answers = await asyncio.gather(*(self._ask(system, text, by, fresh=fresh) for system in systems))
        return Said({system.name: answer for system, answer in zip(systems, answers, strict=True)})

    async def _ask(self, system: Tickets, text: str, by: Person, *, fresh: bool) -> _Answer:
        try:
            ticket = await system.look(text, by, fresh=fresh)
        except (NoSuchTicket, TicketSystemSilent) as error:
            return error
        self._remember(text, ticket)
        return ticket

    def _remember(self, text: str, ticket: Ticket) -> None:
        for key in {(ticket.system, text), (ticket.system, ticket.key)}:
            self._shown[key] = ticket
            self._shown.move_to_end(key)
        while len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)

    def known(self, rule: Rule | None, text: str) -> Ticket | None:
        """What was last said of it, to be shown: no decision rests on that."""
        return self._shown.get((rule.ticket_system, text)) if rule else None


def is_asked(rule: Rule, text: str) -> bool:
    """Whether a system has to be asked about this ticket."""
    return bool(text) and rule.ticket_system != PATTERN


def rule_of(policy: Policy, request: Request | None) -> Rule | None:
    """The rule by which a request was approved, as the policy has it today; without it the first of its role."""
    if request is None:
        return None
    name = request.votes[-1].rule if request.votes else request.rule
    return policy.rule_named(name) or policy.rule(request.target, request.role)


def is_first_use(grant: Grant) -> bool:
    """Whether nobody has been given a credential of it so far."""
    return all(not lease.public_id or lease.aborted_at is not None for lease in grant.leases)


def check_ticket(ticket: Ticket, rule: Rule) -> Verdict:
    """Right key, right project, and open where that is wanted; what is not known does not count as open."""
    projects = rule.ticket_projects
    if len(ticket.key) > LONGEST_TICKET or not re.fullmatch(rule.ticket_pattern, ticket.key):
        return _no(rule, f"“{ticket.key}” is not the kind of ticket that the policy wants.")
    if projects is not None and ticket.project.lower() not in {project.lower() for project in projects}:
        wanted = ", ".join(sorted(projects)) or "no project at all"
        return _no(rule, f"{ticket.key} is in {ticket.project or 'no project'}; the policy wants a ticket of {wanted}.")
    if rule.ticket_open and ticket.state == "closed":
        return _no(rule, f"{ticket.key} is closed. Reopen it, or name one that is open.")
    if rule.ticket_open and ticket.state == "unknown":
        return _no(rule, f"Nobody can tell whether {ticket.key} is open, and the policy wants it open.")
    said = "" if ticket.state == "unknown" else f" and is {ticket.state}"
    return Verdict(allowed=True, rule=rule.name, why=f"{ticket.key} exists{said}.", field="ticket")


def _no(rule: Rule, why: str) -> Verdict:
    return Verdict(allowed=False, rule=rule.name, why=why, field="ticket")
