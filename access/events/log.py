"""What the log says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from access.events.event import Event, Private


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuiet(Event):
    """A heartbeat: nothing happened since the entry before."""

    TAG: ClassVar[str] = "log.quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeyUsed(Event):
    """Checkpoints from here on are signed with this key."""

    TAG: ClassVar[str] = "log.key"
    key: str  # C2SP verifier key


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFailed(Event):
    """An anchor or collector outside does not take what it is sent; nothing waits for it."""

    TAG: ClassVar[str] = "copy.failed"
    to: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRecovered(Event):
    """That anchor or collector takes what it is sent again, and has caught up from where it stopped."""

    TAG: ClassVar[str] = "copy.recovered"
    to: str
    down_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearched(Event):
    """Somebody looked into the audit log."""

    TAG: ClassVar[str] = "audit.searched"
    query: Private
    found: int
    through: str  # `slack`, `terminal`, `console`


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExported(Event):
    """Entries left prodaccess as a file."""

    TAG: ClassVar[str] = "audit.exported"
    first: int
    last: int
    form: str  # `bundle`, `tiles`, `jsonl`, `csv`, `ocsf`, `parquet`
    sha256: str
    operator: str  # who ran it on the server, as that machine knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class TextErased(Event):
    """A private text was destroyed on purpose; its commitment stays, so the log still verifies."""

    TAG: ClassVar[str] = "audit.erased"
    seq: int  # the entry whose text it was
    fields: tuple[str, ...]
    why: str
