"""A recorded terminal's output, of which only what draws is let through to the terminal that shows it.

A host may have sent what makes a terminal answer, paste, print, rename itself or write its clipboard: nobody who looks
at a recording is to have that done to them.
"""

from __future__ import annotations

import re

_LONGEST = 65_536  # characters of a text for the terminal itself, such as its title, that has no end yet
_LONGEST_SEQUENCE = 256  # characters of another one
_TEXTS = frozenset("]PX^_")  # what such a text begins with, after an escape
_END = re.compile(r"\x07|\x1b\\")
_SEQUENCE = re.compile(
    r"\x1b(?:\[(?P<params>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|(?P<charset>[()*+][0AB12])|(?P<one>[78DEHM=>c])|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
)
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[ -/]*)?")
_FINALS = frozenset("ABCDEFGHJKLMPSTXZ@`adefmr")
_MODES = frozenset({"1", "7", "12", "25", "47", "1047", "1048", "1049"})
_MUTE = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\b\t\n\r\v\f\x0e\x0f"}
_ALL_ANEW, _CLEARED = "\x1bc", "\x1b[0m\x1b[2J\x1b[H"  # without what was on the terminal before
#: whatever was left switched on: colours, modes, margins, keys, letters
RESET = "\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1049l\x1b7\x1b[r\x1b8\x1b[4l\x1b[?1l\x1b>\x1b(B\x1b)B\x0f\r\n"


class Screen:
    """Takes output in pieces, cut anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._within = 0  # characters of a text that has no end yet

    def harmless(self, data: str) -> str:
        """What of it, and of what came before, only draws."""
        data, self._held = self._held + data, ""
        parts, at = [], self._skipped(data, 0) if self._within else 0
        while (escape := data.find("\x1b", at)) >= 0:
            parts.append(data[at:escape].translate(_MUTE))
            found = _SEQUENCE.match(data, escape)
            if data[escape + 1 : escape + 2] in _TEXTS:
                self._within = 1
                at = self._skipped(data, escape + 2)
            elif found is not None:
                parts.append(_drawn(found))
                at = found.end()
            elif len(data) - escape < _LONGEST_SEQUENCE and _BEGUN.fullmatch(data, escape):
                self._held = data[escape:]
                return "".join(parts)
            else:
                at = escape + 1
        return "".join((*parts, data[at:].translate(_MUTE)))

    def _skipped(self, data: str, at: int) -> int:
        """Where the text ends that is not shown. One that is too long is shown from there on: it holds nothing up."""
        last = at + _LONGEST - self._within
        found = _END.search(data, at, last + 2)
        if found is not None or len(data) > last + 1:
            self._within = 0
            return found.end() if found else last
        self._held = "\x1b" if data.endswith("\x1b", at) else ""
        self._within += len(data) - len(self._held) - at
        return len(data)


def _drawn(found: re.Match[str]) -> str:
    if found[0] == _ALL_ANEW:
        return _CLEARED
    return found[0] if _draws(found) else ""


def _draws(found: re.Match[str]) -> bool:
    if found["charset"] or found["one"]:
        return True
    final, params = found["final"], found["params"]
    if final is None or found["between"]:
        return False
    if final in "hl":
        return params == "4" or (params[:1] == "?" and all(mode in _MODES for mode in params[1:].split(";")))
    if final in "suJ":  # what the terminal had shown before the recording (3J) is left to it
        return params in (("", "0", "1", "2") if final == "J" else ("",))
    return final in _FINALS and re.fullmatch(r"[0-9;:]*", params) is not None
