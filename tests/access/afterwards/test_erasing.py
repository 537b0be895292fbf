"""People's words can be destroyed on purpose: from the log's side table, from access's own rows, and for good."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from access.afterwards.erasing import AT_ONCE, Erasing
from access.errors import BadInput, NotFound, Refused, TooLate
from access.events import (
    ActRefused,
    AskRefused,
    AuditSearched,
    Erased,
    QueryRun,
    RequestAsked,
    RequestDenied,
    TextErased,
)
from access.ports import Change
from tests.people import ADA, GRACE, LINUS, MARGARET
from tests.world import World

WORDS = "customer Müller, 4711"


def erasing(world: World) -> Erasing:
    return Erasing(world.store, world.people, world.policies, world.clock)


async def test_a_requests_words_go_from_everywhere_and_the_log_says_who(world: World) -> None:
    request = await world.asked(reason=WORDS)
    await world.broker.deny(request.id, ADA, f"not for {WORDS}")
    held = await erasing(world).erase("PA-1", "DPO-31", MARGARET)
    assert [(text.seq, text.fields) for text in held] == [(0, ("reason",)), (1, ("reason",))]
    entries = await world.store.log.entries_of("PA-1")
    asked, denied, *said = (entry.event for entry in entries)
    assert isinstance(asked, RequestAsked)
    assert isinstance(asked.reason, Erased)
    assert asked.reason.size == len(WORDS)
    assert isinstance(denied, RequestDenied)
    assert isinstance(denied.reason, Erased)
    assert [(e.seq, e.why, e.by) for e in said if isinstance(e, TextErased)] == [
        (0, "DPO-31", MARGARET), (1, "DPO-31", MARGARET),
    ]  # fmt: skip
    again = await world.request(1)
    assert (again.reason, again.note) == ("", "")


async def test_nothing_of_the_words_is_left_in_the_file(world: World) -> None:
    grant = await world.opened(reason=WORDS)
    await world.broker.end(grant.number, LINUS)
    await erasing(world).erase("PA-1", "DPO-31", MARGARET)
    path = world.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as tx:
        (left,) = tx.execute("SELECT count(*) FROM ledger_payload WHERE seed IS NOT NULL").fetchone()
        kept = [row for (name,) in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                if not name.startswith("search_words") for row in tx.execute(f"SELECT * FROM {name}")]  # fmt: skip
    tx.close()
    assert left == 0
    assert WORDS not in str(kept)


async def test_an_entry_of_no_request_can_be_erased_too(world: World) -> None:
    with pytest.raises(Refused):
        await world.asked(reason=WORDS, ticket="")
    (refused,) = await world.store.log.entries(-1)
    assert isinstance(refused.event, AskRefused)
    (held,) = await erasing(world).erase_entry(refused.seq, "DPO-31", MARGARET)
    assert (held.ref, held.fields) == ("", ("reason",))
    (again, *_) = await world.store.log.entries(-1)
    assert isinstance(again.event, AskRefused)
    assert isinstance(again.event.reason, Erased)
    assert await erasing(world).erase_entry(refused.seq, "again", MARGARET) == ()


async def test_one_entrys_words_leave_the_others(world: World) -> None:
    request = await world.asked(reason="stuck refunds")
    await world.broker.deny(request.id, ADA, WORDS)
    await erasing(world).erase_entry(1, "DPO-31", MARGARET)
    again = await world.request(1)
    assert (again.reason, again.note) == ("stuck refunds", "")


@pytest.mark.parametrize("by", [ADA, GRACE, LINUS])
async def test_only_admins_erase(world: World, by: object) -> None:
    await world.asked()
    for act in (erasing(world).erase("PA-1", "why", by), erasing(world).erase_entry(0, "why", by)):  # type: ignore[arg-type]
        with pytest.raises(Refused, match="Admins erase"):
            await act


async def test_what_is_still_decided_or_used_is_not_erased(world: World) -> None:
    await world.asked()
    await world.opened()
    for act in (
        erasing(world).erase("PA-1", "why", MARGARET), erasing(world).erase("PA-2", "why", MARGARET),
        erasing(world).erase_entry(0, "why", MARGARET),
    ):  # fmt: skip
        with pytest.raises(TooLate, match="still open"):
            await act


async def test_it_needs_a_why_and_something_to_erase(world: World) -> None:
    with pytest.raises(BadInput, match="Say why"):
        await erasing(world).erase("PA-1", " ", MARGARET)
    with pytest.raises(NotFound):
        await erasing(world).erase("PA-9", "why", MARGARET)
    with pytest.raises(NotFound, match="There is no entry 1000000000000"):
        await erasing(world).erase_entry(10**12, "why", MARGARET)


async def test_many_texts_go_in_steps_between_which_others_write(world: World) -> None:
    grant = await world.opened()
    await world.store.commit(Change(events=tuple(said(world, n) for n in range(AT_ONCE * 3))))
    await world.broker.end(grant.number, LINUS)
    task = asyncio.ensure_future(erasing(world).erase("PA-1", "DPO-31", MARGARET))
    before = await world.store.log.head()
    await world.store.log.wait(before, 10)
    await world.store.log.quiet(world.clock)
    assert len(await task) == AT_ONCE * 3 + 1
    tags = [entry.event.TAG for entry in await world.store.log.entries(before, 1000)]
    assert tags.count("audit.erased") == AT_ONCE * 3 + 1
    assert tags[-1] == "audit.erased", "the heartbeat came between two steps"
    assert await world.store.private_texts("PA-1") == ()


async def test_nobody_erases_what_their_own_search_was_for(world: World) -> None:
    looked = AuditSearched(at=world.clock.now(), by=MARGARET, query=WORDS, found=0, through="terminal")
    other = AuditSearched(at=world.clock.now(), by=GRACE, query=WORDS, found=0, through="terminal")
    await world.store.commit(Change(events=(looked, other)))
    with pytest.raises(Refused, match="your own search"):
        await erasing(world).erase_entry(0, "tidy", MARGARET)
    refusal = await world.last(ActRefused)
    assert isinstance(refusal, ActRefused)
    assert (refusal.by, refusal.act) == (MARGARET, "erase entry 0")
    assert len(await erasing(world).erase_entry(1, "DPO-31", MARGARET)) == 1


async def test_a_refused_erasure_is_an_entry_once_a_minute(world: World) -> None:
    await world.asked()
    ours = erasing(world)

    async def refusals() -> int:
        for ref in ("PA-1", "PA-2", "PA-3"):
            with pytest.raises(Refused):
                await ours.erase(ref, "why", LINUS)
        tags = [entry.event.TAG for entry in await world.store.log.entries(-1)]
        return tags.count(ActRefused.TAG)

    assert await refusals() == 1
    assert await refusals() == 1
    world.clock.pass_by(minutes=1)
    assert await refusals() == 2


def said(world: World, n: int) -> QueryRun:
    return QueryRun(
        at=world.clock.now(), ref="PA-1", by=LINUS, session="s-1", target="orders-db", text=f"select {n}", shape="?",
        touches=(), coverage="full",
    )  # fmt: skip
