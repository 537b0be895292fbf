"""A recording is what was written, up to the last byte that was; anything else is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.recording import frames
from audit.recording.form import KEY, Broken, Header, Record
from audit.recording.reader import Recording
from audit.recording.writer import Recorder, RecorderFailed

HEADER = Header(session="s-1", ref="PA-7", form="sql", started_at=1_700_000_000_000_000)
SECRET = bytes(range(KEY))
again = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)


def _recorded(path: Path, *texts: str, why: str = "closed") -> Recorder:
    recorder = Recorder(path, HEADER, SECRET)
    for text in texts:
        recorder.write("asked", {"text": text})
    recorder.close(why)
    return recorder


def _texts(path: Path) -> list[str]:
    return [record.data["text"] for _, record in Recording(path, SECRET).read() if record.kind == "asked"]


@again
@given(st.lists(st.text(max_size=200), max_size=12))
def test_what_was_written_is_read(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / os.urandom(4).hex()
    recorder = _recorded(path, *texts)
    recording = Recording(path, SECRET)
    assert [record.data["text"] for _, record in recording.read() if record.kind == "asked"] == texts
    assert recording.reading.complete
    assert recording.reading.hash == recorder.hash == list(recording.hashes())[-1]
    assert recorder.size == path.stat().st_size


def test_nothing_of_it_lies_there_in_the_clear(tmp_path: Path) -> None:
    _recorded(tmp_path / "r", "select 'hunter2'")
    raw = (tmp_path / "r").read_bytes()
    assert b"hunter2" not in raw
    assert b"asked" not in raw
    assert (tmp_path / "r").stat().st_mode & 0o077 == 0


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path, copy = tmp_path / "r", tmp_path / "copy"
    recorder = _recorded(path, "one", "two")
    whole = path.read_bytes()
    for place in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        copy.write_bytes(flipped)
        recording = Recording(copy, SECRET)
        try:
            list(recording.read())
        except (Broken, UnicodeDecodeError):
            continue
        assert not (recording.reading.complete and recording.reading.hash == recorder.hash), place


def test_frames_cannot_be_exchanged_left_out_or_cut_off_unnoticed(tmp_path: Path) -> None:
    path, copy = tmp_path / "r", tmp_path / "copy"
    _recorded(path, "aaa", "bbb", "ccc")
    whole = path.read_bytes()
    line, _, rest = whole.partition(b"\n")
    frames, at = [], 0
    while at < len(rest):
        end = at + 4 + int.from_bytes(rest[at : at + 4], "big")
        frames.append(rest[at:end])
        at = end
    for order in ([1, 0, 2, 3], [0, 2, 3], [0, 1, 2, 2, 3], [0, 1, 2, 3, 3]):
        copy.write_bytes(line + b"\n" + b"".join(frames[n] for n in order))
        with pytest.raises(Broken):
            list(Recording(copy, SECRET).read())
    copy.write_bytes(line + b"\n" + b"".join(frames[:3]))
    cut = Recording(copy, SECRET)
    assert len(list(cut.read())) == 3
    assert not cut.reading.complete


def test_a_torn_end_gives_everything_before_it(tmp_path: Path) -> None:
    path, copy = tmp_path / "r", tmp_path / "copy"
    _recorded(path, "one", "two", "three")
    whole = path.read_bytes()
    begin = whole.index(b"\n") + 1
    seen = set()
    for end in range(begin, len(whole)):
        copy.write_bytes(whole[:end])
        recording = Recording(copy, SECRET)
        texts = [record.data.get("text") for _, record in recording.read()]
        assert texts == ["one", "two", "three"][: len(texts)]
        assert not recording.reading.complete
        seen.add(len(texts))
    assert seen == {0, 1, 2, 3}


def test_another_key_reads_nothing(tmp_path: Path) -> None:
    _recorded(tmp_path / "r", "one")
    with pytest.raises(Broken, match="another one"):
        list(Recording(tmp_path / "r", bytes(KEY)).read())


@pytest.mark.parametrize(
    "content", [b"", b"{}\n", b"not json\n", b'{"version":9,"session":"s","ref":"","form":"sql","started_at":0}\n']
)
def test_what_is_no_recording_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(Broken):
        list(Recording(tmp_path / "r", SECRET).read())


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    _recorded(tmp_path / "r", "one")
    with pytest.raises(RecorderFailed, match="cannot be begun"):
        Recorder(tmp_path / "r", HEADER, SECRET)
    assert _texts(tmp_path / "r") == ["one"]


_FULL = """
import resource, signal, sys
from pathlib import Path
from audit.recording.form import Header
from audit.recording.writer import Recorder, RecorderFailed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
recorder = Recorder(Path(sys.argv[1]), Header(session="s", ref="PA-7", form="sql", started_at=0), bytes(range(32)))
for n in range(1000):
    try:
        recorder.write("asked", {"text": str(n)})
    except RecorderFailed as error:
        print(n, error)
        break
"""


def test_a_full_disk_is_said_at_the_record_that_does_not_fit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path / "r")], capture_output=True, text=True, check=True, timeout=60
    )
    failed, said = done.stdout.split(" ", 1)
    assert said.startswith("The recording cannot be written: File too large")
    assert _texts(tmp_path / "r") == [str(n) for n in range(int(failed))]  # all that was let through, and no more


_KILLED = """
import sys
import tempfile
from pathlib import Path
from audit.recording.form import Header
from audit.recording.writer import Recorder
recorder = Recorder(Path(sys.argv[1]), Header(session="s", ref="PA-7", form="sql", started_at=0), bytes(range(32)))
for n in range(10**9):
    recorder.write("asked", {"text": str(n)})
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def test_a_killed_process_leaves_everything_that_it_let_through(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path / "r")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    let_through = [line.strip() for line in told if line.endswith("\n")]
    assert _texts(tmp_path / "r")[: len(let_through)] == let_through


def test_records_that_belong_together_are_read_together(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", HEADER, SECRET)
    recorder.write_all([Record(1, "asked", {"text": "a"}), Record(2, "asked", {"text": "b"})])
    recorder.abandon()
    recording = Recording(tmp_path / "r", SECRET)
    assert [reading.frames for reading, _ in recording.read()] == [1, 1]


@pytest.mark.skipif(not frames.COMPILED, reason="not compiled here: there is only one")
@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 9)), max_size=8), st.binary(max_size=60))
def test_compiled_or_not_the_same_bytes_are_written(lines: list[tuple[bytes, int]], header: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for n, make in enumerate((frames.Frames, frames.fastest)):
            path = Path(directory) / str(n)
            made = make(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), bytes(range(32)), header)
            for place, (text, count) in enumerate(lines, 1):
                made.add(text, count, place == len(lines))
            files.append((path.read_bytes(), made.hash, made.size, made.records))
            made.close()
            assert made.file == -1
            with pytest.raises(OSError, match="Bad file descriptor"):
                made.add(b"too late", 1)
    assert files[0] == files[1]
