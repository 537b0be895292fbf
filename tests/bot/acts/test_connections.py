"""The buttons on a session's message: looking, for those who may, and ending it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from access.errors import BadInput, NotFound
from access.events import AuditSearched, SessionCut
from access.sessions.looking import Sessions
from bot.acts.answers import Where
from bot.acts.connections import Connections
from bot.acts.gate import Act
from prodaccess.policies.file import parse_policy
from tests.bot.office import AUDIT, Office, button, shown, texts
from tests.people import ADA, MARGARET, POLICY
from tests.recorded import closes, opens, ran, runs


@pytest.fixture
async def at_work(office: Office) -> Office:
    """Linus works in PA-1-1."""
    await office.opened()
    await opens(office)
    await runs(
        office, ran(office, "select <!channel> 1", rows=3, lasted=12_000),
        ran(office, "drop table x", flags=("ddl",), outcome="42501"),
    )  # fmt: skip
    await office.settled()
    return office


async def message(office: Office, name: str = "*Session 1*") -> Mapping[str, Any]:
    return await office.line(office.cards()[0], name)


def said_in(view: Mapping[str, Any]) -> str:
    return " ".join(texts(view["blocks"]).split())


async def reads(office: Office, name: str, part: str) -> None:
    """Once it stands in the form."""
    view = office.who(name)
    for _ in range(500):
        if part in said_in(await view.wait_view()):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(said_in(await view.wait_view()))


async def press(office: Office, name: str, action: str) -> None:
    await office.who(name).click(AUDIT, (await message(office))["ts"], action)


async def looks(office: Office) -> list[tuple[str, str]]:
    found = [e.event for e in await office.store.log.entries(-1, 500)]
    return [(e.by.name, e.query) for e in found if isinstance(e, AuditSearched) and e.by]


async def cuts(office: Office) -> list[str]:
    found = [e.event for e in await office.store.log.entries_of("PA-1", {SessionCut.TAG})]
    return [e.by.name for e in found if e.by]


async def test_whoever_may_replay_it_sees_the_last_lines_and_each_look_is_written(at_work: Office) -> None:
    people = ["linus", "ada", "margaret"]
    for name in people:
        await press(at_work, name, "see")
        said = said_in(await at_work.who(name).wait_view())
        assert "*PA-1-1*: linus at orders-db, open since" in said
        assert "select <!channel> 1 3 rows · 12 ms" in said
        assert "⚠ ddl drop table x 42501" in said
        assert "`prodaccess watch PA-1-1`" in said
    assert await looks(at_work) == [(name, "look session:PA-1-1") for name in people]
    await runs(at_work, ran(at_work, "select 2"))
    await at_work.who("ada").click_view("see_again")
    await reads(at_work, "ada", "select 2")
    assert len(await looks(at_work)) == 4


async def test_nobody_else_sees_anything(at_work: Office) -> None:
    await press(at_work, "gus", "see")
    await at_work.whisper("gus", "Guests cannot use prodaccess.")
    at_work.policies.policy = parse_policy(POLICY.replace("approvers: [orders-owners]", "approvers: [ada]"))
    for action in ("see", "cut"):
        await press(at_work, "grace", action)
        await at_work.whisper("grace", "There is no such request that you may see.")
    assert await cuts(at_work) == []
    assert await looks(at_work) == []


async def test_only_the_last_lines_are_shown_also_of_very_long_ones(at_work: Office) -> None:
    await runs(at_work, *(ran(at_work, f"select {n} {'x' * 5000}") for n in range(60)))
    await press(at_work, "ada", "see")
    said = said_in(await at_work.who("ada").wait_view())
    assert "select 40 " in said
    assert "select 39 " not in said
    assert len(said) < 9000


async def test_cutting_is_ordered_once_and_the_message_says_who(at_work: Office) -> None:
    await press(at_work, "ada", "cut")
    await at_work.whisper("ada", "PA-1-1 is being ended.")
    await at_work.settled()
    told = await message(at_work)
    assert "🟠 *Session 1* to orders-db through the postgres gateway is being ended by ada" in shown(told)
    assert button(told, "cut") is None
    assert await cuts(at_work) == ["ada"]
    session = await at_work.store.sessions.session(1, 1)
    assert session is not None
    (ordered, _) = await at_work.store.sessions.orders([session.id])
    assert ordered["PA-1-1"].by == ADA


async def test_a_second_click_changes_nothing(at_work: Office) -> None:
    told = await message(at_work)
    await asyncio.gather(*(at_work.who(name).click(AUDIT, told["ts"], "cut") for name in ("ada", "linus", "margaret")))
    for name in ("ada", "linus", "margaret"):
        await at_work.whisper(name, "PA-1-1 is being ended.")
    await at_work.settled()
    assert len(await cuts(at_work)) == 1


async def test_a_message_that_is_behind_is_painted_when_somebody_presses(at_work: Office) -> None:
    at_work.bot.thread.running.every = 1000.0
    await runs(at_work, ran(at_work, "select 1"))
    await at_work.shut()
    session = await at_work.store.sessions.session(1, 1)
    assert session is not None
    await closes(at_work, session)
    await at_work.open()
    at_work.bot.thread.running._due["session:PA-1-1"] = 1e12
    await press(at_work, "ada", "cut")
    await at_work.whisper("ada", "PA-1-1 has ended already.")
    assert "closed" in shown(await message(at_work))
    assert await cuts(at_work) == []


async def test_several_that_share_a_message_are_looked_at_and_ended_together(at_work: Office) -> None:
    for n in range(2, 13):
        await opens(at_work, n)
    await runs(at_work, ran(at_work, "select 11", session="PA-1-11"))
    await at_work.settled()
    ts = (await message(at_work, "*Sessions 9 to 12*"))["ts"]
    await at_work.who("ada").click(AUDIT, ts, "see")
    said = said_in(await at_work.who("ada").wait_view())
    assert "*Sessions from PA-1-9 on*: 4 of 4 are open." in said
    assert "PA-1-11 select 11" in said
    assert "select <!channel> 1" not in said
    await at_work.who("ada").click_view("cut")
    await reads(at_work, "ada", "4 sessions from PA-1-9 on are being ended.")
    assert len(await cuts(at_work)) == 4


async def test_an_auditor_looks_and_does_not_cut(at_work: Office) -> None:
    at_work.policies.policy = parse_policy(POLICY.replace("admins: [margaret]", "admins: [ada]"))
    await press(at_work, "margaret", "see")
    assert "drop table x" in said_in(await at_work.who("margaret").wait_view())
    await press(at_work, "margaret", "cut")
    await at_work.whisper("margaret", "Auditors look. Its requester, its approvers and admins may end it.")
    assert await cuts(at_work) == []


async def test_a_value_that_is_none_of_ours_does_nothing(at_work: Office) -> None:
    connections = Connections(
        at_work.bot.client, Sessions(at_work.broker, at_work.store.sessions), at_work.store.log,
        at_work.bot.gate.answers, at_work.bot.thread.repaint, "prodaccess",
    )  # fmt: skip
    for value in ("", "PA-1", "PA-1-1 OR 1=1", "PA-1-1++", "PA-9-1", "PA-1-99"):
        act = Act(MARGARET, {"actions": [{"value": value}]}, Where("U0MARGARET"))
        for press_it in (connections.see, connections.cut):
            with pytest.raises((BadInput, NotFound)):
                await press_it(act)
    assert await cuts(at_work) == []
