"""Files of recordings held against the log: which frame is bad, what is missing, what was cut."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access.events import RecordingErased, SessionRemoved
from access.ports import Change
from access.sessions.ending import closed
from audit.payloads import KEY
from prodaccess.auditing.desk import Desk
from prodaccess.auditing.recordings import check_recordings
from tests.gateways.shelved import Shelved
from tests.people import MARGARET
from tests.world import World
from verifier.report import Report

ACTS = [("asked", {"n": n, "text": f"select {n}"}) for n in range(1, 4)]


@pytest.fixture
async def shelved(tmp_path: Path) -> AsyncIterator[Shelved]:
    made = Shelved(World(tmp_path), tmp_path / "recordings")
    yield made
    made.world.close()


def checked(shelved: Shelved, *, key: bool = True, place: Path | None = None) -> Report:
    report = Report("the database")
    environ = {"PRODACCESS_DATABASE_URL": shelved.world.url}
    if key:
        environ["PRODACCESS_AUDIT_PAYLOAD_KEY"] = base64.b64encode(bytes(range(KEY))).decode()
    check_recordings(Desk.of(environ), [str(place or shelved.place)], report)
    return report


def frames(whole: bytes) -> list[bytes]:
    line, _, rest = whole.partition(b"\n")
    found, at = [line + b"\n"], 0
    while at < len(rest):
        end = at + 4 + int.from_bytes(rest[at : at + 4], "big")
        found.append(rest[at:end])
        at = end
    return found


async def test_whole_ones_are_counted(shelved: Shelved) -> None:
    await shelved.recorded(ACTS)
    await shelved.recorded([])
    for with_key in (True, False):
        report = checked(shelved, key=with_key)
        assert (report.failures, report.exceptions, report.undecided, report.exit) == ([], [], [], 0)
        assert report.passed["recording"] == 2
        assert report.remarks == [f"recording: 2 of 2 looked through at {shelved.place}"]


DAMAGES = {
    "flipped": (lambda parts: [*parts[:2], parts[2][:-1] + bytes([parts[2][-1] ^ 1]), *parts[3:]], "frame 1 is not"),
    "left out": (lambda parts: [parts[0], *parts[2:]], "frame 0 is not"),
    "exchanged": (lambda parts: [parts[0], parts[2], parts[1], *parts[3:]], "frame 0 is not"),
    "cut": (lambda parts: parts[:3], "it ends after"),
    "torn": (lambda parts: [*parts[:-1], parts[-1][:-3]], "it ends after"),
    "longer": (lambda parts: [*parts, b"\0\0\0\5xxxxx"], "frame 4 is not"),
    "longer by a piece": (lambda parts: [*parts, b"\0\0\0\5x"], "it is 5 bytes longer"),
    "no recording": (lambda _: [b"\xffnot a recording\n"], "this is no recording"),
    "empty": (lambda _: [], "this is no recording"),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
async def test_what_is_wrong_is_said_with_its_place(shelved: Shelved, damage: str) -> None:
    session, (change, told) = await shelved.recorded(ACTS), DAMAGES[damage]
    path = shelved.shelf.file(session)
    path.write_bytes(b"".join(change(frames(path.read_bytes()))))
    report = checked(shelved)
    (failure,) = report.failures
    assert failure.what.startswith(f"PA-1-1: {told}")
    assert (failure.ref, report.exit) == ("PA-1", 1)
    assert checked(shelved, key=False).exit == 1  # whoever has no key finds it, too


async def test_a_missing_file_and_another_ones_are_found(shelved: Shelved) -> None:
    one, two = await shelved.recorded(ACTS), await shelved.recorded(ACTS)
    shelved.shelf.file(one).write_bytes(shelved.shelf.file(two).read_bytes())
    shelved.shelf.file(two).unlink()
    first, second = checked(shelved).failures
    assert first.what.startswith("PA-1-1: ")
    assert second.what == "PA-1-2: its file is missing"


async def test_one_made_anew_under_the_right_key_is_not_the_one_that_the_log_knows(shelved: Shelved) -> None:
    session = await shelved.recorded(ACTS)
    shelved.shelf.file(session).unlink()
    forged = shelved.shelf.begin(session, "sql")
    for n in range(1, 4):
        forged.write("asked", {"n": n, "text": f"select {n}" if n != 2 else "select 7"})
    forged.close("closed")
    (failure,) = checked(shelved).failures
    assert failure.what.startswith("PA-1-1: up to frame 2 ")
    assert failure.what.endswith("it is not the one that the log knows")


async def test_what_the_log_explains_is_no_fault(shelved: Shelved) -> None:
    removed, erased = await shelved.recorded(ACTS), await shelved.recorded(ACTS)
    now = shelved.world.clock.now()
    about = {"at": now, "ref": "PA-1"}
    gone = SessionRemoved(**about, session=removed.id, recording=removed.recording)
    destroyed = RecordingErased(**about, by=MARGARET, session=erased.id, why="asked to")
    await shelved.world.store.commit(Change(events=(gone, destroyed)))
    shelved.shelf.file(removed).unlink()
    report = checked(shelved)
    assert (report.failures, report.passed["recording"]) == ([], 1)


@pytest.mark.parametrize("is_made", [False, True])
async def test_a_gateway_that_died_before_a_first_word_is_no_fault(shelved: Shelved, is_made: bool) -> None:
    session = await shelved.now(await shelved.opened())
    if is_made:
        shelved.shelf.file(session).touch()
    await shelved.world.store.commit(closed(session, "cut off", shelved.world.clock.now(), late=True))
    report = checked(shelved)
    assert report.failures == []
    assert [each.what for each in report.exceptions] == ["PA-1-1: its gateway died before anything of it was kept"]


async def test_of_another_gateways_disk_nothing_is_said(shelved: Shelved, tmp_path: Path) -> None:
    await shelved.recorded(ACTS)
    other = Shelved(shelved.world, tmp_path / "elsewhere")
    report = checked(shelved, place=other.place)
    assert (report.failures, report.remarks) == ([], [f"recording: 0 of 1 looked through at {other.place}"])
