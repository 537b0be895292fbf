"""Jira, Cloud and Data Center: `GET /rest/api/2/issue/KEY`, which both have and which for these fields is version 3."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from access.ports import Clock, NoSuchTicket, Ticket, TicketSystemSilent
from tickets.http import Rest
from tickets.links import below
from tickets.system import checked_length, fetched, shown, trouble_of

_KEY = r"[A-Z][A-Z0-9_]*-[1-9][0-9]{0,9}"
_TYPED = re.compile(rf"({_KEY})", re.ASCII | re.IGNORECASE)
_IN_LINK = re.compile(rf"(?:/(?:browse|issues)/|[?&]selectedIssue=)({_KEY})(?![\w-])", re.ASCII | re.IGNORECASE)
_FIELDS = (("fields", "summary,status,project,assignee"),)
#: category of a status -> what it means here; Atlassian's examples say in-flight and completed, Jira itself the others
_STATES: dict[str, Literal["open", "closed"]] = {
    "undefined": "open",
    "new": "open",
    "indeterminate": "open",
    "in-flight": "open",
    "done": "closed",
    "completed": "closed",
}


class _Category(msgspec.Struct):
    key: str


class _Status(msgspec.Struct, rename="camel"):
    status_category: _Category


class _Project(msgspec.Struct):
    key: str


class _User(msgspec.Struct, rename="camel"):
    account_id: str = ""  # Cloud
    name: str = ""  # Data Center
    email_address: str = ""  # only where the person lets it be seen


class _Fields(msgspec.Struct):
    status: _Status
    project: _Project
    summary: str = ""
    assignee: _User | None = None


class _Issue(msgspec.Struct):
    key: str
    fields: _Fields


@dataclass
class Jira:
    """One Jira; `site` is where its pages are. A ticket that was moved answers to its old key with its new one."""

    rest: Rest
    site: str
    clock: Clock
    name: str = "jira"

    def key(self, text: str) -> str:
        """Raises NoSuchTicket."""
        return jira_key(text, self.site)

    async def fetch(self, text: str) -> Ticket:
        """Raises NoSuchTicket, TicketSystemSilent."""
        key = self.key(text)
        asked_at = self.clock.now()
        issue = await fetched(self.rest, f"/rest/api/2/issue/{key}", _FIELDS, _Issue)
        if not _TYPED.fullmatch(issue.key):
            raise TicketSystemSilent(f"{self.rest.name} answers with a key that is none. Tell an admin.")
        return self._ticket(issue, asked_at)

    async def trouble(self) -> str:
        return await trouble_of(self.rest, "/rest/api/2/myself")

    async def close(self) -> None:
        await self.rest.close()

    def _ticket(self, issue: _Issue, asked_at: datetime) -> Ticket:
        fields, who = issue.fields, issue.fields.assignee
        names = (who.account_id, who.name, who.email_address) if who else ()
        return Ticket(
            system=self.name,
            key=issue.key,
            title=shown(fields.summary),
            url=f"{self.site}/browse/{issue.key}",
            state=_STATES.get(fields.status.status_category.key, "unknown"),
            project=shown(fields.project.key),
            assignees=tuple(shown(name) for name in names if name),
            fetched_at=asked_at,
        )


def jira_key(text: str, site: str) -> str:
    """`ops-12`, or a link to it at this Jira, as `OPS-12`. Raises NoSuchTicket."""
    typed = checked_length(text)
    link = below(typed, site)
    found = _TYPED.fullmatch(typed) if link is None else _IN_LINK.search(link)
    if found is None:
        raise NoSuchTicket("A Jira ticket is a key like OPS-12, or its link.")
    return found.group(1).upper()
