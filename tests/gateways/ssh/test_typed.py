"""Lines of a terminal: as the shell says, and where it does not, as they looked; a password is never among them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.ssh.acts import Act, CommandBegan, CommandEnded, LineEntered
from gateways.ssh.typed import LONGEST, Typed
from tests.gateways.ssh.bench import Bench

WORD = "0123456789abcdef"


def entered(*steps: bytes | tuple[bytes], word: str = "", columns: int = 80) -> list[str]:
    """Output as it is, keys in a tuple; the lines that are told as seen."""
    return [act.text for act in acts(*steps, word=word, columns=columns) if isinstance(act, LineEntered)]


def acts(*steps: bytes | tuple[bytes], word: str = "", columns: int = 80) -> list[Act]:
    typed = Typed(1, word, columns)
    told: list[Act] = []
    for step in steps:
        if isinstance(step, tuple):
            typed.sent(step[0])
        else:
            told += typed.received(step)
    return told + typed.over()


def keys(text: bytes) -> list[bytes | tuple[bytes]]:
    """Typed key by key, and echoed."""
    return [step for key in text for step in ((bytes([key]),), bytes([key]))]


def mark_c(text: str, n: int = 1) -> bytes:
    return b"\x1b]133;C;%s;%s\x07" % (WORD.encode(), base64.b64encode(f"  {n}  {text}\n".encode()))


def mark_d(status: int = 0) -> bytes:
    return b"\x1b]133;D;%s;%d\x07" % (WORD.encode(), status)


def test_a_line_is_what_stands_behind_the_prompt() -> None:
    assert entered(b"Welcome\r\n$ ", *keys(b"uname -a"), (b"\r",), b"\r\nLinux\r\n$ ") == ["uname -a"]
    assert entered(b"$ ", (b"\r",), b"\r\n$ ", (b"\n",), b"\r\n") == []


def test_what_is_not_echoed_is_not_there() -> None:
    assert entered(b"[sudo] password for ana: ", (b"s",), (b"ecret",), (b"\r",), b"\r\n# ") == []


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (b"lz\b \bs", "ls"),
        (b"ls -l\x1b[3D\x1b[K", "ls"),
        (b"abd\x1b[1D\x1b[1@c", "abcd"),
        (b"abXc\x1b[2D\x1b[1P", "abc"),
        (b"\x1b[32mls\x1b[0m\x1b[?2004l", "ls"),
        (b"wrong\r$ right\x1b[K", "right"),
        (b"ls\x1b]0;a title\x07 -l", "ls -l"),
        ("grüße\x1b[1m".encode(), "grüße"),
        (b"ls\x1b[5;5Hx", ""),
    ],
)
def test_editing_is_followed_and_what_cannot_be_is_not_told(shown: bytes, line: str) -> None:
    told = entered(b"$ ", (b"k",), shown, (b"\r",), b"\r\n")
    assert told == ([line] if line else [])


def test_a_line_that_is_wider_than_the_terminal() -> None:
    assert entered(b"$ ", (b"x",), b"a" * 18 + b" \rbcd", (b"\r",), b"\r\n", columns=20) == ["a" * 18 + "bcd"]


def test_several_pasted_at_once() -> None:
    told = entered(b"$ ", (b"one\rtwo\r",), b"one\r\n1\r\n", b"$ two\r\n")
    assert told[0] == "one"
    assert len(told) == 2


def test_an_editor_is_no_shell() -> None:
    told = entered(
        b"$ ", *keys(b"vi"), (b"\r",), b"\r\n\x1b[?1049h~\r\n", (b"ihello\r",), b"hello\r\nmore",
        b"\x1b[?1049l", b"\r\n$ ", *keys(b"id"), (b"\r",), b"\r\n",
    )  # fmt: skip
    assert told == ["vi", "id"]


def test_what_the_shell_says_is_not_said_again() -> None:
    told = acts(
        mark_d() + b"$ ", *keys(b"ls"), (b"\r",), b"\r\n", mark_c("ls") + b"file\r\n" + mark_d() + b"$ ", word=WORD
    )
    assert told == [CommandBegan(1, "ls"), CommandEnded(1, 0)]


def test_inside_of_what_a_shell_has_started_lines_are_seen() -> None:
    told = acts(
        mark_d() + b"$ ", *keys(b"sudo -i"), (b"\r",), b"\r\n" + mark_c("sudo -i") + b"# ",
        *keys(b"id"), (b"\r",), b"\r\nuid=0\r\n# ", word=WORD,
    )  # fmt: skip
    assert told == [CommandBegan(1, "sudo -i"), LineEntered(1, "id")]


def test_a_shell_that_was_told_to_make_no_marks_is_seen() -> None:
    told = acts(
        mark_d() + b"$ ", *keys(b"unset PS0"), (b"\r",), b"\r\n" + mark_c("unset PS0") + mark_d() + b"$ ",
        *keys(b"id"), (b"\r",), b"\r\nuid=1\r\n" + mark_d() + b"$ ", *keys(b"exit"), (b"\r",), b"\r\n", word=WORD,
    )  # fmt: skip
    assert told == [CommandBegan(1, "unset PS0"), CommandEnded(1, 0), LineEntered(1, "id"), LineEntered(1, "exit")]


@given(steps=st.lists(st.one_of(st.binary(max_size=60), st.tuples(st.binary(max_size=8)))), columns=st.integers(0, 300))
@settings(max_examples=50, deadline=None)
def test_nonsense_is_borne(steps: list[bytes | tuple[bytes]], columns: int) -> None:
    assert all(len(text) <= LONGEST for text in entered(*steps, columns=columns))


def test_much_output_leaves_nothing_behind() -> None:
    typed = Typed(1, "", 80)
    for _ in range(200):
        typed.sent(b"\r" * 100)
        typed.received(b"x" * 30_000)
        typed.received(b"\x1b]" + b"y" * 3_000)
    assert typed.line.entered == ""
    assert typed._enters <= LONGEST


async def test_a_shell_of_another_kind_is_seen(real: Bench) -> None:
    real.upstream(marks=True)
    async with real.connect() as client, client.create_process(term_type="xterm") as shell:
        for line, seen in (("PS1=ready:; exec sh", "ready:"), ("echo a$((1+1))b", "a2b"), ("exit", "")):
            shell.stdin.write(f"{line}\n")
            if seen:
                await shell.stdout.readuntil(seen if seen == "a2b" else f"{seen}")
    tape = await real.recorded()
    assert "exec sh" in "".join(act.text for act in tape.of(CommandBegan))
    assert any("echo a$((1+1))b" in act.text for act in tape.of(LineEntered))
