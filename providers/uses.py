"""What a policy rule hands to its provider (`uses`), checked into sentences."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping


def key_faults(uses: Mapping[str, str], required: Collection[str], optional: Collection[str]) -> tuple[str, ...]:
    """Sentences about keys that are missing, and about unknown ones with the nearest known."""
    known = (*required, *optional)
    missing = tuple(f"`{key}` is missing." for key in required if not uses.get(key, "").strip())
    return missing + tuple(_unknown(key, known) for key in uses if key not in known)


def _unknown(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}."
    return f"`{key}` is not known; {hint}"
