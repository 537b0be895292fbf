"""What acts tell of: one thing for each command and file, the same from a recording, and never more than is known."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from access.events import CommandRun, FileTouched
from audit.recording.form import Record
from gateways.live import About
from gateways.ssh.acts import (
    Act,
    CommandBegan,
    CommandEnded,
    Ended,
    Fed,
    FileAnswered,
    FileAsked,
    FileDone,
    LineEntered,
    Opaque,
    Refused,
    Screen,
    Shown,
    Started,
    act_of,
    record_of,
)
from gateways.ssh.rcp import poses
from gateways.ssh.runs import Done, Run, Runs, Touched
from gateways.ssh.tape import event_of, read_back
from tests.people import LINUS

NOW = datetime(2026, 3, 1, 14, tzinfo=UTC)
TERMINAL = Started(1, "shell", "", Screen("xterm", 80, 24), ("LC_ALL=C",))
ACTS: list[Act] = [
    Started(2, "command", "cat; x", None),
    Fed(2, b"some \xff text"),
    TERMINAL,
    Shown(1, b"\xe2\x82"),
    CommandBegan(1, "false"),
    CommandEnded(1, 1),
    CommandBegan(1, "sudo -i", exact=False),
    LineEntered(1, "id"),
    Refused(0, "forwarding to h:1", "no"),
    Ended(2, 11, 3, "", "", 3),
    Started(3, "subsystem", "sftp"),
    FileAsked(3, 1, "write", "a", "/home/a"),
    FileAnswered(3, 1),
    FileAsked(3, 2, "remove", "/b", "/b"),
    FileAsked(3, 3, "stat", "/c", "/c"),
    FileAnswered(3, 3),
    FileAnswered(3, 2, "permission denied"),
    FileDone(3, 1, 0, 7, "", "ab" * 32),
    FileAsked(3, 4, "read", "/d", "/d"),
    Ended(1, 5, 9, "", "", None, "HUP"),
]


def taken(acts: list[Act]) -> list[Done]:
    runs = Runs()
    return [done for at, act in enumerate(acts) for done in runs.take(at, act)] + list(runs.rest())


def about(*, late: bool = False) -> About:
    return About("PA-7", LINUS, "PA-7-1", "orders", "h", NOW - timedelta(minutes=1), NOW, NOW, late=late)


def test_one_thing_for_each_in_the_order_in_which_they_were_over() -> None:
    done = taken(ACTS)
    assert [(one.text, one.kind, one.outcome) for one in done if isinstance(one, Run)] == [
        ("false", "typed", "exit 1"), ("id", "seen", "unknown"), ("forwarding to h:1", "request", "refused"),
        ("cat; x", "command", "exit 3"), ("sudo -i", "typed", "unknown"), ("", "shell", "signal HUP"),
        ("sftp", "subsystem", "unknown"),
    ]  # fmt: skip
    assert [(one.asked.op, one.outcome, one.size) for one in done if isinstance(one, Touched)] == [
        ("remove", "permission denied", None), ("write", "ok", 7), ("read", "unknown", None),
    ]  # fmt: skip


def test_a_recording_tells_the_same() -> None:
    records = [Record(at, *record_of(act)) for at, act in enumerate(ACTS)]
    again = [Record(record.at, record.kind, json.loads(json.dumps(record.data))) for record in records]
    assert [act_of(record.kind, record.data) for record in again] == ACTS
    assert list(read_back([*again, Record(99, "end", {"why": "closed"})])) == taken(ACTS)


def events() -> tuple[dict[str, CommandRun], list[FileTouched]]:
    told = [event_of(one, about()) for one in taken(ACTS)]
    commands = {str(event.text): event for event in told if isinstance(event, CommandRun)}
    return commands, [event for event in told if isinstance(event, FileTouched)]


def test_what_is_not_known_is_not_said() -> None:
    commands, files = events()
    assert {text: event.exact for text, event in commands.items() if not event.exact} == {"sudo -i": False, "id": False}
    assert {event.coverage for event in commands.values() if event.outcome != "refused"} == {"opaque", "full"}
    assert commands["sftp"].coverage == "full"
    assert commands["forwarding to h:1"].touches == ()
    assert (commands["cat; x"].fed, commands["cat; x"].exit_code) == ("some \ufffdff text", 3)
    assert commands["sudo -i"].flags == ("sudo",)
    assert [file.touches for file in files] == [("delete path:/b",), ("write path:/home/a",), ("read path:/d",)]
    assert files[1].sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("acts", "coverage"),
    [
        ([Started(1, "command", "scp -t /tmp")], "full"),
        ([Started(1, "command", "scp -t /tmp"), Opaque(1, "no scp")], "opaque"),
        ([Started(1, "command", "scp -t /tmp; id")], "opaque"),
        ([Started(1, "subsystem", "sftp"), Opaque(1, "no sftp")], "opaque"),
        ([Started(1, "subsystem", "netconf")], "opaque"),
        ([Started(1, "forward", "db:5432")], "opaque"),
    ],
)
def test_only_what_was_read_whole_is_said_to_be_known(acts: list[Act], coverage: str) -> None:
    (event,) = (event_of(one, about()) for one in taken(acts))
    assert isinstance(event, CommandRun)
    assert event.coverage == coverage


@pytest.mark.parametrize(
    ("text", "acts", "poses"),
    [
        ("scp -t /tmp", [], False),
        ("scp -t /tmp", [Opaque(1, "a line that is not of scp")], True),
        ("scp -t x; rm -rf /", [], True),
        ("scp -t x\nrm -rf /", [], True),
        ("scp -t `rm -rf /`", [], True),
        ("scp -S /tmp/evil -t x", [], True),
        ("cd /; /tmp/scp -qt x", [], True),
        ("PATH=/tmp scp -f x", [], True),
        ("echo x | scp -t =ls y", [], True),
        ("scp -P 22 here there:", [], False),
        ("tar -t -f backup-scp.tar", [], False),
        ("uptime", [Opaque(1, "input is kept as text")], False),
    ],
)
def test_what_poses_as_a_copy_is_told_as_a_command_and_flagged(text: str, acts: list[Act], *, poses: bool) -> None:
    (event,) = (event_of(one, about()) for one in taken([Started(1, "command", text), *acts]))
    assert isinstance(event, CommandRun)
    assert ("posing" in event.flags) == poses
    assert (event.text, event.kind) == (text, "command")
    assert event.coverage == ("opaque" if poses or not text.startswith("scp -t") else "full")


@pytest.mark.parametrize(
    "text", ["scp " * 5000, "scp -" + "t" * 19_000 + "x", "scp\t" + " " * 19_000, ("scp " + "a " * 30 + ";") * 300]
)
def test_nobody_makes_looking_at_a_line_take_long(text: str) -> None:
    began = time.process_time()
    assert not poses(text)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("asked", "touches", "coverage"),
    [
        (FileAsked(1, 1, "rename", "/a", "/a", "/b"), ("delete path:/a", "write path:/b"), "full"),
        (FileAsked(1, 1, "copy", "/a", "/a", "/b"), ("read path:/a", "write path:/b"), "full"),
        (FileAsked(1, 1, "read+write", "/a", "/a"), ("read path:/a", "write path:/a"), "full"),
        (FileAsked(1, 1, "read", "a"), ("read path:a",), "partial"),
        (FileAsked(1, 1, "read", "/tmp/link/../shadow", "/tmp/shadow"), ("read path:/tmp/shadow",), "partial"),
        (FileAsked(1, 1, "symlink", "/a", "/a", "../b"), ("write path:/a", "write path:../b"), "partial"),
        (FileAsked(1, 1, "evil@example.com", ""), ("write path:.",), "partial"),
    ],
)
def test_what_an_operation_touches(asked: FileAsked, touches: tuple[str, ...], coverage: str) -> None:
    (event,) = (event_of(one, about()) for one in taken([asked]))
    assert isinstance(event, FileTouched)
    assert (event.touches, event.coverage, event.outcome) == (touches, coverage, "unknown")


def test_texts_without_end_have_one_in_the_log() -> None:
    acts = [Started(1, "command", "x" * 100_000), *(Fed(1, b"y" * 5_000) for _ in range(4))]
    (event,) = (event_of(one, about()) for one in taken(acts))
    assert isinstance(event, CommandRun)
    assert event.text == "x" * 8_000 + "… (100000 characters, whole in the recording)"
    assert len(event.fed) == 8_000


def test_one_program_has_the_outcome_of_another_never() -> None:
    acts = [
        Started(1, "command", "one"), Started(2, "command", "two"), Ended(2, 0, 0, "", "", 0),
        Ended(2, 0, 0, "", "", 0), FileDone(9, 1, 1, 1), CommandEnded(1, 0), Ended(1, 0, 0, "", "", error="no shell"),
    ]  # fmt: skip
    assert [(one.text, one.outcome) for one in taken(acts) if isinstance(one, Run)] == [
        ("two", "ok"), ("one", "no shell"),
    ]  # fmt: skip
