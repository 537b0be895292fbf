"""A recorded terminal on somebody else's: it draws, and does nothing else; and it goes where it is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.exits import Usage
from cli.output import print_line
from cli.recordings.player import Player, Wish, read_cast
from cli.recordings.recorded import bounded
from cli.recordings.screen import RESET, Screen

DRAWS = [
    "plain text\r\n", "\x1b[1;31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b[?1049h\x1b[?25l", "\x1b[3;20r",
    "\x1b(0lqk\x1b(B", "\x1b7\x1b8",
    "\x1b[38:2:1:2:3mtrue colour", "tab\tback\b", "grüße 東京",
]  # fmt: skip
TRICKS = [
    "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]0;a title\x07", "\x1b]0;with its own end\x1b\\", "\x1bP$q\"p\x1b\\",
    "\x1b_Gi=1\x1b\\",
    "\x1b[6n", "\x1b[c", "\x1b[>c", "\x1b[5i", "\x1b[21t", "\x1b[?1000h", "\x1b[?2004h", "\x1b[>1u",
    "\x1b[?25;1000h", "\x05", "\x07",
    "\x9b6n", "\x90q\x9c", "\x1b[!p", "\x1b#8", "\x1b]8;;http://evil\x07", "\x1bX..\x1b\\", "\x1b^x\x1b\\",
    "\x1b[20h", "\x1bZ",
]  # fmt: skip


def shown(text: str) -> str:
    return Screen().harmless(text)


@pytest.mark.parametrize("text", DRAWS)
def test_what_draws_is_drawn(text: str) -> None:
    assert shown(f"<{text}>") == f"<{text}>"


@pytest.mark.parametrize("text", TRICKS)
def test_what_a_terminal_would_obey_is_left_out(text: str) -> None:
    left = shown(f"<{text}>")
    assert "\x1b" not in left
    assert not any(ord(char) in (5, 7, *range(0x80, 0xA0)) for char in left)


@given(st.lists(st.sampled_from([*DRAWS, *TRICKS, "\x1b", "\x1b[", "\x1b]52;", "\x1bP"]), max_size=8), st.data())
def test_wherever_it_is_cut_the_same_is_shown(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    screen = Screen()
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(screen.harmless(piece) for piece in pieces) == shown(text)


def test_what_a_host_sends_in_bulk_takes_no_time() -> None:
    for text in ("\x1b]", "\x1bP", "\x1b[", "\x1b[1;", "\x1b(", "\x1b"):
        shown(text * 20_000)  # each of these would take hours, were all that follows looked through for each
    screen = Screen()
    for char in "\x1b]" + "x" * 10_000:
        screen.harmless(char)


def test_the_terminal_is_left_as_it_was() -> None:
    assert shown("\x1bc") == "\x1b[0m\x1b[2J\x1b[H"  # and not the end of what it showed before
    assert [shown(text) for text in ("\x1b[3J", "\x1b[03J", "\x1b[3g", "\x1b[?6h")] == [""] * 4
    for left in ("\x1b[?1l", "\x1b>", "\x1b[4l", "\x1b[r", "\x1b(B", "\x0f", "\x1b[?1049l"):
        assert left in RESET


def test_lines_for_programs_do_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    line = json.dumps([0, "o", "gr\u00fc\u00dfe\x9b6n\x7f\u202e"], ensure_ascii=False).encode() + b"\n"
    print_line(line)
    print_line("# bro\u009bken\n".encode())
    first, remark = capsys.readouterr().out.splitlines()
    assert json.loads(first) == json.loads(line)
    assert first.isascii()
    assert remark == "# bro\\x9bken"


def test_what_would_not_fit_into_memory_is_said_not_to() -> None:
    whole = [b"x" * 100] * 5
    assert list(bounded(whole)) == whole
    with pytest.raises(Usage, match="too long"):
        list(bounded(whole, most=400))


def test_a_sequence_without_an_end_holds_nothing_up() -> None:
    screen = Screen()
    assert screen.harmless("\x1b]52;c;") == ""
    assert "shown again" in screen.harmless("x" * 70_000 + "shown again")


HEADER = b'{"version": 3, "term": {"cols": 80, "rows": 24}}\n'


def cast(*events: tuple[float, str, str]) -> Iterator[bytes]:
    yield HEADER
    for event in events:
        yield json.dumps(event).encode() + b"\n"


EVENTS = (
    (0.0, "o", "$ "), (5.0, "m", "ls"), (0.1, "o", "file\r\n"), (60.0, "m", "false"), (0.1, "m", "✗ exit 1"), (0.5,
    "o", "$ "),
    (1.0, "r", "100x40"), (2.0, "o", "bye"), (0.0, "x", "0"),
)  # fmt: skip


class Somebody:
    """Types these keys, one for each wait; counts what they waited."""

    def __init__(self, keys: str = "") -> None:
        self.keys, self.waits = list(keys), list[float]()

    def key(self, seconds: float) -> str:
        self.waits.append(seconds)
        return self.keys.pop(0) if self.keys else ""


def played(wish: Wish, keys: str = "", asked: str = "") -> tuple[str, Somebody]:
    drawn: list[str] = []
    who = Somebody(keys)
    Player(read_cast(cast(*EVENTS)), wish, who.key, drawn.append, lambda: asked).play()
    return "".join(drawn), who


def test_it_takes_its_time_or_less() -> None:
    text, who = played(Wish())
    assert text == "$ file\r\n$ bye"
    assert sum(who.waits) == pytest.approx(68.7)
    assert sum(played(Wish(speed=2))[1].waits) == pytest.approx(34.35)
    assert sum(played(Wish(idle=1))[1].waits) == pytest.approx(1 + 0.1 + 1 + 0.1 + 0.5 + 1 + 1)


def test_keys_lead_through_it() -> None:
    text, who = played(Wish(), "eq")  # to the error, and enough
    assert text == "$ file\r\n"
    assert who.waits == pytest.approx([5.0, 0.5])
    assert played(Wish(), "cq")[1].waits == pytest.approx([5.0, 0.1])
    assert played(Wish(), " q")[1].waits == [5.0, 3600.0]
    assert played(Wish(), "+q")[1].waits == [5.0, 2.5]
    assert played(Wish(), "/q", asked="BYE")[0] == "$ file\r\n$ bye"
    assert played(Wish(), "/q", asked="never shown")[0] == "$ "


def test_it_begins_where_something_is_shown() -> None:
    text, who = played(Wish(search="false"))
    assert text == "$ file\r\n$ bye"
    assert sum(who.waits) == pytest.approx(0.1 + 0.5 + 1 + 2)
    with pytest.raises(Usage, match="was never shown"):
        played(Wish(search="rm -rf"))


def test_what_is_no_terminal_is_said_to_be_none() -> None:
    with pytest.raises(Usage, match="no recording of a terminal"):
        read_cast([b'{"version": 2}\n'])
    assert read_cast([HEADER, b"# frame 3 is not the one\n"]).trouble == ("frame 3 is not the one",)


def test_other_terminals_are_no_trouble() -> None:
    found = read_cast([HEADER, b"# frame 3 is not the one\n", b"# Terminal 1 of 2, after 0 s: shell\n"])
    assert (found.trouble, found.terminals) == (
        ("frame 3 is not the one",), ("Terminal 1 of 2, after 0 s: shell",),
    )  # fmt: skip
