"""Everything that happened in the workspace, in order: calls, deliveries, acts, sockets, faults."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One fact. `at` is workspace time in seconds; `data` is exactly what went over the wire."""

    n: int
    at: float
    kind: str  # api, delivery, act, socket, response_url, event, fault, admin
    what: str  # the method, command, event type or verb
    data: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        return json.dumps(self.as_dict(), ensure_ascii=False, default=str)


class Journal:
    """An append-only list of entries; the oldest are forgotten beyond `limit`."""

    def __init__(self, now: Callable[[], float], limit: int = 20_000) -> None:
        self._now = now
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._count = 0
        self.on_write: list[Callable[[Entry], None]] = []

    def write(self, kind: str, what: str, /, **data: Any) -> Entry:
        self._count += 1
        # A copy, because messages and views go on changing after they were sent.
        frozen = json.loads(json.dumps(data, default=str))
        entry = Entry(self._count, self._now(), kind, what, frozen)
        self._entries.append(entry)
        for listener in self.on_write:
            listener(entry)
        return entry

    def search(self, text: str) -> list[Entry]:
        """Entries whose JSON holds this text, in plain or in JSON-escaped form."""
        escaped = json.dumps(text, ensure_ascii=False)[1:-1]
        return [entry for entry in self._entries if escaped in entry.as_text()]

    def of(self, kind: str, what: str | None = None) -> list[Entry]:
        return [e for e in self._entries if e.kind == kind and what in (None, e.what)]

    def after(self, n: int, limit: int = 500) -> list[Entry]:
        """The newest `limit` entries with a number above `n`, oldest first."""
        return [entry for entry in self._entries if entry.n > n][-limit:]

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]
