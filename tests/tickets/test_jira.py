from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from access.ports import NoSuchTicket, TicketSystemSilent
from tests.people import ManualClock
from tests.tickets.far import Far, rest, sample
from tickets.http import Rest, basic
from tickets.jira import Jira, jira_key

SITE = "https://acme.atlassian.net"


@pytest.fixture
async def api(far: Far) -> AsyncIterator[Rest]:
    made = rest(far, path="/jira")
    yield made
    await made.close()


@pytest.fixture
def jira(api: Rest, clock: ManualClock) -> Jira:
    return Jira(api, SITE, clock)


@pytest.mark.parametrize(
    "text",
    [
        "OPS-12", "ops-12", " OPS-12 ", f"{SITE}/browse/OPS-12", f"{SITE}/browse/ops-12?focusedCommentId=1#c",
        f"<{SITE}/browse/OPS-12|OPS-12>", f"{SITE}/jira/software/c/projects/OPS/issues/OPS-12",
        f"{SITE}/jira/software/projects/OPS/boards/1?selectedIssue=OPS-12", "https://ACME.atlassian.net/browse/OPS-12",
    ],
)  # fmt: skip
def test_keys_and_links_mean_a_ticket(text: str) -> None:
    assert jira_key(text, SITE) == "OPS-12"


@pytest.mark.parametrize(
    "text",
    [
        f"{SITE}/browse/", f"{SITE}/browse/OPS-12x", f"{SITE}/projects/OPS", f"{SITE}.evil.example/browse/OPS-12",
        "http://acme.atlassian.net/browse/OPS-12", "https://acme.atlassian.net:444/browse/OPS-12", "OPS-12 OPS-13",
        "https://u:p@acme.atlassian.net/browse/OPS-12", "ops12", "-12",
    ],
)  # fmt: skip
def test_anything_else_does_not(text: str) -> None:
    with pytest.raises(NoSuchTicket):
        jira_key(text, SITE)


def test_a_site_may_have_a_path() -> None:
    assert jira_key("https://acme.example/jira/browse/OPS-1", "https://acme.example/jira") == "OPS-1"
    with pytest.raises(NoSuchTicket):
        jira_key("https://acme.example/jirax/browse/OPS-1", "https://acme.example/jira")


async def test_cloud(far: Far, jira: Jira) -> None:
    far.says(sample("jira_cloud_issue"))
    ticket = await jira.fetch("ed-1")
    assert far.paths == ["/jira/rest/api/2/issue/ED-1?fields=summary,status,project,assignee"]
    assert (ticket.key, ticket.title, ticket.project) == ("ED-1", "Main order flow broken", "ED")
    assert ticket.url == f"{SITE}/browse/ED-1"
    assert ticket.assignees == ("5b10a2844c20165700ede21g", "mia@example.com")


async def test_data_center(far: Far, jira: Jira) -> None:
    far.says(sample("jira_datacenter_issue"))
    ticket = await jira.fetch("EX-1")
    assert (ticket.state, ticket.project, ticket.assignees) == ("closed", "EX", ("fred",))


async def test_a_moved_ticket_answers_with_its_new_key_and_project(far: Far, jira: Jira) -> None:
    far.says(sample("jira_cloud_issue"))
    ticket = await jira.fetch("OLD-9")
    assert (ticket.key, ticket.project) == ("ED-1", "ED")


@pytest.mark.parametrize(
    ("category", "state"),
    [("new", "open"), ("indeterminate", "open"), ("undefined", "open"), ("done", "closed"), ("their-own", "unknown")],
)
async def test_the_category_of_the_status_decides(far: Far, jira: Jira, category: str, state: str) -> None:
    issue = sample("jira_cloud_issue")
    issue["fields"]["status"]["statusCategory"]["key"] = category
    far.says(issue)
    assert (await jira.fetch("ED-1")).state == state


@pytest.mark.parametrize("gone", ["assignee", "summary"])
async def test_what_the_screen_hides_may_be_missing(far: Far, jira: Jira, gone: str) -> None:
    issue = sample("jira_cloud_issue")
    del issue["fields"][gone]
    far.says(issue)
    assert (await jira.fetch("ED-1")).state == "open"


@pytest.mark.parametrize("gone", ["status", "project"])
async def test_what_decides_may_not(far: Far, jira: Jira, gone: str) -> None:
    issue = sample("jira_cloud_issue")
    del issue["fields"][gone]
    far.says(issue)
    with pytest.raises(TicketSystemSilent):
        await jira.fetch("ED-1")


async def test_nobody_assigned(far: Far, jira: Jira) -> None:
    issue = sample("jira_cloud_issue")
    issue["fields"]["assignee"] = None
    far.says(issue)
    assert (await jira.fetch("ED-1")).assignees == ()


async def test_a_key_that_is_none_is_not_taken_over(far: Far, jira: Jira) -> None:
    far.says({**sample("jira_cloud_issue"), "key": "<!channel>"})
    with pytest.raises(TicketSystemSilent, match="a key that is none"):
        await jira.fetch("ED-1")


@pytest.mark.parametrize("reason", ["AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"])
async def test_a_404_for_a_token_that_jira_did_not_take_is_no_missing_ticket(far: Far, jira: Jira, reason: str) -> None:
    far.says(sample("jira_error"), 404, X_Seraph_LoginReason=reason)
    with pytest.raises(TicketSystemSilent, match="does not take prodaccess's token"):
        await jira.fetch("ED-1")


async def test_a_cloud_token_signs_in_with_its_address(far: Far, clock: ManualClock) -> None:
    far.says(sample("jira_cloud_issue"))
    api = rest(far, sign_in=lambda: basic("bot@acme.example", "api-token"))
    await Jira(api, SITE, clock).fetch("ED-1")
    await api.close()
    assert far.asked[0].headers["Authorization"] == "Basic Ym90QGFjbWUuZXhhbXBsZTphcGktdG9rZW4="
