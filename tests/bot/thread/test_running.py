"""A session's message: one, edited while it runs, closed with its receipt, whatever breaks in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from access.afterwards.erasing import Erasing
from access.events import SessionCut
from access.ports import Change
from bot.look.sessions import session_key
from bot.slack.outbox import Place
from bot.thread.running import MOST, Running
from tests.bot.office import Office, button, shown, until
from tests.people import ADA, LINUS, MARGARET
from tests.recorded import closes, opens, ran, runs


@pytest.fixture
async def granted(office: Office) -> Office:
    await office.opened()
    await office.settled()
    return office


def of_sessions(office: Office) -> list[Mapping[str, Any]]:
    told = office.who("ada").messages("#prod-access", thread=office.cards()[0]["ts"])
    return [m for m in told if "*Session" in shown(m)]


def messages(office: Office) -> list[str]:
    """Those of sessions in the thread of the only card."""
    return [shown(m) for m in of_sessions(office)]


async def test_it_is_one_message_that_says_what_is_done_and_then_what_it_came_to(granted: Office) -> None:
    session = await opens(granted)
    await granted.settled()
    (told,) = messages(granted)
    assert "🟢 *Session 1* to orders-db through the postgres gateway: nothing was run yet." in told
    assert "psql · db-1 · from 10.2.0.7" in told
    await runs(granted, ran(granted, "select 1", "read table:orders"), ran(granted, "bad", outcome="42601"))
    await granted.settled()
    (told,) = messages(granted)
    assert "2 reads, 1 failed, the last at <!date^" in told
    assert "read table:orders" in told
    granted.clock.pass_by(minutes=3)
    await closes(granted, session)
    await granted.settled()
    (message,) = of_sessions(granted)
    closed = "⚪ *Session 1* to orders-db through the postgres gateway closed after 3 minutes: 2 reads, 1 failed."
    assert closed in shown(message)
    assert "the client closed it" in shown(message)
    assert "Receipt `PA1:prodaccess/audit:" in shown(message)
    assert button(message, "see") is None
    assert button(message, "cut") is None


async def test_flagged_acts_are_quoted_as_they_were_typed_and_no_more_than_three(granted: Office) -> None:
    await opens(granted)
    await runs(granted, *(ran(granted, f"drop table t{n} -- <!channel> *x* `", flags=("ddl",)) for n in range(5)))
    await granted.settled()
    (told,) = messages(granted)
    assert "⚠️ *5 flagged* (ddl 5). The newest 3:" in told
    assert "drop table t4 -- <!channel> *x* `" in told
    assert "drop table t1 " not in told
    blocks = of_sessions(granted)[0]["blocks"]
    assert [b["type"] for b in blocks] == ["section", "context", "section", "rich_text", "actions"]


async def test_what_was_erased_is_gone_from_it(granted: Office) -> None:
    session = await opens(granted)
    await runs(granted, ran(granted, "drop table secret_name", flags=("ddl",)))
    await granted.settled()
    assert "secret_name" in messages(granted)[0]
    await closes(granted, session)
    await granted.endings.end(1, LINUS)
    await granted.settled()
    assert "secret_name" in messages(granted)[0]
    await Erasing(granted.store, granted.people, granted.policies, granted.clock).erase("PA-1", "a name", MARGARET)
    await granted.settled()
    (told,) = messages(granted)
    assert "secret_name" not in told
    assert "1 flagged" in told
    assert "Receipt `" in told


async def test_many_sessions_of_one_grant_share_a_message(granted: Office) -> None:
    every = [await opens(granted, n) for n in range(1, 21)]
    await granted.settled()
    for session in every[8:]:
        await runs(granted, ran(granted, "select 1", session=session.id))
        await closes(granted, session)
    await granted.settled()
    assert len(messages(granted)) == 9
    shared = messages(granted)[-1]
    assert "⚪ *Sessions 9 to 20* to orders-db through the postgres gateway closed: 12 reads." in shared
    assert "🟢 *Session 8*" in messages(granted)[7]


async def test_a_cut_is_said_at_once_with_who_did_it(granted: Office) -> None:
    session = await opens(granted)
    granted.bot.thread.running.every = 1000.0  # what is about its end does not wait
    await runs(granted, ran(granted, "select 1"))
    await granted.settled()
    event = SessionCut(at=granted.clock.now(), ref="PA-1", by=ADA, session=session.id)
    await granted.store.commit(Change(events=(event,)))
    await granted.settled()
    assert "🟠 *Session 1* to orders-db through the postgres gateway is being ended by ada" in messages(granted)[0]


async def test_a_crash_before_it_was_painted_leaves_it_to_the_next_process(granted: Office) -> None:
    session = await opens(granted)
    await granted.settled()
    granted.slack.faults.add({"where": "api", "do": "status", "status": 503, "method": "chat.update", "times": None})
    await runs(granted, ran(granted, "select 1"))
    await closes(granted, session)
    await until(lambda: granted.bot.thread.running.wait() > 0)
    await granted.shut()
    granted.slack.faults.clear()
    granted.restart()
    await granted.open()
    await granted.settled()
    (told,) = messages(granted)
    assert "closed after 0 seconds: 1 read." in told
    assert "Receipt `" in told


async def test_its_limits_hold_up_nobody_who_waits_for_an_approval(granted: Office) -> None:
    await opens(granted)
    await granted.settled()
    granted.slack.faults.add(
        {"where": "api", "do": "status", "status": 429, "retry_after": 30, "method": "chat.update", "times": None}
    )
    await runs(granted, ran(granted, "select 1"))
    await until(lambda: granted.bot.thread.running._not_before > 0)
    await granted.asked()
    await granted.card(lambda text: "PA-2" in text)
    granted.slack.faults.clear()
    granted.bot.thread.running._not_before = 0.0
    await granted.settled()
    assert "1 read" in messages(granted)[0]


async def test_a_receipt_that_comes_late_is_added(granted: Office) -> None:
    session = await opens(granted)
    await granted.settled()
    granted.stamps.silent = True
    await closes(granted, session)
    await until(lambda: "Receipt follows." in messages(granted)[0])
    granted.stamps.silent = False
    await until(lambda: "Receipt `" in messages(granted)[0])


async def test_a_place_that_was_forged_paints_over_nothing_else(granted: Office) -> None:
    """Whoever can write the notes must not have the card, and the receipt on it, painted over."""
    await opens(granted)
    await granted.settled()
    card = await granted.store.note("card:PA-1")
    assert Place.of(card) is not None
    await granted.store.put_notes({session_key("PA-1", "PA-1-1"): card or {}})
    before = shown(granted.cards()[0])
    await runs(granted, ran(granted, "select 1"))
    await granted.settled()
    assert shown(granted.cards()[0]) == before


# When


class Still:
    """A painter that only counts."""

    def __init__(self) -> None:
        self.painted: list[str] = []
        self.pages = 0  # still to be counted

    async def counts(self, _: str) -> bool:
        self.pages -= 1
        return self.pages < 0

    async def paint_session(self, key: str, _: str, **__: Any) -> None:
        self.painted.append(key)


@pytest.fixture
def running() -> Running:
    made = Running(Still())  # type: ignore[arg-type]
    made.time = 0.0  # type: ignore[attr-defined]
    made.now = lambda: made.time  # type: ignore[attr-defined]
    return made


async def paint(running: Running) -> int:
    """How many could be painted now."""
    before = len(running.painter.painted)  # type: ignore[attr-defined]
    while running.wait() <= 0:
        await running.paint(patient=False)
    return len(running.painter.painted) - before  # type: ignore[attr-defined]


async def test_one_message_is_painted_every_few_seconds_at_most_and_only_when_something_changed(
    running: Running, office: Office
) -> None:
    running.heard(ran(office, "a"))
    assert await paint(running) == 1
    running.heard(ran(office, "b"))
    assert (await paint(running), running.wait()) == (0, 5.0)
    running.time = 5.0  # type: ignore[attr-defined]
    assert await paint(running) == 1
    running.time = 60.0  # type: ignore[attr-defined]
    assert await paint(running) == 0


async def test_a_session_that_is_counted_from_its_beginning_holds_up_nobody(running: Running, office: Office) -> None:
    """As after a restart: a few thousand acts at a time, and what is urgent in between."""
    running.painter.pages = 2  # type: ignore[attr-defined]
    running.heard(ran(office, "a"))
    for _ in range(2):
        assert (await running.paint(patient=False), running.wait()) == ({}, 0.0)
    assert running.painter.painted == []  # type: ignore[attr-defined]
    assert await paint(running) == 1


async def test_however_many_run_most_of_slacks_updates_are_left_to_others(running: Running, office: Office) -> None:
    total = 0
    for second in range(180):
        running.time = float(second)  # type: ignore[attr-defined]
        for n in range(1, 40):
            running.heard(ran(office, "a", session=f"PA-{n}-1"))
        total += await paint(running)
    assert total == 3 * MOST
    assert len(set(running.painter.painted)) == 39, "each has its turn"  # type: ignore[attr-defined]


def test_the_first_sessions_have_a_message_each() -> None:
    assert session_key("PA-1", "PA-1-8") == "session:PA-1-8"
    assert session_key("PA-1", "PA-1-9") == session_key("PA-1", "PA-1-200") == "session:PA-1-9+"
