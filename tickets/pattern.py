"""No ticket system: what fits the policy's pattern is a ticket, and nobody knows whether it is open."""

from __future__ import annotations

import re
from dataclasses import dataclass

from access.ports import Clock, NoSuchTicket, Ticket
from tickets.system import checked_length


@dataclass
class Pattern:
    """`pattern` is the rule's own. The project is what stands before the key's number: `OPS` of `OPS-12`."""

    pattern: str
    clock: Clock
    name: str = "pattern"

    async def fetch(self, text: str) -> Ticket:
        """Raises NoSuchTicket."""
        key = checked_length(text)
        if not re.fullmatch(self.pattern, key):
            raise NoSuchTicket(f"“{key}” does not look like a ticket; the policy wants {self.pattern}.")
        return Ticket(
            system=self.name,
            key=key,
            title="",
            url="",
            state="unknown",
            project=re.split(r"[-#][0-9]+$", key)[0],
            assignees=(),
            fetched_at=self.clock.now(),
        )
