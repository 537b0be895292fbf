"""A signed statement of the log's size and root, and where else it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`note` is the C2SP signed note that says the rest: `size` entries hash to `root`."""

    size: int
    root: bytes
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Anchored:
    """The checkpoint of `size` entries stands at `sink`, under `ref`; `proof` is what it gave for it."""

    size: int
    sink: str
    ref: str
    proof: bytes
    at: datetime
