"""What a rule looks out for in recorded sessions: `flag`, `bulk`, `hold`, `hold_for`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from access.policy.faults import Path, Values
from access.policy.model import Watch
from access.sessions.flags import BULK_ROWS, FLAGS, HOLDABLE, USUAL

LONGEST_HOLD = timedelta(hours=1)
_KEYS = ("flag", "bulk", "hold", "hold_for")
_NONE = "none"


def read_watch(values: Values, row: Mapping[str, Any], path: Path, *, gateway: bool, decided: bool) -> Watch:
    """`gateway`: whether its sessions are recorded at all; `decided`: whether it has approvers."""
    for key in _KEYS:
        if key in row and not gateway:
            values.fault((*path, key), "Only with a `gateway`: without one, nobody sees what is done.")
    flag = _flags(values, row["flag"], (*path, "flag")) if "flag" in row else USUAL
    hold = _flags(values, row["hold"], (*path, "hold")) if "hold" in row else frozenset[str]()
    for each in sorted(hold - HOLDABLE):
        values.fault((*path, "hold"), f"`{each}` is known only once it is done: it can be flagged, and not held.")
    if hold and not decided:
        values.fault((*path, "hold"), "Nobody could let it run: this rule has no approvers.")
    if "hold_for" in row and not hold:
        values.fault((*path, "hold_for"), "Only with `hold`.")
    lasts = values.duration(row.get("hold_for", "5m"), (*path, "hold_for"))
    if not timedelta(seconds=10) <= lasts <= LONGEST_HOLD and (*path, "hold_for") not in (
        f.path for f in values.faults
    ):
        values.fault((*path, "hold_for"), "From 10s to 1h: locks are held, and somebody waits.")
    return Watch(flag | hold, hold, lasts, values.count(row.get("bulk", BULK_ROWS), (*path, "bulk")))


def _flags(values: Values, data: Any, path: Path) -> frozenset[str]:
    named = values.names(data, path)
    for name in named:
        if name not in FLAGS and (name != _NONE or len(named) > 1):
            near = difflib.get_close_matches(name, FLAGS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(sorted(FLAGS))}."
            values.fault(path, f"`{name}` is no kind of act; {hint}")
    return frozenset(named) & FLAGS
