"""What is remembered, for how long, and that not knowing is never the same as nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from access.errors import Unavailable
from access.ports import Looked, Memberships, NotLooked
from directory.memberships import Directories, Found
from tests.people import ManualClock

OWNERS = "slack:S0OWNERS"


@dataclass
class Groups:
    """A directory whose answers a test holds back with `gate`."""

    people: set[str] = field(default_factory=lambda: {"U0ADA"})
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    at_the_end: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.gate.set()

    async def find(self, group_id: str) -> Found:
        self.asked.append(group_id)
        found = Found(frozenset(self.people))
        await self.gate.wait()
        self.at_the_end()
        if self.broken:
            raise Unavailable("Slack does not say who that is.")
        return found


@pytest.fixture
def groups() -> Groups:
    return Groups()


@pytest.fixture
def directories(groups: Groups, clock: ManualClock) -> Directories:
    return Directories({"slack": groups}, clock)


async def one(memberships: Memberships, *, fresh: bool = False) -> Looked | NotLooked:
    return (await memberships.members([OWNERS], fresh=fresh))[OWNERS]


async def asking(groups: Groups, times: int) -> None:
    async with asyncio.timeout(20):
        while len(groups.asked) < times:  # noqa: ASYNC110 - nothing rings for these
            await asyncio.sleep(0)


async def test_each_id_is_answered_and_asked_for_once(groups: Groups, directories: Directories) -> None:
    found = await directories.members([OWNERS, "slack:S0OTHER", OWNERS])
    assert list(found) == [OWNERS, "slack:S0OTHER"]
    assert groups.asked == ["S0OWNERS", "S0OTHER"]
    assert await directories.members([]) == {}


async def test_within_a_minute_it_is_not_asked_again(
    groups: Groups, directories: Directories, clock: ManualClock
) -> None:
    first = await one(directories)
    clock.pass_by(seconds=59)
    assert await one(directories) == first == Looked(frozenset({"U0ADA"}), clock.now() - timedelta(seconds=59))
    clock.pass_by(seconds=1)
    assert await one(directories) == Looked(frozenset({"U0ADA"}), clock.now())
    assert len(groups.asked) == 2


async def test_fresh_is_always_asked(groups: Groups, directories: Directories, clock: ManualClock) -> None:
    await one(directories)
    groups.people = set()
    assert await one(directories, fresh=True) == Looked(frozenset(), clock.now())
    assert await one(directories) == Looked(frozenset(), clock.now())
    assert len(groups.asked) == 2


async def test_a_failure_is_a_value_and_never_an_empty_group(
    groups: Groups, directories: Directories, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    groups.broken = True
    assert await one(directories) == NotLooked("Slack does not say who that is.", clock.now())
    assert caplog.records[0].__dict__["group"] == OWNERS


async def test_an_older_answer_stands_in_up_to_its_limit_and_shows_its_age(
    groups: Groups, directories: Directories, clock: ManualClock
) -> None:
    known = await one(directories)
    assert isinstance(known, Looked)
    groups.broken = True
    clock.pass_by(seconds=299)
    assert await one(directories) == known
    clock.pass_by(seconds=1)
    failed = await one(directories)
    assert failed == NotLooked("Slack does not say who that is.", clock.now() - timedelta(seconds=1), known.fetched_at)


async def test_no_older_answer_stands_in_where_fresh_was_asked_for(
    groups: Groups, directories: Directories, clock: ManualClock
) -> None:
    await one(directories)
    groups.broken = True
    assert await one(directories, fresh=True) == NotLooked("Slack does not say who that is.", clock.now(), clock.now())


async def test_after_a_failure_there_is_a_pause_but_not_for_fresh(
    groups: Groups, directories: Directories, clock: ManualClock
) -> None:
    groups.broken = True
    for _ in range(3):
        await one(directories)
    assert len(groups.asked) == 1
    groups.broken = False
    assert isinstance(await one(directories, fresh=True), Looked)
    groups.broken = True
    await one(directories, fresh=True)
    groups.broken = False
    clock.pass_by(seconds=5)
    await one(directories)
    assert len(groups.asked) == 4


async def test_the_news_of_a_change_ends_what_was_known(groups: Groups, directories: Directories) -> None:
    await one(directories)
    groups.people = {"U0GRACE"}
    directories.forget(OWNERS)
    directories.forget("slack:S0NEVERASKED")
    found = await one(directories)
    assert isinstance(found, Looked)
    assert found.people == {"U0GRACE"}


async def test_after_the_news_of_a_change_nothing_older_stands_in(groups: Groups, directories: Directories) -> None:
    await one(directories)
    directories.forget(OWNERS)
    groups.broken = True
    assert isinstance(await one(directories), NotLooked)


async def test_an_answer_that_crosses_with_the_news_is_asked_for_again(
    groups: Groups, directories: Directories
) -> None:
    groups.gate.clear()
    looking = asyncio.ensure_future(one(directories))
    await asking(groups, 1)
    groups.people = {"U0GRACE"}  # the first answer was made before
    directories.forget(OWNERS)
    groups.gate.set()
    found = await looking
    assert isinstance(found, Looked)
    assert found.people == {"U0GRACE"}
    assert len(groups.asked) == 2


async def test_many_at_once_ask_once_and_a_later_fresh_one_asks_itself(
    groups: Groups, directories: Directories
) -> None:
    groups.gate.clear()
    first = asyncio.ensure_future(one(directories))
    await asking(groups, 1)
    groups.people = {"U0GRACE"}  # after the first question was put
    later = [asyncio.ensure_future(one(directories, fresh=True)) for _ in range(20)]
    await asyncio.sleep(0)
    groups.gate.set()
    before = await first
    assert isinstance(before, Looked)
    found = await asyncio.gather(*later)
    assert all(isinstance(each, Looked) and each.people == {"U0GRACE"} for each in found)
    assert len(groups.asked) == 2


async def test_many_at_once_fail_together_and_not_one_after_the_other(groups: Groups, directories: Directories) -> None:
    groups.broken = True
    groups.gate.clear()
    asked = [asyncio.ensure_future(one(directories, fresh=True)) for _ in range(20)]
    await asking(groups, 1)
    groups.gate.set()
    assert all(isinstance(each, NotLooked) for each in await asyncio.gather(*asked))
    assert len(groups.asked) == 2  # the first one began before the others came


async def test_many_who_only_look_share_the_question_that_is_under_way(
    groups: Groups, directories: Directories
) -> None:
    groups.gate.clear()
    asked = [asyncio.ensure_future(one(directories)) for _ in range(20)]
    await asking(groups, 1)
    groups.gate.set()
    assert all(isinstance(each, Looked) for each in await asyncio.gather(*asked))
    assert len(groups.asked) == 1


async def test_news_between_an_answer_and_one_who_waits_for_it_are_heard(
    groups: Groups, directories: Directories
) -> None:
    def news() -> None:
        groups.people = {"U0LINUS"}
        directories.forget(OWNERS)

    groups.gate.clear()
    asked = [asyncio.ensure_future(one(directories, fresh=True)) for _ in range(3)]
    await asking(groups, 1)  # of the two who wait, one will ask, and the other takes that answer
    groups.people = {"U0GRACE"}
    groups.at_the_end = lambda: len(groups.asked) == 2 and asyncio.get_running_loop().call_soon(news)
    groups.gate.set()
    found = await asyncio.gather(*asked)
    assert [each.people for each in found if isinstance(each, Looked)] == [{"U0ADA"}, {"U0GRACE"}, {"U0LINUS"}]


@pytest.mark.parametrize("group", ["pagerduty:PI7DH85", "slack", "slack:", "", ":x"])
async def test_a_directory_that_is_not_set_up_says_so(directories: Directories, groups: Groups, group: str) -> None:
    found = (await directories.members([group]))[group]
    assert isinstance(found, NotLooked)
    assert found.why == f"No directory is set up that knows {group}. Ask an admin to set it up."
    assert groups.asked == []


async def test_a_cancelled_question_leaves_no_lock_behind(groups: Groups, directories: Directories) -> None:
    groups.gate.clear()
    first = asyncio.ensure_future(one(directories))
    await asking(groups, 1)
    first.cancel()
    groups.gate.set()
    assert isinstance(await one(directories), Looked)
