"""A session is told in one message, however long; what concerns the log itself is told in the channel, once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from access.events import (
    AuditExported,
    AuditSearched,
    CommandRun,
    CopyFailed,
    CopyRecovered,
    Event,
    FileTouched,
    LogKeyUsed,
    LogQuiet,
    QueryRun,
    SessionClosed,
    SessionOpened,
)
from access.ports import Change
from audit.log import Entry
from bot.look.sessions import Tally, count
from tests.bot.office import AUDIT, Office, shown, until
from tests.people import LINUS, MARGARET, ManualClock

AT = ManualClock().now()
COMMON: Mapping[str, Any] = {"at": AT, "ref": "PA-1", "by": LINUS, "session": "PA-1-1"}
OPENED = SessionOpened(gateway="postgres", target="orders-db", host="db-1", address="10.2.0.7", **COMMON)
CLOSED = SessionClosed(why="the client closed it", actions=3, recording="ab" * 32, **COMMON)


def query(text: str, *touches: str, coverage: str = "full", **more: Any) -> QueryRun:
    return QueryRun(target="orders-db", text=text, shape=text, touches=touches, coverage=coverage, **COMMON, **more)


async def written(office: Office, *events: Event) -> None:
    await office.store.commit(Change(events=events))
    await office.settled()


def in_channel(office: Office) -> list[str]:
    """What the app has posted into the channel itself, cards apart."""
    ours = [m for m in office.who("ada").messages(AUDIT) if m.get("bot_id")]
    return [shown(m) for m in ours if m["metadata"]["event_payload"]["kind"] != "card"]


# Sessions


async def test_a_session_is_one_message_with_what_was_done_counted(office: Office) -> None:
    await office.opened()
    command = CommandRun(
        target="orders-db", host="db-1", text="vacuum.sh", program="vacuum.sh", touches=(), coverage="opaque", **COMMON
    )
    await written(
        office, OPENED, query("select 1", "read table:public.orders"),
        query("update x", "write table:public.refunds", "read table:public.orders"), command, CLOSED,
    )  # fmt: skip
    (card,) = office.cards()
    assert office.thread(card)[3:] == [
        "⚪ *Session 1* to orders-db through the postgres gateway closed after 0 seconds: "
        "2 queries and 1 command, 1 of which may have touched more than they name.",
    ]
    line = shown(await office.line(card, "*Session 1*"))
    assert "changed table:public.refunds" in line
    assert "read table:public.orders" in line
    assert f"recording {'ab' * 32}" in line
    assert "select 1" not in line


async def test_a_card_after_a_long_session_is_painted_without_reading_what_was_run(office: Office) -> None:
    await office.opened()
    await written(office, OPENED, *(query(f"select {n}") for n in range(50)), CLOSED)
    feed = office.bot.thread.painter.feed = Counting(office.bot.thread.painter.feed)  # type: ignore[assignment]
    await office.bot.thread.repaint("PA-1")
    assert feed.read == 1
    assert 0 < feed.had < 10


async def test_a_session_is_read_in_pages_and_counted_whole(office: Office) -> None:
    await office.opened()
    await office.settled()
    feed = office.bot.thread.painter.feed = Counting(office.bot.thread.painter.feed)  # type: ignore[assignment]
    await written(office, OPENED, *(query(f"select {n}") for n in range(1100)), CLOSED)
    assert "1100 queries" in office.thread(office.cards()[0])[-1]
    assert feed.most <= 500


async def test_a_long_session_costs_no_reading_of_the_request_for_each_action(office: Office) -> None:
    await office.opened()
    await office.settled()
    feed = Counting(office.bot.thread.painter.feed)
    office.bot.thread.painter.feed = feed  # type: ignore[assignment]
    await written(office, OPENED, *(query(f"select {n}", f"read table:t{n}") for n in range(250)), CLOSED)
    assert feed.read < 50
    assert feed.had < 500, "what was counted is not read again"
    assert "250 queries" in office.thread(office.cards()[0])[-1]


class Counting:
    """A feed that counts how often a whole request is read."""

    def __init__(self, feed: Any) -> None:
        self._feed = feed
        self.read = 0
        self.had = self.most = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    async def entries_of(self, ref: str, *which: Any) -> Any:
        found = await self._feed.entries_of(ref, *which)
        self.read += 1
        self.had += len(found)
        self.most = max(self.most, len(found))
        return found


def test_sessions_are_counted_apart_by_what_was_done() -> None:
    other = dataclasses.replace(OPENED, session="PA-1-2")
    file = FileTouched(target="web", host="web-1", touches=("delete path:/tmp/x",), coverage="full", **COMMON)
    found = tallied(
        OPENED, query("a", "read table:t"), other, query("b", "read table:t", coverage="opaque"), file,
        query("c", kind="read"), query("d", kind="schema", flags=("ddl",)), query("e", kind="session", outcome="42601"),
    )  # fmt: skip
    assert [tally.number for tally in found.values()] == [1, 2]
    first = found["PA-1-1"]
    assert first.in_words() == "2 queries, 1 read, 1 schema change, 1 file and 1 other statement"
    assert (list(first.read), list(first.written)) == (["table:t"], ["path:/tmp/x"])
    assert (first.unclear, first.failed, first.flags, list(first.quoted)) == (1, 1, {"ddl": 1}, [6])
    assert found["PA-1-2"].in_words() == Tally(9).in_words() == "nothing was run"


def test_names_that_a_session_touches_without_end_are_not_all_kept() -> None:
    found = tallied(OPENED, *(query("a", f"read table:t{n}") for n in range(500)))
    assert len(found["PA-1-1"].read) == 50


def tallied(*events: Event) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    count(found, [Entry(seq, seq, AT, event, b"", b"") for seq, event in enumerate(events)])
    return found


# The log about itself

KEY = LogKeyUsed(at=AT, key="prodaccess/audit+0a1b2c3d+AbCd")
FAILED = CopyFailed(at=AT, to="s3:audit-copies", why="AccessDenied")
RECOVERED = CopyRecovered(at=AT, to="s3:audit-copies", down_since=AT - timedelta(minutes=20))
EXPORTED = AuditExported(at=AT, first=0, last=500, form="csv", sha256="cd" * 32, operator="root@audit-1")


@pytest.mark.parametrize(
    ("event", "parts"),
    [
        (KEY, ("signed with this key", "`prodaccess/audit+0a1b2c3d+AbCd`")),
        (FAILED, ("⚠️ *Warning*: the copy of the audit log at s3:audit-copies falls behind", "AccessDenied")),
        (RECOVERED, ("s3:audit-copies has caught up, after 20 minutes",)),
        (EXPORTED, ("Entries 0 to 500 of the audit log were exported as csv by root@audit-1", "cd" * 32)),
    ],
)
async def test_what_concerns_the_log_is_told_in_the_channel(
    office: Office, event: Event, parts: tuple[str, ...]
) -> None:
    await written(office, event)
    (told,) = in_channel(office)
    assert [part in told for part in parts] == [True] * len(parts)


@pytest.mark.parametrize("survives", [0, 1])
async def test_it_is_told_once_whatever_breaks_in_between(office: Office, survives: int) -> None:
    await office.bot_stops_noting_after(survives)
    await office.store.commit(Change(events=(FAILED, RECOVERED)))
    await until(lambda: office.notes_refused > 0)
    await office.reopen()
    await office.settled()
    assert len(in_channel(office)) == 2


async def test_looks_and_heartbeats_are_not_posted(office: Office) -> None:
    look = AuditSearched(at=AT, by=MARGARET, query="actor:linus", found=0, through="slack")
    await written(office, look, LogQuiet(at=AT))
    assert in_channel(office) == []


async def test_told_late_it_says_when_it_was(office: Office) -> None:
    office.clock.pass_by(minutes=5)
    await written(office, FAILED)
    assert "^{date_short_pretty} {time}|14:00 UTC>  ⚠️" in in_channel(office)[0]
