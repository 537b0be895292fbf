"""Names and output that strangers chose, made fit to be written down and to be looked at. Pure."""

from __future__ import annotations

import codecs
import posixpath
import re
import unicodedata

_ODD = "\ufffd"
_ERRORS = "prodaccess-hex"
_LONGEST = 4096  # characters of a path: more than a host would take

#: what moves the cursor, sets colours, or talks to the terminal itself (ECMA-48); also one that is cut off
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*(?:[@-~]|$)|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|(?=\x1b)|$)|[ -/]*(?:[0-~]|$))"
    r"|\x9b[0-?]*[ -/]*(?:[@-~]|$)|[\x90\x98\x9d-\x9f][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
)
_KEPT_SEQUENCE = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def text_of(name: bytes) -> str:
    """Bytes as text, so that two different names never look the same: a byte that is no UTF-8 becomes `\ufffdNN`."""
    try:
        return name.decode().replace(_ODD, _ODD * 2)
    except UnicodeDecodeError:
        return name.replace(_ODD.encode(), _ODD.encode() * 2).decode("utf-8", _ERRORS)


def _as_hex(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"{_ODD}{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _as_hex)


def path_of(name: bytes) -> str:
    """The same, in one line, and never without end."""
    text = _CONTROL.sub(lambda found: "".join(f"{_ODD}{byte:02x}" for byte in found[0].encode()), text_of(name))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(name)} bytes)"


def placed(path: str, home: str) -> str:
    """Absolute and without `.` and `..`, as far as the text tells; empty where that needs a home that is not known."""
    if not path.startswith("/"):
        if not home:
            return ""
        path = posixpath.join(home, path)
    return "/" + posixpath.normpath(path).lstrip("/")


def harmless(output: str, *, colours: bool = False) -> str:
    """What a terminal may be given of a recording: no sequence that does anything, no control but tab and newline.

    Titles, clipboards, links, reports and private modes are where a recorded program could reach the one who replays.
    """
    pieces, end = [], 0
    for found in _ESCAPE.finditer(output):
        pieces.append(_clean(output[end : found.start()]))
        if colours and _KEPT_SEQUENCE.fullmatch(found[0]):
            pieces.append(found[0])
        end = found.end()
    return "".join([*pieces, _clean(output[end:])])


def _clean(text: str) -> str:
    return "".join(character for character in text if character in "\t\n" or not _is_control(character))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in _BIDI
