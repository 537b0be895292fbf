"""A disk that fills up, or fails: what cannot be recorded does not pass, in either form."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.recording import frames
from audit.recording.form import KEY, TRIES, Header
from audit.recording.reader import Recording
from audit.recording.room import Room
from audit.recording.writer import Recorder, RecorderFailed
from gateways.postgres.acts import Asked
from gateways.postgres.tape import SqlTape
from gateways.ssh.acts import Fed, Shown, Started
from gateways.ssh.tape import SshTape

HEADER = Header(session="PA-7-1", ref="PA-7", form="sql", started_at=0)
FULL = 1 << 62  # bytes that no disk has free


def recorder(path: Path, room: Room | None = None) -> Recorder:
    return Recorder(path, HEADER, bytes(KEY), room)


def sql(made: Recorder) -> Callable[[int], None]:
    tape = SqlTape(made)
    return lambda n: tape.asked([Asked(n, "select 1")])


def shell(made: Recorder) -> Callable[[int], None]:
    tape = SshTape(made)
    return lambda n: tape.write([Started(n, "command", "ls"), Shown(n, b"x"), Fed(n, b"y")])


@pytest.mark.parametrize("form", [sql, shell])
@pytest.mark.parametrize(("device", "said"), [("/dev/full", "No space left"), ("/proc/self/mem", "Input/output error")])
def test_the_act_that_cannot_be_written_is_not_let_through(
    tmp_path: Path, form: Callable[[Recorder], Callable[[int], None]], device: str, said: str
) -> None:
    made = recorder(tmp_path / "r")
    act = form(made)
    act(1)
    whole = (tmp_path / "r").read_bytes()
    broken = os.open(device, os.O_WRONLY)
    os.dup2(broken, made._frames.file)
    os.close(broken)
    for n in (2, 3):
        with pytest.raises(RecorderFailed, match=f"The recording cannot be written: {said}"):
            act(n)
    made.abandon()
    assert (tmp_path / "r").read_bytes() == whole


def test_a_piece_of_a_frame_does_not_stay_in_the_way_of_the_end(tmp_path: Path) -> None:
    path = tmp_path / "r"
    made = recorder(path)
    made.write("asked", {"text": "one"})
    before, (soft, hard) = made.size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (made.size + 40, hard))  # as a disk that takes the half of it
    try:
        with pytest.raises(RecorderFailed, match="File too large"):
            made.write("asked", {"text": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == before
    made.close("there is room again")
    assert [record.kind for _, record in Recording(path, bytes(KEY)).read()] == ["asked", "end"]


def test_what_cannot_be_begun_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(RecorderFailed):
            recorder(tmp_path / "r")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_below_the_reserve_nothing_more_is_recorded_but_the_end(tmp_path: Path) -> None:
    room = Room(tmp_path, 0)
    made, other = recorder(tmp_path / "r", room), recorder(tmp_path / "other", room)
    made.write("asked", {"text": "one"})
    room._reserve = FULL
    with pytest.raises(RecorderFailed, match=r"the gateway's disk is nearly full. Tell an admin."):
        made.look()
    for each in (made, other):  # one look is enough for all on that disk
        with pytest.raises(RecorderFailed, match="nearly full"):
            each.write("asked", {"text": "two"})
    made.close("The recording cannot be written.")
    recording = Recording(tmp_path / "r", bytes(KEY))
    assert [record.kind for _, record in recording.read()] == ["asked", "end"]
    assert recording.reading.complete
    room._reserve = 0
    other.write("asked", {"text": "there is room again"})
    other.close("closed")


def test_a_disk_is_not_looked_at_for_each_record(tmp_path: Path) -> None:
    class Counting(Room):
        looks = 0

        def look(self) -> None:
            self.looks += 1
            super().look()

    room = Counting(tmp_path, 0)
    made = recorder(tmp_path / "r", room)
    for n in range(1000):
        made.write("asked", {"n": n})
    made.close("closed")
    assert room.looks == 1


def test_a_disk_that_cannot_be_looked_at_is_no_disk(tmp_path: Path) -> None:
    with pytest.raises(RecorderFailed, match="No such file"):
        Room(tmp_path / "gone", 0).take(1)


@pytest.mark.parametrize("make", dict.fromkeys((frames.Frames, frames.fastest)))
def test_what_is_written_in_the_place_of_a_piece_is_not_sealed_alike(tmp_path: Path, make: frames.Made) -> None:
    """Two plaintexts under one key and nonce give each other away, and a disk may keep the piece."""
    source, drain = os.pipe()
    os.set_blocking(drain, False)
    made = make(drain, bytes(32), b"header")
    assert os.read(source, 100) == b"header"
    with pytest.raises(BlockingIOError):
        made.add(bytes(1 << 20), 1)
    piece = os.read(source, 1 << 20)
    while len(piece) < 2000:
        piece += os.read(source, 1 << 20)
    made.add(bytes(1000), 1)
    again = os.read(source, 1 << 20)
    shared = [one == other for one, other in zip(piece[4:1000], again[4:1000], strict=True)]
    assert sum(shared) < 100
    for _ in range(TRIES):
        with pytest.raises(BlockingIOError):
            made.add(bytes(1 << 20), 1)
    with pytest.raises(OSError, match="Input/output"):
        made.add(b"too often", 1)
    made.close()
    os.close(source)


@pytest.mark.skipif(not frames.COMPILED, reason="not compiled here: nothing is lent")
def test_nothing_is_asked_of_a_full_disk_before_anything_is_written(tmp_path: Path) -> None:
    room = Room(tmp_path, 1 << 62)
    with pytest.raises(RecorderFailed):
        room.look()
    made = recorder(tmp_path / "r")
    made._room = room
    made.lend(0)
    with pytest.raises(RecorderFailed):
        made.lend(1)
    made.abandon()


def test_what_is_lent_is_not_given_to_others(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    room = Room(tmp_path, free // 2)
    room.lend(free // 3)
    room.look()
    room.lend(1)
    room.lend(free // 3)
    with pytest.raises(RecorderFailed):
        room.look()
    room.lent_back(free // 3)
    room.look()
