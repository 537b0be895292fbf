"""GitHub and GitHub Enterprise: `GET /repos/OWNER/REPO/issues/N`, where pull requests are issues too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from yarl import URL

from access.ports import Clock, NoSuchTicket, Ticket, TicketSystemSilent
from tickets.http import Rest
from tickets.links import below
from tickets.system import checked_length, fetched, shown, trouble_of

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_REPO = r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}(?:[/#]|$))[A-Za-z0-9._-]{1,100}"
_NUMBER = r"[1-9][0-9]{0,9}"
_TYPED = re.compile(rf"({_REPO})?#({_NUMBER})")
_IN_LINK = re.compile(rf"/({_REPO})/(?:issues|pull)/({_NUMBER})(?:[/?#].*)?")
_OF_ANSWER = re.compile(rf"https?://[^?#]+/repos/({_REPO})")


class _User(msgspec.Struct):
    login: str


class _Issue(msgspec.Struct):
    number: int
    title: str
    state: Literal["open", "closed"]
    repository_url: str
    assignees: list[_User] | None = None
    pull_request: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Repositories:
    """Whose issues count: anybody can open an issue in a repository of their own. No owner means none.

    `default` is meant by `#12`; empty, where a repository has to be named.
    """

    owners: frozenset[str]
    default: str = ""

    def has(self, repo: str) -> bool:
        return _owner(repo).lower() in {owner.lower() for owner in self.owners}


@dataclass
class GitHub:
    """One GitHub; `site` is where its pages are. An issue that was transferred answers from where it is now."""

    rest: Rest
    repositories: Repositories
    clock: Clock
    site: str = "https://github.com"
    name: str = "github"

    def key(self, text: str) -> str:
        """Raises NoSuchTicket."""
        repo, number = github_key(text, self.site, self.repositories.default)
        return f"{repo}#{number}"

    async def fetch(self, text: str) -> Ticket:
        """Raises NoSuchTicket, TicketSystemSilent."""
        repo, number = github_key(text, self.site, self.repositories.default)
        self._check(repo)
        asked_at = self.clock.now()
        issue = await fetched(self.rest, f"/repos/{repo}/issues/{number}", (), _Issue)
        return self._ticket(issue, self._repo_of(issue), asked_at)

    async def trouble(self) -> str:
        return await trouble_of(self.rest, "/rate_limit")

    async def close(self) -> None:
        await self.rest.close()

    def _check(self, repo: str) -> None:
        if not self.repositories.has(repo):
            raise NoSuchTicket(f"Tickets of {_owner(repo)} do not count here.")

    def _repo_of(self, issue: _Issue) -> str:
        """Where the issue is today, which need not be where we asked."""
        found = _OF_ANSWER.fullmatch(issue.repository_url)
        if found is None:
            raise TicketSystemSilent(f"{self.rest.name} does not say whose issue this is. Tell an admin.")
        self._check(found.group(1))
        return found.group(1)

    def _ticket(self, issue: _Issue, repo: str, asked_at: datetime) -> Ticket:
        kind = "issues" if issue.pull_request is None else "pull"
        return Ticket(
            system=self.name,
            key=f"{repo}#{issue.number}",
            title=shown(issue.title),
            url=f"{self.site}/{repo}/{kind}/{issue.number}",
            state=issue.state,
            project=repo,
            assignees=tuple(shown(user.login) for user in issue.assignees or ()),
            fetched_at=asked_at,
        )


def github_key(text: str, site: str, default: str = "") -> tuple[str, str]:
    """`acme/ops#12`, `#12` or a link as repository and number. Raises NoSuchTicket."""
    typed = checked_length(text)
    link = below(typed, site)
    found = _TYPED.fullmatch(typed) if link is None else _IN_LINK.fullmatch(link)
    repo = (found.group(1) or default) if found else ""
    if found is None or not repo:
        raise NoSuchTicket(f"A GitHub ticket is {'#12, ' if default else ''}owner/repository#12, or its link.")
    return repo, found.group(2)


def _owner(repo: str) -> str:
    return repo.partition("/")[0]


def api_of(site: str) -> str:
    """The API's address for the address of the pages: github.com, one with data residency, or a server of your own."""
    url = URL(site)
    host = url.host or ""
    if host == "github.com" or host.endswith(".ghe.com"):
        return str(url.with_host(f"api.{host}").origin())
    return f"{site}/api/v3"
