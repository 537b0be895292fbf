"""What is run in a terminal: as its shell says, or else as the line looked when it was sent off. No I/O.

The client's keys tell nothing by themselves: they recall, complete and correct, and passwords are among them. So they
are only counted, and the line is read where the person reads it, behind the prompt; what is not echoed is not there.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

from gateways.ssh.acts import Act, CommandBegan, LineEntered
from gateways.ssh.marks import Marks

LONGEST = 4096  # bytes of a line, as far as it is read; and of its output between two looks
_ENTER = re.compile(rb"[\r\n]")
_PIECES = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f\x9b]+)|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|\x1b\[(?P<values>[0-?]*)[ -/]*(?P<final>[@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z^-~\\]"
    r"|(?P<rest>.+)",
    re.DOTALL,
)
_UTF8 = codecs.getincrementaldecoder("utf-8")
_OTHER_SCREEN = re.compile(rb"\x1b\[\?(?:47|1047|1049)([hl])")


@dataclass
class Line:
    """The line that the cursor is on. `text` is None while nobody can tell what stands there."""

    columns: int
    _text: list[str] | None = field(default_factory=list)
    _at: int = 0
    _prompt: int | None = None  # where the typing began
    _unfinished: str = ""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def typing(self) -> None:
        """The client is about to send something: what stands there by now is the prompt."""
        if self._prompt is None:
            self._prompt = self._at

    def new(self) -> None:
        self._text, self._at, self._prompt, self._unfinished = [], 0, None, ""
        self._decoder.reset()

    def lose(self) -> None:
        """Until it ends."""
        self._text = None

    @property
    def entered(self) -> str:
        """What stands behind the prompt."""
        return "" if self._text is None else "".join(self._text[self._prompt or 0 :]).strip()

    def show(self, data: bytes) -> None:
        """Output without a line's end."""
        if self._text is None:
            return
        text = self._unfinished + self._decoder.decode(data)
        self._unfinished = ""
        if len(text) + len(self._text) > LONGEST:
            self.lose()
            return
        for piece in _PIECES.finditer(text):
            if self._text is None:
                return
            if piece["text"]:
                self._write(piece["text"])
            elif piece["control"]:
                self._control(piece["control"])
            elif piece["final"]:
                self._move(piece["final"], piece["values"])
            elif piece["rest"]:
                self._unfinished = piece["rest"]  # of a sequence that goes on

    def _write(self, text: str) -> None:
        assert self._text is not None
        self._text += " " * (self._at - len(self._text))
        self._text[self._at : self._at + len(text)] = text
        self._at += len(text)

    def _control(self, control: str) -> None:
        if control == "\r":
            self._at -= self._at % self.columns
        elif control == "\b":
            self._at = max(0, self._at - 1)
        elif control == "\t":
            self._write(" " * (8 - self._at % 8))

    def _move(self, final: str, values: str) -> None:
        assert self._text is not None
        count = int(values) if values.isdecimal() and len(values) < 4 else 1
        if final in "KJ" and values in ("", "0"):
            del self._text[self._at :]
        elif final == "P":
            del self._text[self._at : self._at + count]
        elif final == "@":
            self._text[self._at : self._at] = " " * count
        elif final in "CDAB":
            way = {"C": 1, "D": -1, "A": -self.columns, "B": self.columns}[final]
            self._at = max(0, min(self._at + way * count, LONGEST))
        elif final == "G":
            self._at = self._at - self._at % self.columns + min(count, self.columns) - 1
        elif final not in "mhlnc":
            self.lose()


@dataclass
class Typed:
    """The program `n`. `word`: what its marks carry, where its shell was asked for some."""

    n: int
    word: str
    columns: int
    _enters: int = 0  # sent off, and not yet seen to be
    _candidate: str = ""  # entered at the prompt of a shell that makes marks, and not yet marked
    _is_other_screen: bool = False

    def __post_init__(self) -> None:
        self._marks = Marks(self.n, self.word) if self.word else None
        self.line = Line(self.columns or 80)

    def resized(self, columns: int) -> None:
        self.line.columns = columns or 80

    def sent(self, data: bytes) -> None:
        """The client's keys, before they are forwarded."""
        self.line.typing()
        self._enters = min(self._enters + len(_ENTER.findall(data)), LONGEST)

    def received(self, data: bytes) -> list[Act]:
        """The terminal's output."""
        at_prompt = self._marks is not None and self._marks.at_prompt
        acts: list[Act] = []
        for text in self._lines(data):
            acts += self._unmarked()
            if at_prompt:
                self._candidate = text
            else:
                acts.append(LineEntered(self.n, text))
        marked = self._marks.feed(data) if self._marks else []
        if any(isinstance(act, CommandBegan) for act in marked):
            self._candidate = ""
        return acts + marked

    def over(self) -> list[Act]:
        return self._unmarked()

    def _unmarked(self) -> list[Act]:
        """A shell that has been told to make no more marks."""
        text, self._candidate = self._candidate, ""
        return [LineEntered(self.n, text)] if text else []

    def _lines(self, data: bytes) -> list[str]:
        """Those that were sent off and have now ended. An editor, which has a screen of its own, has none."""
        found: list[str] = []
        begin = 0
        for switch in _OTHER_SCREEN.finditer(data) if b"\x1b[?" in data else ():
            found += self._ended(data[begin : switch.start()])
            self._is_other_screen, self._enters, begin = switch[1] == b"h", 0, switch.end()
            self.line.lose()
        return found + self._ended(data[begin:])

    def _ended(self, data: bytes) -> list[str]:
        found: list[str] = []
        while self._enters and not self._is_other_screen and (end := data.find(b"\n")) >= 0:
            self._show(data[:end])
            found.append(self.line.entered)
            self._enters -= 1
            self.line.new()
            data = data[end + 1 :]
        if (end := data.rfind(b"\n")) >= 0:
            self.line.new()
            data = data[end + 1 :]
        if not self._is_other_screen:
            self._show(data)
        return [text for text in found if text]

    def _show(self, data: bytes) -> None:
        if len(data) > LONGEST:
            self.line.lose()
        else:
            self.line.show(data)
