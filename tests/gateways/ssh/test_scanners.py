"""The old scp, command marks, terminals and text: each told as what it is."""

from __future__ import annotations

import base64
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.ssh.acts import (
    Act,
    CommandBegan,
    CommandEnded,
    Ended,
    Fed,
    FileAnswered,
    FileAsked,
    FileDone,
    Opaque,
    Resized,
    Screen,
    Shown,
    record_of,
)  # fmt: skip
from gateways.ssh.asciicast import asciicast
from gateways.ssh.marks import LONGEST, Marks
from gateways.ssh.rcp import Copy, Rcp, read_command
from gateways.ssh.text import harmless, path_of, placed, text_of
from gateways.ssh.watch import KEPT, Watch


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


# The old scp


@pytest.mark.parametrize(
    ("command", "copy"),
    [
        ("scp -t /tmp", Copy(False, ("/tmp",))),
        ("scp -r -p -d -t '/a b'", Copy(False, ("/a b",), True)),
        ("/usr/bin/scp -pf x y", Copy(True, ("x", "y"))),
        ("scp -t x; rm -rf /", None),
        ("scp -t $(id)", None),
        ("scp x y", None),
        ("scp -t -f x", None),
        ("scp -S evil -t x 'unfinished", None),
        ("scp -t 'unfinished", None),
        ("scp -t /etc/passwd # /tmp/harmless", None),
        ("scp -t /etc/passwd -S /tmp/harmless", None),
        ("scp -t /etc/passwd '-S' /tmp/harmless", None),
        ("scp -t /etc/passwd /tmp/harmless", None),
        ("scp -f /etc/passwd\r/tmp/harmless", None),
        ("/tmp/scp -t x", None),
        ("scp -f -- '/srv/a b' c", Copy(True, ("/srv/a b", "c"))),
        ("scp -f /srv/*", Copy(True, ("/srv/*",), is_certain=False)),
        ("scp -f =ls", Copy(True, ("=ls",), is_certain=False)),
        ("scp -f a=b", Copy(True, ("a=b",))),
        ("sh -c scp -t x", None),
    ],
)
def test_only_a_plain_scp_is_taken_for_one(command: str, copy: Copy | None) -> None:
    assert read_command(command) == copy


LETTERS = (b"T1 0 1 0\n", b"C0644 5 one\n", b"hello\0", b"D0755 0 sub\n", b"C0600 0 empty\n", b"\0", b"E\n")


@given(piece=st.integers(1, 30))
@settings(max_examples=20, deadline=None)
def test_what_is_copied_up(piece: int) -> None:
    rcp = Rcp(1, Copy(False, ("/srv",), True))
    acts = rcp.received(b"\0")
    for letter in LETTERS:
        for at in range(0, len(letter), piece):
            acts += rcp.sent(letter[at : at + piece])
        acts += rcp.received(b"\0")
    assert acts == [
        FileAsked(1, 1, "write", "/srv/one", "/srv/one", size=5),
        FileDone(1, 1, 0, 5, "", digest(b"hello")),
        FileAsked(1, 2, "mkdir", "/srv/sub", "/srv/sub"),
        FileAnswered(1, 2),
        FileAsked(1, 3, "write", "/srv/sub/empty", "/srv/sub/empty", size=0),
        FileDone(1, 3, 0, 0, "", digest(b"")),
    ]
    assert rcp.over() == []


def test_what_is_copied_down_and_what_the_other_end_says() -> None:
    rcp = Rcp(1, Copy(True, ("/etc/../etc/passwd",)))
    assert rcp.sent(b"\0") == []
    assert rcp.received(b"C0644 3 passwd\n") == [FileAsked(1, 1, "read", "/etc/../etc/passwd", "/etc/passwd", size=3)]
    assert rcp.sent(b"\0") == []
    assert rcp.received(b"abc\0") == []
    assert rcp.sent(b"\1no space\n") == [FileDone(1, 1, 3, 0, digest(b"abc"), error="no space")]
    assert rcp.over() == []


def test_a_file_cut_short_has_no_hash_and_one_that_nobody_took_is_not_said_to_be_there() -> None:
    rcp = Rcp(1, Copy(False, ("/srv",)))
    rcp.received(b"\0")
    rcp.sent(b"C0644 9 one\n")
    rcp.received(b"\0")
    rcp.sent(b"hal")
    assert rcp.over() == [FileDone(1, 1, 0, 3, closed=False)]
    rcp = Rcp(1, Copy(False, ("/srv",)))
    rcp.received(b"\0")
    rcp.sent(b"C0644 0 one\n")
    rcp.received(b"\0")
    rcp.sent(b"\0")
    assert rcp.over() == [FileDone(1, 1, 0, 0, "", digest(b""), closed=False)]


def test_whoever_does_not_wait_for_answers_names_no_file_that_is_none() -> None:
    """The host has refused the first, and takes what follows for a second that was never named to us."""
    watch = Watch.of(1, "command", "scp -t /srv", None)
    watch.received(b"\0")
    acts = watch.sent(b"C0644 13 one\nC0644 1 evil\nx\0")
    assert acts[:2] == [
        FileAsked(1, 1, "write", "/srv", "/srv", "one", 13),
        Opaque(1, "a sender that does not wait for answers"),
    ]
    assert watch.files is None


def test_what_a_sender_complains_of_is_kept() -> None:
    """A scp ignores it; what somebody has put in its place need not."""
    watch = Watch.of(1, "command", "scp -t /srv", None)
    watch.received(b"\0")
    assert watch.sent(b"\1rm -rf /srv\n") == [Fed(1, b"\1rm -rf /srv\n"), Opaque(1, "a sender that complains")]
    watch = Watch.of(1, "command", "scp -f x", None)
    watch.sent(b"\0")
    assert watch.received(b"\1x: no such file\n") == []


def test_what_a_shell_puts_in_its_place_is_not_known() -> None:
    rcp = Rcp(1, Copy(False, ("/srv/*",), is_certain=False))
    rcp.received(b"\0")
    assert rcp.sent(b"C0644 5 one\n") == [FileAsked(1, 1, "write", "/srv/*", "", "one", size=5)]


@pytest.mark.parametrize("stream", [b"GET /\n", b"C0644 x y\n", b"C0644 1 " + b"x" * 10_000])
def test_what_is_no_scp_is_said_to_be_none(stream: bytes) -> None:
    rcp = Rcp(1, Copy(False, ("/srv",)))
    rcp.received(b"\0")
    assert isinstance(rcp.sent(stream)[-1], Opaque)
    assert rcp.broken


# Command marks


def mark(kind: str, value: str, word: str = "w") -> bytes:
    return f"\x1b]133;{kind};{word};{value}\x07".encode()


def line(number: int, command: str) -> str:
    return base64.b64encode(f"  {number}  {command}\n".encode()).decode()


SCREEN = b"\x1b[1mprompt$ \r\n" + mark("C", line(7, "ls -l | grep \xfc")) + b"out\r\n" + mark("D", "2") + b"prompt$ "


@given(piece=st.integers(1, 60))
@settings(max_examples=20, deadline=None)
def test_marks_are_found_in_pieces(piece: int) -> None:
    marks = Marks(1, "w")
    acts = [act for at in range(0, len(SCREEN), piece) for act in marks.feed(SCREEN[at : at + piece])]
    assert acts == [CommandBegan(1, "ls -l | grep \xfc"), CommandEnded(1, 2)]


def test_marks_without_the_word_are_not_believed() -> None:
    assert Marks(1, "w").feed(mark("C", line(1, "harmless"), "x") + b"\x1b]133;C;;\x07\x1b]133;C\x07") == []


def test_a_line_that_the_shell_kept_no_number_for_is_not_exact() -> None:
    marks = Marks(1, "w")
    marks.feed(mark("C", line(3, "ls")) + mark("D", "0"))
    assert marks.feed(mark("C", line(3, "ls"))) == [CommandBegan(1, "ls", exact=False)]
    assert marks.feed(mark("C", "!no base64!")) == [CommandBegan(1, "", exact=False)]


def test_a_mark_without_end_is_given_up_and_costs_no_time() -> None:
    marks = Marks(1, "w")
    marks.feed(b"\x1b]133;C;w;")
    for _ in range(LONGEST // 1024 + 2):
        assert marks.feed(b"A" * 1024) == []
    assert marks.feed(b"\x07" + mark("C", line(1, "id"))) == [CommandBegan(1, "id")]


# Programs


def test_a_terminal_is_kept_whole_and_its_input_is_not() -> None:
    watch = Watch.of(1, "shell", "", Screen("xterm", 80, 24))
    assert watch.sent(b"hunter2") == []
    assert watch.received(b"\xff\r\n") == [Shown(1, b"\xff\r\n")]
    assert watch.over() == [Ended(1, 7, 3, "", digest(b"\xff\r\n"))]


def test_a_script_fed_to_a_shell_is_kept() -> None:
    watch = Watch.of(1, "command", "bash -s", None)
    assert watch.sent(b"id\nrm x\n") == [Fed(1, b"id\nrm x\n")]
    assert [type(act) for act in watch.sent(b"x" * KEPT)] == [Fed, Opaque]
    assert watch.sent(b"more") == []


def test_data_fed_to_a_program_is_only_counted() -> None:
    watch = Watch.of(1, "command", "tar x", None)
    assert [type(act) for act in watch.sent(b"\x1f\x8b\0\0data")] == [Opaque]
    assert watch.over() == [Ended(1, 8, 0, digest(b"\x1f\x8b\0\0data"), digest(b""))]


def test_output_without_a_terminal_is_counted_and_hashed() -> None:
    watch = Watch.of(1, "command", "cat big", None)
    assert watch.received(b"\0" * 1000) == []
    assert [act.received for act in watch.moved() if not isinstance(act, Ended)] == [1000]
    assert watch.moved() == []


def test_a_fake_scp_is_opaque_from_where_it_stops_being_one() -> None:
    watch = Watch.of(1, "command", "scp -t x", None)
    assert [type(act) for act in watch.sent(b"not scp\n")] == [Opaque, Fed]
    assert watch.sent(b"more") == [Fed(1, b"more")]


# What is written down and looked at


def test_a_name_is_one_line_and_two_names_are_never_the_same() -> None:
    names = [b"a\nb", b"a\x1b[2Jb", "a\ufffd0ab".encode(), b"a\x9bb", "a\x9bb".encode(), "a\ufffd9bb".encode()]
    told = [path_of(name) for name in names]
    assert told[:2] == ["a\ufffd0ab", "a\ufffd1b[2Jb"]
    assert all(text.isprintable() for text in told)
    assert len(set(told)) == len(names)


def test_an_act_becomes_a_record() -> None:
    assert record_of(Shown(1, b"a\r\n")) == ("o", {"n": 1, "data": "a\r\n"})
    assert record_of(Shown(1, b"\xff")) == ("o", {"n": 1, "data": {"hex": "ff"}})
    json.dumps(record_of(Ended(1, 1, 2, "", "", 0)))


def test_asciicast() -> None:
    acts: list[tuple[int, Act]] = [
        (0, Shown(1, b"gr\xc3")), (500_000, Shown(1, b"\xbc\xc3\x9fe")), (600_000, CommandBegan(1, "ls\x1b]0;x\x07")),
        (1_000_000, Resized(1, 100, 30)), (1_500_000, Ended(1, 0, 0, "", "", 3)),
    ]  # fmt: skip
    first, *rest = [json.loads(line) for line in asciicast(Screen("xterm", 0, 0), 1_700_000_000, acts)]
    assert first == {"version": 3, "term": {"cols": 80, "rows": 24, "type": "xterm"}, "timestamp": 1_700_000_000}
    assert rest == [
        [0.0, "o", "gr"], [0.5, "o", "\xfc\xdfe"], [0.1, "m", "ls"], [0.4, "r", "100x30"], [0.5, "x", "3"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "trick",
    [
        "\x1b]0;title\x07", "\x1b]52;c;ZXZpbA==\x07", "\x1b]8;;http://evil\x1b\\", "\x1bP+q544e\x1b\\", "\x1b[6n",
        "\x1b[2J", "\x1b[?1049h", "\x1bc", "\x9b6n", "\x9d0;x\x9c", "\x1b]0;unfinished", "\x1b[", "\x1b", "\x08\x08",
        "\x1b#8", "\x1b(0", "\x7f", "\x00", "\r", "\u202e", "\x90evil\x9c", "\x1b_evil\x1b\\", "\x1b[31m",
    ],
)  # fmt: skip
def test_nothing_recorded_moves_the_terminal_of_who_looks(trick: str) -> None:
    assert harmless(f"before{trick}") == "before"


def test_what_is_harmless_stays() -> None:
    assert harmless("tab\t and\nline ü 日本 🙂") == "tab\t and\nline ü 日本 🙂"
    assert harmless("\x1b[1;31mred\x1b[0m", colours=True) == "\x1b[1;31mred\x1b[0m"


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_control_survives(text: str) -> None:
    assert not [c for c in harmless("\x1b" + text) if (c < " " and c not in "\t\n") or "\x7f" <= c <= "\x9f"]


@given(st.binary(max_size=30), st.binary(max_size=30))
@settings(max_examples=100, deadline=None)
def test_names_stay_apart(one: bytes, other: bytes) -> None:
    assert one == other or text_of(one) != text_of(other)


def test_where_a_path_leads() -> None:
    assert placed("a/../b", "/home/ana") == "/home/ana/b"
    assert placed("../../etc", "/home/ana") == "/etc"
    assert placed("a", "") == ""
