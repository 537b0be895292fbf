"""What a person touches for the first time, whatever grant it is under."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from access.events import Event, FileTouched, QueryRun
from access.policy import Watch
from access.ports import Change
from gateways.first import with_first
from tests.people import ADA, LINUS
from tests.world import World

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def live(who: Any = LINUS, *flags: str) -> Any:
    session = SimpleNamespace(requester=who, target="orders-db")
    watch = Watch(frozenset(flags or ("first-time", "ddl")))
    return SimpleNamespace(session=session, watch=watch, touched=set())


def ran(*touches: str, outcome: str = "ok") -> QueryRun:
    return QueryRun(
        at=NOW, ref="PA-1", by=LINUS, session="PA-1-1", target="orders-db", text="", shape="", touches=touches,
        coverage="full", outcome=outcome, flags=("ddl",),
    )  # fmt: skip


def read(path: str) -> FileTouched:
    return FileTouched(
        at=NOW, ref="PA-1", by=LINUS, session="PA-1-1", target="orders-db", host="h", touches=(f"read path:{path}",),
        coverage="full",
    )  # fmt: skip


async def told(world: World, session: Any, *events: Event) -> list[tuple[str, ...]]:
    change = await with_first(session, Change(events=events), world.store.sessions)
    await world.store.commit(Change(seen=change.seen, events=change.events))
    return [event.flags for event in change.events]  # type: ignore[attr-defined]


async def test_a_table_or_directory_is_new_once_for_each_person(world: World) -> None:
    first = live()
    said = await told(world, first, ran("read table:orders"), ran("write table:orders"), read("/etc/a"), read("/etc/b"))
    assert said == [("ddl", "first-time"), ("ddl",), ("first-time",), ()]
    assert await told(world, first, ran("read table:orders", "read table:users")) == [("ddl", "first-time")]
    assert await told(world, live(), ran("read table:orders", "read table:users"), read("/etc/c")) == [("ddl",), ()]
    assert await told(world, live(ADA), ran("read table:orders")) == [("ddl", "first-time")]


async def test_what_failed_was_not_touched(world: World) -> None:
    failed = ran("read table:orders", outcome="42501")
    assert await told(world, live(), failed, ran("read table:orders")) == [("ddl", "first-time")] * 2
    assert await told(world, live(), failed) == [("ddl",)]


async def test_nothing_is_asked_where_the_policy_does_not_want_it(world: World) -> None:
    assert await told(world, live(LINUS, "ddl"), ran("read table:orders")) == [("ddl",)]


async def test_so_many_at_once_are_asked_for_in_parts(world: World) -> None:
    many = ran(*(f"read table:t{n}" for n in range(1200)))
    assert await told(world, live(), many) == [("ddl", "first-time")]
    assert await told(world, live(), many) == [("ddl",)]
