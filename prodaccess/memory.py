"""What the process keeps in memory for good is taken out of the garbage collector's rounds."""

from __future__ import annotations

import gc

_YOUNG = 20_000  # objects made between two rounds; Python's own 700 stops us some hundred times per thousand grants


def settle_memory() -> None:
    """Once, when everything is made: a full round over all modules stops the process for a tenth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
