"""After a session: its recording is stored where it is locked, and goes from the disk when its time is over."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from access.afterwards.erasing import Erasing
from access.errors import TooLate, Unavailable
from access.events import RecordingErased, SessionRemoved, SessionStored
from access.ports import Change
from gateways.keeping import Stored, Whole, whole_of
from gateways.passed import Passed
from gateways.recordings import free_shelves, idle_shelves
from gateways.showing import Library
from tests.gateways.shelved import Shelved
from tests.people import LINUS, MARGARET
from tests.world import World

ACTS = [("asked", {"n": 1, "text": "select 1"}), ("answered", {"n": 1, "tag": "SELECT 1"})]


@dataclass
class Cellar:
    """A depot in memory."""

    fails: bool = False

    def __post_init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def put(self, whole: Whole) -> Stored:
        if self.fails:
            raise Unavailable("S3 answers SlowDown.")
        self.held[place := f"s3://cellar/{whole.session}?versionId=1"] = whole.path.read_bytes()
        return Stored(place, datetime(2030, 1, 1, tzinfo=UTC))

    def open(self, place: str) -> BinaryIO:
        return BytesIO(self.held[place])

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def shelved(tmp_path: Path) -> Iterator[Shelved]:
    made = Shelved(World(tmp_path), tmp_path / "recordings")
    yield made
    made.world.close()


async def test_it_is_stored_once_and_deleted_in_time(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    path, cellar = shelved.shelf.file(session), Cellar()
    whole, keeping = path.read_bytes(), shelved.keeping(cellar, keep=timedelta(days=7))
    await keeping.look()
    await keeping.look()
    (stored,) = await shelved.events(SessionStored)
    assert (stored.place, stored.size) == ("s3://cellar/PA-1-1?versionId=1", len(whole))
    assert (stored.recording, stored.sha256) == (session.recording, hashlib.sha256(whole).hexdigest())
    assert cellar.held == {stored.place: whole}
    assert path.exists()
    shelved.world.clock.pass_by(days=7, seconds=1)
    await keeping.look()
    await keeping.look()
    (removed,) = await shelved.events(SessionRemoved)
    assert (removed.place, removed.recording) == (stored.place, session.recording)
    assert not path.exists()
    assert await shelved.world.store.sessions.kept_sessions(shelved.shelf.name) == ()


async def test_what_is_not_stored_is_not_deleted(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    keeping = shelved.keeping(Cellar(fails=True), keep=timedelta(days=7))
    shelved.world.clock.pass_by(days=900)
    await keeping.look()
    assert shelved.shelf.file(session).exists()
    assert keeping.trouble == {"PA-1-1": "S3 answers SlowDown."}
    keeping.depot = Cellar()
    await keeping.look()
    assert keeping.trouble == {}
    assert len(await shelved.events(SessionStored)) == 1


async def test_a_clock_that_is_set_ahead_removes_nothing(shelved: Shelved) -> None:
    """Neither while the process runs nor while it was away; and what has passed in truth counts."""
    session, seconds = await shelved.recorded(ACTS), [0.0]
    still = Passed(elapsed=lambda: seconds[0], boot=lambda: "the same")

    async def is_there(**changes: Any) -> bool:
        await shelved.keeping(Cellar(), keep=timedelta(days=7), **{"passed": still, **changes}).look()
        return shelved.shelf.file(session).exists()

    assert await is_there()
    shelved.world.clock.pass_by(days=366)
    assert await is_there()
    seconds[0] += 6 * 86400
    shelved.world.clock.pass_by(days=6)
    assert await is_there()
    assert await is_there(passed=Passed(elapsed=lambda: 10.0, boot=lambda: "another"))
    shelved.world.clock.pass_by(days=30)
    assert await is_there(passed=Passed(elapsed=lambda: 20.0, boot=lambda: "a third"))
    shelved.world.clock.pass_by(days=1)
    assert not await is_there(passed=Passed(elapsed=lambda: 20.0 + 86400, boot=lambda: "a third"))


async def test_where_nobody_can_say_how_much_time_has_passed_nothing_is_removed(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    (shelved.shelf.path / "clock.new").mkdir()
    shelved.world.clock.pass_by(days=9)
    await shelved.keeping(keep=timedelta(days=7)).look()
    assert shelved.shelf.file(session).exists()


async def test_without_a_time_it_stays(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    shelved.world.clock.pass_by(days=9000)
    await shelved.keeping().look()
    assert shelved.shelf.file(session).exists()
    assert await shelved.events(SessionRemoved) == []


async def test_an_open_session_is_left_alone(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    still = replace(session, closed_at=None, why="")
    await shelved.world.store.commit(Change(sessions=(still,)))
    shelved.world.clock.pass_by(days=9000)
    await shelved.keeping(Cellar(), keep=timedelta(days=1)).look()
    assert shelved.shelf.file(session).exists()
    assert await shelved.events(SessionStored) == []


async def test_a_file_that_was_to_be_deleted_when_the_process_died_is_deleted(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    gone = replace(session, removed_at=shelved.world.clock.now())
    await shelved.world.store.commit(Change(sessions=(gone,)))
    (shelved.shelf.path / "PA-9-9.rec").write_bytes(b"of nobody that is known")
    await shelved.keeping().look()
    assert shelved.shelf.names() == ["PA-9-9"]


async def test_a_dead_process_has_its_recordings_stored_by_another(shelved: Shelved) -> None:
    await shelved.recorded(ACTS)
    shelved.shelf.close()
    (dead,) = free_shelves(shelved.place, shelved.key)
    dead.close()
    other = Shelved(shelved.world, shelved.place / "elsewhere")
    adopted: list[str] = []

    async def adopt(shelf: Any) -> None:
        adopted.append(shelf.name)

    cellar = Cellar()
    keeping = shelved.keeping(cellar, own=other.shelf)
    keeping.adopt = adopt
    keeping.shelves = lambda: chain([other.shelf], idle_shelves(shelved.place, shelved.key))
    await keeping.look()
    assert adopted == [shelved.shelf.name]
    assert list(cellar.held) == ["s3://cellar/PA-1-1?versionId=1"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "longer", "gone"])
async def test_what_the_log_does_not_know_is_neither_stored_nor_deleted(shelved: Shelved, damage: str) -> None:
    session, other = await shelved.recorded(ACTS), await shelved.recorded([*ACTS, *ACTS])
    path = shelved.shelf.file(session)
    whole = path.read_bytes()
    damaged = {
        "cut": whole[:-20], "flipped": whole[:-1] + bytes([whole[-1] ^ 1]), "longer": whole + b"\0\0\0\1x",
        "other": shelved.shelf.file(other).read_bytes(), "gone": b"",
    }[damage]  # fmt: skip
    path.write_bytes(damaged)
    if damage == "gone":
        path.unlink()
    cellar = Cellar()
    keeping = shelved.keeping(cellar, keep=timedelta(days=1))
    shelved.world.clock.pass_by(days=2)
    await keeping.look()
    if damage == "longer":  # what stands behind what the log knows is nobody's evidence, and still not thrown away
        assert whole_of(path, session).size == len(damaged)
        return
    assert list(keeping.trouble) == [session.id]
    assert list(cellar.held) == [f"s3://cellar/{other.id}?versionId=1"]
    assert [event.session for event in await shelved.events(SessionRemoved)] in ([], [other.id])


async def test_what_nobody_foresaw_does_not_hold_up_the_others(shelved: Shelved) -> None:
    first, second = await shelved.recorded(ACTS), await shelved.recorded(ACTS)

    class Odd(Cellar):
        def put(self, whole: Whole) -> Stored:
            if whole.session == first.id:
                raise KeyError("VersionId")  # as of a server that only says that it is S3
            return super().put(whole)

    (shelved.shelf.path / "PA-strange.rec").write_bytes(b"put there by somebody")
    cellar = Odd()
    keeping = shelved.keeping(cellar)
    await keeping.look()
    assert list(cellar.held) == [f"s3://cellar/{second.id}?versionId=1"]
    assert keeping.trouble == {first.id: "KeyError at a look at it; the log of the gateway says more."}
    now, hour = shelved.world.clock.now(), timedelta(hours=1)
    sessions = shelved.world.store.sessions
    assert [await sessions.unstored(at) for at in (now - hour, now + hour)] == [0, 1]


async def test_what_was_never_begun_is_not_missed(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    shelved.shelf.file(session).unlink()
    none = replace(session, size=0, acts=0, recording="")
    await shelved.world.store.commit(Change(sessions=(none,)))
    keeping = shelved.keeping(Cellar())
    await keeping.look()
    assert keeping.trouble == {}


async def test_one_that_cannot_be_stored_does_not_hold_up_the_others(shelved: Shelved) -> None:
    first, second = await shelved.recorded(ACTS), await shelved.recorded(ACTS)
    shelved.shelf.file(first).write_bytes(os.urandom(100))
    cellar = Cellar()
    await shelved.keeping(cellar).look()
    assert list(cellar.held) == [f"s3://cellar/{second.id}?versionId=1"]


async def test_erasing_a_grants_words_leaves_its_recordings_unreadable_wherever_they_are(shelved: Shelved) -> None:
    session, cellar, world = await shelved.recorded(ACTS), Cellar(), shelved.world
    await shelved.keeping(cellar).look()
    library = Library(shelved.place, shelved.key, cellar)
    assert b"select 1" in b"".join(library.lines(await shelved.now(session), "records"))
    erasing = Erasing(world.store, world.people, world.policies, world.clock, sessions=world.store.sessions)
    still = replace(await shelved.now(session), closed_at=None)
    await world.store.commit(Change(sessions=(still,)))
    await world.broker.end(session.grant, LINUS)
    with pytest.raises(TooLate, match="PA-1-1 is not closed yet"):
        await erasing.erase("PA-1", "DPO-31", MARGARET)
    await world.store.commit(Change(sessions=(replace(await shelved.now(session), closed_at=session.closed_at),)))
    await erasing.erase("PA-1", "DPO-31", MARGARET)
    await erasing.erase("PA-1", "again", MARGARET)
    (erased,) = await shelved.events(RecordingErased)
    assert (erased.session, erased.why, erased.by) == ("PA-1-1", "DPO-31", MARGARET)
    with pytest.raises(Unavailable, match="destroyed on purpose"):
        library.lines(await shelved.now(session), "records")
    await shelved.keeping(cellar, keep=timedelta(days=1)).look()  # the file goes in its time all the same
    assert (await shelved.now(session)).seed == ""
    assert not _holds(world.url, session.seed)


def _holds(url: str, text: str) -> bool:
    return text.encode() in Path(url.removeprefix("sqlite:///")).read_bytes()


class Died(BaseException):
    """As `kill -9`."""


class Dying:
    """A store that dies before its first commit."""

    async def commit(self, change: Change) -> Any:
        raise Died(change)


async def test_a_process_that_dies_before_its_entry_has_it_written_by_the_next_one(shelved: Shelved) -> None:
    session, cellar = await shelved.recorded(ACTS), Cellar()
    for depot, keep in ((cellar, None), (None, timedelta(0))):
        dying = shelved.keeping(depot, keep=keep)
        dying.store = Dying()  # type: ignore[assignment]
        with pytest.raises(Died):
            await dying.look()
        assert shelved.shelf.file(session).exists()
    for _ in range(2):
        await shelved.keeping(cellar, keep=timedelta(0)).look()
    assert [await shelved.events(kind) != [] for kind in (SessionStored, SessionRemoved)] == [True, True]
    assert len(await shelved.events(SessionStored)) == len(await shelved.events(SessionRemoved)) == 1
    assert not shelved.shelf.file(session).exists()
