"""What every kind of audit entry has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from access.model import Person

SCHEMA_VERSION = 1
Private = Annotated[str, "erasable"]  # people's words: the log holds a commitment, the text lies beside it


class Erased(str):
    """Stands where a private text was; `size` is how many characters it had."""

    size: int

    def __new__(cls, size: int) -> Erased:
        gone = super().__new__(cls, "(erased)")
        gone.size = size
        return gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`ref` is the request it belongs to (`PA-7`), empty where it belongs to none; `by` is None for the system."""

    TAG: ClassVar[str] = ""
    at: datetime
    ref: str = ""
    by: Person | None = None
