"""Keys in memory stay there."""

from __future__ import annotations

import sys

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """No core dump of this process, on Ctrl-\\ for instance, and no look into it by others of its user (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # not inherited by what is started: tools are as ever
