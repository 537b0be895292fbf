"""The policy of a running server: a changed file decides within seconds, and user groups are Slack's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from prodaccess.demo.reading import everything
from prodaccess.demo.server import Server
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.doctor.checks import CHECKS
from prodaccess.doctor.report import Finding, State, examine
from slack_simulator import Simulator
from tests.people import POLICY
from tests.prodaccess.test_server import running

TWO_HOURS = POLICY.replace("max: 4h", "max: 2h")
BY_GROUP = """
version: 1
people: {linus: U0LINUS, margaret: U0MARGARET}
groups: {engineers: [linus, margaret], orders-owners: {slack: S0ORDERSOWNERS}}
targets:
  orders-db:
    roles:
      read: {provider: memory, uses: {}, who: [engineers], approvers: [orders-owners], max: 4h, default: 1h}
"""


def rewrite(server: Server, text: str) -> None:
    """As a deployment does it: another file takes the place of the first."""
    new = server.directory / "policy.new"
    new.write_text(text)
    new.chmod(0o600)
    new.replace(server.directory / "policy.yml")


async def told(slack: Simulator, part: str) -> str:
    """What the audit channel is told about the server itself."""
    found = await slack.person("ada").wait_message(AUDIT_CHANNEL, lambda m: part in everything(m), timeout=15)
    return everything(found)


async def ready(server: Server) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/readyz") as answer:
        return answer.status, await answer.json()


async def doctor(server: Server) -> list[Finding]:
    """What `prodaccess doctor` says about the running server."""
    listen = {"PRODACCESS_LISTEN": server.url.removeprefix("http://")}
    return [finding async for finding in examine({"server": CHECKS["server"]}, listen)]


async def test_a_changed_file_decides_within_seconds_and_an_unusable_one_does_not(tmp_path: Path) -> None:
    async with running("socket", tmp_path) as (slack, server):
        rewrite(server, TWO_HOURS)
        said = await told(slack, "decides from here on")
        assert "- engineers (3 people) on orders-db · read: at most 2 hours, was at most 4 hours" in said
        await slack.person("linus").command("general", "/prodaccess orders-db 3h OPS-1 longer than allowed")
        form = await slack.person("linus").wait_view()
        assert "At most 2 hours" in everything(form)

        rewrite(server, TWO_HOURS.replace("approvals: 2", "aprovals: 2"))
        said = await told(slack, "cannot be used")
        assert "did you mean `approvals`?" in said
        status, answer = await ready(server)
        assert (status, answer["ready"]) == (200, True)
        assert "policy before it stays in force" in answer["warnings"]["policy"]
        assert "aprovals" not in str(answer)
        (found,) = await doctor(server)
        assert (found.state, "policy before it stays in force" in found.what) == (State.WEAK, True)
        await asked(slack, "2h OPS-1 the last good policy goes on")

        rewrite(server, POLICY)
        assert "+ engineers (3 people)" in await told(slack, "at most 4 hours, was at most 2 hours")
        assert (await ready(server))[1]["warnings"] == {}


async def test_whoever_is_in_the_user_group_approves_and_whoever_has_left_it_does_not(tmp_path: Path) -> None:
    async with running("socket", tmp_path, policy=BY_GROUP) as (slack, _):
        ada, grace = (slack.person(name) for name in ("ada", "grace"))
        first = await asked(slack, "5m OPS-1 a first look")
        assert "<@U0ADA> or <@U0GRACE>" in everything(first)
        await ada.click(AUDIT_CHANNEL, first["ts"], "approve")
        await ada.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=first["ts"])

        second = await asked(slack, "5m OPS-2 a second look")
        slack.world.group_remove("orders-owners", "ada")
        await without_ada(slack, second)  # known at once, long before the minute is over
        await ada.click(AUDIT_CHANNEL, second["ts"], "approve")
        await ada.wait_message(AUDIT_CHANNEL, lambda m: "This is decided by U0GRACE" in everything(m))
        await grace.click(AUDIT_CHANNEL, second["ts"], "approve")
        await grace.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=second["ts"])


async def test_a_user_group_that_is_disabled_is_known_to_be_unknown_at_once(tmp_path: Path) -> None:
    async with running("socket", tmp_path, policy=BY_GROUP) as (slack, _):
        card, margaret = await asked(slack, "5m OPS-1 a look"), slack.person("margaret")
        slack.world.group_disable("orders-owners")
        await margaret.click(AUDIT_CHANNEL, card["ts"], "who")
        said = "Nobody can tell right now who is in orders-owners: Slack has no user group S0ORDERSOWNERS"
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: said in everything(m))


async def without_ada(slack: Simulator, card: Mapping[str, Any]) -> None:
    """The news of the group is on its way beside the click, so the first answer may still be the old one."""
    margaret = slack.person("margaret")
    for _ in range(10):
        await margaret.click(AUDIT_CHANNEL, card["ts"], "who")
        try:
            await margaret.wait_message(AUDIT_CHANNEL, lambda m: ": <@U0GRACE> can approve" in everything(m), timeout=1)
        except TimeoutError:
            continue
        return
    raise AssertionError("ada is still told to be among those who can approve")


async def asked(slack: Simulator, words: str) -> Mapping[str, Any]:
    """The card of what linus has just asked for."""
    shown = await slack.person("linus").command("general", f"/prodaccess orders-db {words}")
    assert shown.error is None
    reason = words.partition(" OPS-")[2][2:]
    return await slack.person("ada").wait_message(AUDIT_CHANNEL, lambda m: reason in everything(m))
