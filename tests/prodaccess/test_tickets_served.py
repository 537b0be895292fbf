"""Tickets on a running server: Jira is asked over HTTP, and the conversation in Slack shows what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from access.policy import Policy
from prodaccess.clock import SystemClock
from prodaccess.demo.reading import everything
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.doctor.checks import CHECKS
from prodaccess.doctor.report import Finding, State, examine
from prodaccess.policies.file import PolicyError, parse_policy
from prodaccess.policies.serving import Fits
from prodaccess.settings import SettingsError, read_settings
from prodaccess.ticket_systems import known_systems, make_tickets
from providers.memory import MemoryProvider
from slack_simulator import Simulator
from tests.people import ADA, POLICY
from tests.prodaccess.test_server import running
from tests.prodaccess.test_settings import ENOUGH
from tests.tickets.far import TOKEN, Far, sample

BY_JIRA = POLICY.replace("max: 4h,", "max: 4h, ticket: {system: jira, projects: [ED]},")
DONE = {"key": "done", "id": 3, "name": "Done"}


def issue(**fields: Any) -> dict[str, Any]:
    """The published answer, with other fields."""
    found: dict[str, Any] = sample("jira_cloud_issue")
    return {**found, "fields": {**found["fields"], **fields}}


def closed() -> dict[str, Any]:
    return issue(status={**sample("jira_cloud_issue")["fields"]["status"], "statusCategory": DONE})


@asynccontextmanager
async def served(tmp_path: Path, jira: Far) -> AsyncIterator[Simulator]:
    settings = {"JIRA_URL": jira.url, "JIRA_EMAIL": "bot@acme.example", "JIRA_TOKEN": TOKEN}
    async with running("socket", tmp_path, policy=BY_JIRA, **settings) as (slack, _):
        yield slack


async def asked(slack: Simulator, words: str) -> dict[str, Any]:
    """The card of what linus has just asked for."""
    shown = await slack.person("linus").command("general", f"/prodaccess orders-db read {words}")
    assert shown.error is None
    return await slack.person("ada").wait_message(AUDIT_CHANNEL, lambda m: "refunds stuck" in everything(m))


async def test_from_a_pasted_link_to_a_credential_jira_is_asked_each_time(tmp_path: Path) -> None:
    async with Far().serving() as jira:
        jira.says(issue(summary="Refunds <!channel> stuck"))
        async with served(tmp_path, jira) as slack:
            ada = slack.person("ada")
            card = await asked(slack, f"5m {jira.url}/browse/ED-1 refunds stuck")
            assert "ED-1" in everything(card)
            assert f"{jira.url}/browse/ED-1" in str(card)
            assert "Refunds <!channel> stuck" in everything(card)  # as text: rich text mentions nobody
            assert "<!channel>" not in card["text"]
            before = len(jira.paths)

            jira.says(closed())
            await ada.click(AUDIT_CHANNEL, card["ts"], "approve")
            await ada.wait_message(AUDIT_CHANNEL, lambda m: "ED-1 is closed. Reopen it" in everything(m))

            jira.says({}, 503)
            await ada.click(AUDIT_CHANNEL, card["ts"], "approve")
            await ada.wait_message(AUDIT_CHANNEL, lambda m: "Jira is out of order (503)" in everything(m))

            jira.says(issue())
            await ada.click(AUDIT_CHANNEL, card["ts"], "approve")
            await ada.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=card["ts"])
            assert len(jira.paths) > before + 2
            assert set(jira.paths) == {"/rest/api/2/issue/ED-1?fields=summary,status,project,assignee"}


async def test_a_ticket_that_will_not_do_is_said_in_the_field_of_the_form(tmp_path: Path) -> None:
    async with Far().serving() as jira:
        jira.says(closed())
        async with served(tmp_path, jira) as slack:
            linus = slack.person("linus")
            await linus.command("general", "/prodaccess orders-db read 5m ED-1 refunds stuck")
            said = "ED-1 is closed. Reopen it, or name one that is open."
            await linus.wait_message("general", lambda m: said in everything(m))
            jira.says(sample("jira_error"), 404)
            await linus.command("general", "/prodaccess orders-db read 5m ED-99 refunds stuck")
            await linus.wait_message("general", lambda m: "Jira has no such ticket" in everything(m))
            await linus.command("general", "/prodaccess orders-db read refunds stuck")
            view = await linus.wait_view()
            block = next(b["block_id"] for b in view["blocks"] if b.get("element", {}).get("action_id") == "ticket")
            answer = await linus.submit({block: {"ticket": "ED-99"}})
            assert answer.errors is not None
            assert "Jira has no such ticket" in answer.errors[block]


# Set-up


def settings(**more: str) -> Any:
    return read_settings(ENOUGH | more)


def test_a_policy_that_names_a_system_which_is_not_set_up_does_not_fit() -> None:
    policy: Policy = parse_policy(BY_JIRA)
    providers = {"memory": MemoryProvider(SystemClock())}
    with pytest.raises(PolicyError, match="orders-db/read: its tickets are jira's, which is not set up"):
        Fits(providers, ("slack",), known_systems(settings()))(policy)
    Fits(providers, ("slack",), known_systems(settings(JIRA_URL="https://acme.example", JIRA_TOKEN="t")))(policy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"JIRA_URL": "https://acme.example"}, "JIRA_TOKEN"),
        ({"GITHUB_TOKEN": "t"}, "GITHUB_OWNERS"),
    ],
)
def test_half_a_system_is_said_at_start(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"JIRA_URL": "http://jira.example", "JIRA_TOKEN": "t"},
        {"JIRA_URL": "https://acme.example", "JIRA_API_URL": "https://u:p@api.example", "JIRA_TOKEN": "t"},
        {"JIRA_URL": "https://acme.example", "JIRA_CACERT": "/nowhere/at/all.pem", "JIRA_TOKEN": "t"},
        {"GITHUB_URL": "http://github.example", "GITHUB_TOKEN": "t", "GITHUB_OWNERS": "acme"},
    ],
)
def test_an_address_that_a_token_does_not_go_to_is_refused_by_its_name(changes: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes)).partition("_")[0]):
        make_tickets(settings(**changes), SystemClock())


async def test_each_setting_reaches_its_system(tmp_path: Path) -> None:
    async with Far().serving() as far:
        far.at["/api/v3/repos/acme/ops/issues/12"] = lambda: web.json_response(
            {**sample("github_issue"), "number": 12, "repository_url": f"{far.url}/api/v3/repos/acme/ops"}
        )
        far.says(issue())
        found = make_tickets(
            settings(
                JIRA_URL="https://acme.atlassian.net", JIRA_API_URL=f"{far.url}/ex/jira/1",
                JIRA_EMAIL="bot@acme.example", JIRA_TOKEN="one", GITHUB_URL=far.url, GITHUB_TOKEN="two",
                GITHUB_OWNERS="acme, umbrella", GITHUB_DEFAULT_REPO="acme/ops",
            ),
            SystemClock(),
        )  # fmt: skip
        ticket = await found["jira"].look("https://acme.atlassian.net/browse/ED-1", ADA)
        assert ticket.url == "https://acme.atlassian.net/browse/ED-1"
        assert (await found["github"].look("#12", ADA)).key == "acme/ops#12"
        jira, github = far.asked
        assert jira.path == "/ex/jira/1/rest/api/2/issue/ED-1"
        assert jira.headers["Authorization"].startswith("Basic ")
        assert github.headers["Authorization"] == "Bearer two"
        for system in found.values():
            await system.close()


async def test_doctor_asks_each_system_whether_it_takes_the_token() -> None:
    async with Far().serving() as far:
        far.says({})
        changes = ENOUGH | {"JIRA_URL": far.url, "JIRA_TOKEN": TOKEN}
        assert await doctor(changes) == [Finding("jira", State.WELL, "It answers and lets us in.")]
        far.says({}, 401)
        (found,) = await doctor(changes)
        assert found.state is State.WRONG
        assert "does not take prodaccess's token" in found.what
        assert TOKEN not in found.what


async def doctor(environment: dict[str, str]) -> list[Finding]:
    return [finding async for finding in examine({"tickets": CHECKS["tickets"]}, environment)]
