"""User groups of Slack on a running server: who leaves one loses what rested on it, and blocks nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from access.afterwards.replay import Report
from audit.log import ORIGIN, Ledger
from audit.payloads import KEY, PayloadKey
from prodaccess.auditing.replay import judged_again
from prodaccess.clock import SystemClock
from prodaccess.demo.reading import everything
from prodaccess.demo.stack import AUDIT_CHANNEL
from slack_simulator import Simulator
from store import open_store
from tests.prodaccess.test_server import running

BY_GROUP = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
groups: {owners: {slack: S0ORDERSOWNERS}}
hours: {always: {days: [mon-sun], from: "00:00", to: "24:00", zone: UTC}}
targets:
  orders-db:
    roles:
      read: {provider: memory, who: [owners], approvers: [margaret], max: 4h, ticket: {required: no}, hours: always}
      write:
        {provider: memory, who: [linus], max: 4h, ticket: {required: no}, approve: {by: owners, count: 2}}
"""


async def asked(slack: Simulator, who: str, words: str) -> dict[str, Any]:
    """The card of what somebody has just asked for."""
    shown = await slack.person(who).command("general", f"/prodaccess orders-db {words}")
    assert shown.error is None
    reason = words.split(" ", 2)[2]
    return await slack.person("margaret").wait_message(AUDIT_CHANNEL, lambda m: reason in everything(m))


def judged(directory: Path) -> Report:
    """What `prodaccess audit replay-decisions` makes of the server's log."""
    store = open_store(
        f"sqlite:///{directory}/prodaccess.db", SystemClock(), Ledger(ORIGIN, PayloadKey(bytes(KEY)))
    )  # fmt: skip
    try:
        return judged_again(store.log)
    finally:
        store.close()


async def test_whoever_leaves_the_user_group_loses_the_access_that_rested_on_it_at_once(tmp_path: Path) -> None:
    async with running("socket", tmp_path, policy=BY_GROUP) as (slack, _):
        margaret = slack.person("margaret")
        card = await asked(slack, "ada", "read 30m a look at the queue")
        await margaret.click(AUDIT_CHANNEL, card["ts"], "approve")
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=card["ts"])
        slack.world.group_remove("orders-owners", "ada")
        said = "Ended early, because the right to it was lost"
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: said in everything(m), thread=card["ts"], timeout=10)
    report = await asyncio.to_thread(judged, tmp_path)
    assert (report.differences, report.skipped) == ((), ())
    assert report.checked >= 3


async def test_one_who_leaves_between_two_votes_blocks_nobody(tmp_path: Path) -> None:
    async with running("socket", tmp_path, policy=BY_GROUP) as (slack, _):
        ada, grace, margaret = (slack.person(name) for name in ("ada", "grace", "margaret"))
        card = await asked(slack, "linus", "write 30m refunds stuck")
        await ada.click(AUDIT_CHANNEL, card["ts"], "approve")
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: "ada approved" in everything(m), thread=card["ts"])
        slack.world.group_remove("orders-owners", "ada")
        slack.world.group_add("orders-owners", "margaret")
        await grace.click(AUDIT_CHANNEL, card["ts"], "approve")
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: "grace approved" in everything(m), thread=card["ts"])
        await margaret.click(AUDIT_CHANNEL, card["ts"], "approve")
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=card["ts"])
    report = await asyncio.to_thread(judged, tmp_path)
    assert (report.differences, report.skipped) == ((), ())


async def test_whoever_is_deactivated_loses_access_given_by_a_user_group_too(tmp_path: Path) -> None:
    async with running("socket", tmp_path, policy=BY_GROUP) as (slack, _):
        margaret = slack.person("margaret")
        card = await asked(slack, "grace", "read 30m a look at the queue")
        await margaret.click(AUDIT_CHANNEL, card["ts"], "approve")
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: "Active until" in m.get("text", ""), thread=card["ts"])
        slack.world.deactivate("grace")
        said = "Ended early, because the right to it was lost"
        await margaret.wait_message(AUDIT_CHANNEL, lambda m: said in everything(m), thread=card["ts"], timeout=10)
