"""Following sessions over HTTP: whose entries, from where on, and that each watch is an entry itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from access.events import AuditSearched
from access.model import Person
from api.watching import Watches
from prodaccess.policies.file import parse_policy
from tests.api.serving import Api, Terminal, serving
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY, STRANGER
from tests.recorded import closes, opens, ran, runs, with_gateway
from tests.world import World


@pytest.fixture
async def api(world: World) -> Any:
    async with serving(with_gateway(world)) as served:
        await world.opened()
        yield served


async def seen(terminal: Terminal, of: str = "", after: int = -1, wait: float = 0) -> Any:
    answer = await terminal.call("GET", f"/v1/watch?of={of}&after={after}&wait={wait}")
    assert answer.status == 200, answer.text
    return answer.json


def said(page: Any) -> list[tuple[str, str]]:
    return [(fact["kind"], fact["facts"].get("text", "")) for fact in page["entries"]]


async def watches(api: Api) -> list[tuple[str, str]]:
    found = [e.event for e in await api.world.store.log.entries(-1, 500)]
    return [(e.by.name, e.query) for e in found if isinstance(e, AuditSearched) and e.by]


@pytest.mark.parametrize(("by", "of"), [(LINUS, "PA-1"), (ADA, "PA-1-1")])
async def test_it_goes_on_from_where_it_was(api: Api, by: Person, of: str) -> None:
    terminal, world = await api.sign_in(by), api.world
    session = await opens(world)
    await runs(world, *(ran(world, f"select {n}") for n in range(30)))
    page = await seen(terminal, of)
    assert said(page) == [("db.query", f"select {n}") for n in range(20, 30)], "it begins with the last ones"
    assert [each["id"] for each in page["sessions"]] == ["PA-1-1"]
    waiting = asyncio.create_task(seen(terminal, of, page["after"], 20))
    await asyncio.sleep(0.05)
    await runs(world, ran(world, "select 30"))
    page = await waiting
    assert said(page) == [("db.query", "select 30")]
    assert not page["over"]
    await closes(world, session)
    page = await seen(terminal, of, page["after"])
    assert said(page) == [("session.closed", "")]
    assert page["over"] == (of == "PA-1-1")
    assert await watches(api) == [(by.name, f"watch session:{of}")]


async def test_who_loses_the_right_hears_so_within_seconds(api: Api) -> None:
    """By the policy, by leaving, by signing out: not only when the call is over."""
    world = api.world
    await opens(world)
    gone, other, out = [await api.sign_in(by) for by in (ADA, MARGARET, LINUS)]
    heads = [(await seen(terminal, "PA-1"))["after"] for terminal in (gone, other, out)]
    waiting = [
        asyncio.create_task(terminal.call("GET", f"/v1/watch?of=PA-1&after={after}&wait=30"))
        for terminal, after in zip((gone, other, out), heads, strict=True)
    ]
    await asyncio.sleep(0.1)
    world.people.gone.add(ADA.id)
    world.policies.policy = parse_policy(POLICY.replace("margaret]", "grace]"), "new")
    for device in await world.store.devices_of(LINUS.id):
        await world.sign_ins.sign_out(device.id, LINUS)
    assert [answer.status for answer in await asyncio.gather(*waiting)] == [403, 404, 403]


async def test_of_one_session_only_that_one(api: Api) -> None:
    terminal, world = await api.sign_in(), api.world
    for n in (1, 2):
        await opens(world, n)
    await runs(world, ran(world, "one"), ran(world, "two", session="PA-1-2"))
    assert said(await seen(terminal, "PA-1-2")) == [("db.query", "two")]
    assert [text for _, text in said(await seen(terminal, "PA-1-2", 0)) if text] == ["two"]


async def test_of_everything_everybody_sees_their_own_and_an_auditor_all(api: Api) -> None:
    own, auditor, other = [await api.sign_in(by) for by in (LINUS, MARGARET, GRACE)]
    begun = [(await seen(terminal))["after"] for terminal in (own, auditor, other)]
    await opens(api.world)
    await runs(api.world, ran(api.world, "select 1"))
    pages = [await seen(terminal, "", after) for terminal, after in zip((own, auditor, other), begun, strict=True)]
    assert [said(page) for page in pages] == [[("session.opened", ""), ("db.query", "select 1")]] * 2 + [[]]
    assert pages[2]["after"] >= pages[0]["after"], "what is not theirs is not read again"


async def test_nobody_else_learns_anything_and_nothing_is_written(api: Api) -> None:
    await opens(api.world)
    stranger, own = await api.sign_in(STRANGER), await api.sign_in(LINUS)
    for terminal, of in ((stranger, "PA-1"), (stranger, "PA-1-1"), (own, "PA-7"), (own, "PA-1-9")):
        for after in (-1, 0):
            assert (await terminal.call("GET", f"/v1/watch?of={of}&after={after}")).status == 404, of
    for query in ("of=PA-1--1", "of=x", "after=-2", "after=x", "wait=31", f"after={2**63}"):
        assert (await own.call("GET", f"/v1/watch?{query}")).status in (400, 422), query
    assert await watches(api) == []


async def test_a_right_that_was_lost_ends_the_watch(api: Api) -> None:
    terminal = await api.sign_in(ADA)
    await opens(api.world)
    after = (await seen(terminal, "PA-1"))["after"]
    text = "approvers: [orders-owners]"
    await runs(api.world, ran(api.world, "select 1"))
    api.world.policies.policy = parse_policy(POLICY.replace(text, "approvers: [grace]"))
    assert (await terminal.call("GET", f"/v1/watch?of=PA-1&after={after}")).status == 404


async def test_a_grant_that_is_over_ends_it(api: Api) -> None:
    terminal = await api.sign_in()
    after = (await seen(terminal, "PA-1"))["after"]
    await api.world.endings.end(1, LINUS)
    assert (await seen(terminal, "PA-1", after, 5))["over"]


async def test_a_long_watch_is_written_again(api: Api) -> None:
    times = iter((0.0, 1.0, 599.0, 600.0, 601.0, 601.0))
    watching = Watches(lambda: next(times))
    looking = api.world.gateways.sessions  # type: ignore[union-attr]
    for _ in range(5):
        await watching.note(looking, "PA-1", LINUS)
    await watching.note(looking, "PA-1", ADA)
    assert [who for who, _ in await watches(api)] == ["linus", "linus", "ada"]
