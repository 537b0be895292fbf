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
