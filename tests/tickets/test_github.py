from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from access.ports import NoSuchTicket, TicketSystemSilent
from tests.people import ManualClock
from tests.tickets.far import Far, rest, sample
from tickets.github import HEADERS, GitHub, Repositories, api_of, github_key
from tickets.http import Rest

SITE = "https://github.com"


@pytest.fixture
async def api(far: Far) -> AsyncIterator[Rest]:
    made = rest(far, "GitHub", headers=HEADERS)
    yield made
    await made.close()


@pytest.fixture
def github(api: Rest, clock: ManualClock) -> GitHub:
    return GitHub(api, Repositories(frozenset({"Octocat"}), "octocat/Hello-World"), clock)


@pytest.mark.parametrize(
    "text",
    [
        "acme/ops#12", " #12\n", f"{SITE}/acme/ops/issues/12", f"{SITE}/acme/ops/pull/12/files", "<#12>",
        f"{SITE}/acme/ops/issues/12#issuecomment-1", f"<{SITE}/acme/ops/issues/12|the bug>",
    ],
)  # fmt: skip
def test_keys_and_links_mean_an_issue(text: str) -> None:
    assert github_key(text, SITE, "acme/ops") == ("acme/ops", "12")


@pytest.mark.parametrize(
    "text",
    [
        "acme/ops", "acme/ops#0", "acme/ops#x", "ops#12", "acme/../ops#12", "acme/..#12", "-acme/ops#12", "12",
        f"{SITE}/acme/ops/commit/12", f"{SITE}/acme/ops/issues", f"{SITE}/acme/../issues/12",
        "https://api.github.com/repos/acme/ops/issues/12", "https://github.com@evil.example/acme/ops/issues/12",
        "acme/ops#99999999999",
    ],
)  # fmt: skip
def test_anything_else_does_not(text: str) -> None:
    with pytest.raises(NoSuchTicket):
        github_key(text, SITE, "acme/ops")


def test_a_bare_number_needs_a_default() -> None:
    with pytest.raises(NoSuchTicket, match=r"A GitHub ticket is owner/repository#12"):
        github_key("#12", SITE)


async def test_an_issue(far: Far, github: GitHub) -> None:
    far.says(sample("github_issue"))
    ticket = await github.fetch("#1347")
    assert far.paths == ["/repos/octocat/Hello-World/issues/1347"]
    assert far.asked[0].headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert (ticket.key, ticket.title, ticket.state) == ("octocat/Hello-World#1347", "Found a bug", "open")
    assert ticket.url == f"{SITE}/octocat/Hello-World/issues/1347"
    assert (ticket.project, ticket.assignees) == ("octocat/Hello-World", ("octocat", "hubot"))


async def test_a_pull_request_counts(far: Far, github: GitHub) -> None:
    far.says(sample("github_pull_request"))
    ticket = await github.fetch("#1348")
    assert (ticket.state, ticket.assignees) == ("closed", ())
    assert ticket.url == f"{SITE}/octocat/Hello-World/pull/1348"


async def test_issues_of_other_owners_do_not_count_and_are_not_even_asked_for(far: Far, github: GitHub) -> None:
    with pytest.raises(NoSuchTicket, match="Tickets of mallory do not count here"):
        await github.fetch("mallory/mine#1")
    assert far.asked == []


async def test_no_owner_means_none(far: Far, api: Rest, clock: ManualClock) -> None:
    with pytest.raises(NoSuchTicket):
        await GitHub(api, Repositories(frozenset()), clock).fetch("octocat/Hello-World#1")
    assert far.asked == []


async def test_a_transferred_issue_answers_from_where_it_is(far: Far, github: GitHub) -> None:
    moved = {
        **sample("github_issue"), "number": 5, "repository_url": "https://api.github.com/repos/octocat/Spoon-Knife"
    }  # fmt: skip
    far.says({"message": "Moved Permanently"}, 301, Location="/repositories/64778136/issues/5")
    far.at["/repositories/64778136/issues/5"] = lambda: web.json_response(moved)
    ticket = await github.fetch("#1347")
    assert (ticket.key, ticket.project) == ("octocat/Spoon-Knife#5", "octocat/Spoon-Knife")


async def test_one_that_was_transferred_away_does_not_count(far: Far, github: GitHub) -> None:
    far.says({**sample("github_issue"), "repository_url": "https://api.github.com/repos/mallory/mine"})
    with pytest.raises(NoSuchTicket, match="Tickets of mallory"):
        await github.fetch("#1347")


@pytest.mark.parametrize("where", ["", "https://api.github.com/repos/..", "https://x/repos/octocat/..", "octocat/x"])
async def test_an_answer_without_a_repository_is_none(far: Far, github: GitHub, where: str) -> None:
    far.says({**sample("github_issue"), "repository_url": where})
    with pytest.raises(TicketSystemSilent, match="does not say whose"):
        await github.fetch("#1347")


async def test_a_state_nobody_knows_is_no_answer(far: Far, github: GitHub) -> None:
    far.says({**sample("github_issue"), "state": "half-open"})
    with pytest.raises(TicketSystemSilent):
        await github.fetch("#1347")


async def test_a_spent_allowance_is_said_with_403(far: Far, github: GitHub) -> None:
    far.says(sample("github_error"), 403, X_RateLimit_Remaining="0", Retry_After="60")
    with pytest.raises(TicketSystemSilent, match="too many requests"):
        await github.fetch("#1347")


@pytest.mark.parametrize(
    ("site", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://git.acme.example", "https://git.acme.example/api/v3"),
    ],
)
def test_where_the_api_is(site: str, api: str) -> None:
    assert api_of(site) == api
