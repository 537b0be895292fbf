"""`PA-7`: what a request and its grant are called."""

from __future__ import annotations

import re

from .exits import Usage

_SESSION = re.compile(r"(?:PA-)?([1-9][0-9]{0,14}-[1-9][0-9]{0,8})", re.IGNORECASE)
_REF = re.compile(r"(?:PA-)?([1-9][0-9]{0,14})", re.IGNORECASE)


def parse_ref(text: str) -> str:
    """`pa-7` or `7` as `PA-7`. Raises Usage."""
    match = _REF.fullmatch(text.strip())
    if match is None or not text.isascii():
        raise Usage(f"“{text[:40]}” is not a request. They look like PA-7; `prodaccess list` shows yours.")
    return f"PA-{match.group(1)}"


def parse_session(text: str) -> str:
    """`pa-7-2` or `7-2` as `PA-7-2`. Raises Usage."""
    match = _SESSION.fullmatch(text.strip())
    if match is None or not text.isascii():
        raise Usage(f"“{text[:40]}” is not a session. They look like PA-7-2; `prodaccess sessions` shows yours.")
    return f"PA-{match.group(1)}"


def parse_held(text: str) -> str:
    """`pa-7-2.3` or `7-2.3` as `PA-7-2.3`. Raises Usage."""
    session, _, n = text.strip().rpartition(".")
    match = _SESSION.fullmatch(session)
    if match is None or not text.isascii() or not (n.isdecimal() and 0 < len(n) < 10):
        raise Usage(f"“{text[:40]}” is no held statement. They look like PA-7-2.3; `prodaccess held` shows what waits.")
    return f"PA-{match.group(1)}.{n}"


def parse_either(text: str) -> str:
    """`PA-7` or `PA-7-2`. Raises Usage."""
    return parse_session(text) if "-" in text.strip().upper().removeprefix("PA-") else parse_ref(text)
