"""What people see: escaped, aligned, in their own time zone."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

_NARROWEST = 20  # columns that are left to a text, however far it is indented
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_COLOURS = {"active": "32", "pending": "33", "issuing": "33", "quarantine": "33", "revoking": "33", "failed": "31"}
_NAMES = {
    "pending": "waiting",
    "issuing": "opening",
    "quarantine": "being checked",
    "revoking": "ending",
    "revoked": "ended",
    "expired": "lapsed",
}


def safe(text: str) -> str:
    """The text on one line, with everything a terminal might obey, or the eye might miss, written out.

    Controls (also C1), bidi and zero-width characters, line separators, lone surrogates.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_written_out(char) if unicodedata.category(char) in _UNSEEN else char for char in text)


def _written_out(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"


def state_name(state: str) -> str:
    """A state as people say it."""
    return _NAMES.get(state, state)


def coloured(text: str, state: str) -> str:
    """In the state's colour, on a terminal that wants colours."""
    colour = _COLOURS.get(state)
    if colour is None or "NO_COLOR" in os.environ or not sys.stdout.isatty():
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def say(text: str) -> None:
    """A line on standard error, which is not part of the output."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """As it came, for programs; non-ASCII is escaped, so it is safe on a terminal too."""
    import json

    print(json.dumps(value, indent=2))


def print_line(line: bytes) -> None:
    """A line of JSON, or a remark between such lines: safe on a terminal, and the same for programs."""
    import json

    print(safe(line.decode().rstrip()) if line.startswith(b"#") else json.dumps(json.loads(line)))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], states: Sequence[str] = ()) -> str:
    """Aligned columns; the last one is cut to the terminal's width. Cells must be `safe` already."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(width, column)) for column in columns]
    lines = [_line(row, widths) for row in (header, *rows)]
    if space := terminal_width():
        lines = [_cut(line, space) for line in lines]
    return "\n".join([lines[0], *map(coloured, lines[1:], states or [""] * len(rows))])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (space - width(cell)) for cell, space in zip(row, widths, strict=True)).rstrip()


def width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _cut(line: str, space: int) -> str:
    if width(line) <= space:
        return line
    while line and width(line) >= space:
        line = line[:-1]
    return line + "…"


def wrapped(head: str, text: str, end: str, columns: int) -> Iterator[str]:
    """All of it, on as many lines as that takes; those after the first stand under the text. 0: on one line.

    Breaks stand between words; only a word that is longer than a whole line is broken inside.
    """
    room = max(columns or sys.maxsize, width(head) + _NARROWEST)
    indent, line = " " * width(head), head
    first, *others = text.split(" ")
    for gap, word in [("", first), *((" ", word) for word in others), *([("  ", end)] if end else [])]:
        fits = line in (head, indent) or width(line + gap + word) <= room
        if not fits:
            yield line
        line = line + gap + word if fits else indent + word
        while (part := _first(line, room)) != line:
            yield part
            line = indent + line[len(part) :]
    yield line


def rows(pairs: Iterable[tuple[str, str]], space: int, columns: int) -> str:
    """Names, each with what it means beside it, on as many lines as that takes."""
    return "\n".join(line for name, text in pairs for line in wrapped(f"  {name:<{space}}", text, "", columns))


def filled(text: str, columns: int) -> str:
    """Paragraphs broken anew; what is indented (commands to copy, lists) keeps its lines."""
    paragraphs: list[str] = []
    for line in text.split("\n"):
        goes_on = paragraphs and paragraphs[-1] and not paragraphs[-1][0].isspace()
        if goes_on and line and not line[0].isspace():
            paragraphs[-1] += f" {line}"
        else:
            paragraphs.append(line)
    kept = ([text] if text[:1].isspace() else wrapped("", text, "", columns) for text in paragraphs)
    return "\n".join(line for lines in kept for line in lines)


def _first(line: str, space: int) -> str:
    """As much of it as goes into so many columns."""
    taken = 0
    for i, char in enumerate(line):
        taken += width(char)
        if taken > space:
            return line[:i]
    return line


def terminal_width() -> int:
    """How wide standard output is; 0 where it is no terminal, or one that does not say."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):  # not a terminal, or not even a file
        return 0


def at(moment: str) -> str:
    """An RFC 3339 time in the reader's zone: `15:04`, with the day when it is another one."""
    from datetime import datetime

    local = datetime.fromisoformat(moment).astimezone()
    today = datetime.now(local.tzinfo).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%d %b %H:%M}"


def epoch(moment: str) -> float:
    """An RFC 3339 time as seconds since the epoch."""
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


class Progress:
    """One line on standard error that disappears; nothing at all when that is not a terminal."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, text: str) -> None:
        if sys.stderr.isatty():
            self.clear()
            space = os.get_terminal_size(sys.stderr.fileno()).columns
            print(_cut(text, space), end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
            self._shown = False
