"""Faults to order: which call, delivery or socket, how often, and what then goes wrong.

A fault is a mapping. `where` and `do` say what happens:

    where: api       do: rate_limit (retry_after, or null for none) | error (error) | status (status, html)
                         | reset | hang (seconds) | drip (seconds) | truncate | garbage;
                         after_commit: true lets the call take effect first (drip always does)
    where: delivery  do: duplicate (same envelope) | redeliver (new envelope) | delay (seconds) | drop
                         | hold (until released) | stale | only_socket (socket)
    where: socket    do: refresh (seconds) | warning | link_disabled | too_many_websockets | close | fin
                         | reset | silence; it acts on every open socket as soon as it is added
    where: link      do: status (status), the WebSocket handshake is refused

Matchers, all optional: method, kind, what, user, channel. `what` is a command, an event type, block_actions,
view_submission or view_closed. `nth` skips the first n-1 matches, `probability` draws, `times` (default 1, null for
ever) ends it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_simulator.ids import Ids
from slack_simulator.journal import Journal

VERBS = {
    "api": {"rate_limit", "error", "status", "reset", "hang", "drip", "truncate", "garbage"},
    "delivery": {"duplicate", "redeliver", "delay", "drop", "hold", "stale", "only_socket"},
    "socket": {
        "refresh", "warning", "link_disabled", "too_many_websockets", "close", "fin", "reset", "silence"
    },
    "link": {"status"},
}  # fmt: skip
MATCHERS = frozenset({"method", "kind", "what", "user", "channel"})
OPTIONS = frozenset(
    {"retry_after", "error", "status", "html", "seconds", "after_commit", "socket", "needed", "provided"}
)
_KNOWN = MATCHERS | OPTIONS | {"where", "do", "nth", "times", "probability"}


@dataclass
class Fault:
    """One ordered fault and how often it has been met."""

    where: str
    do: str
    match: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    nth: int = 1
    times: int | None = 1
    probability: float = 1.0
    met: int = 0

    @property
    def after_commit(self) -> bool:
        return self.do == "drip" or bool(self.options.get("after_commit", False))

    def get(self, option: str, default: Any) -> Any:
        return self.options.get(option, default)


class Faults:
    """The faults waiting to happen."""

    def __init__(self, ids: Ids, journal: Journal) -> None:
        self._ids = ids
        self._journal = journal
        self.waiting: list[Fault] = []
        self.on_socket: Callable[[Fault], None] | None = None

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Raises ValueError for a key or verb that does not exist."""
        fault = _read(spec)
        if fault.where == "socket":
            self._happens(fault, {})
            if self.on_socket is not None:
                self.on_socket(fault)
        else:
            self.waiting.append(fault)
        return fault

    def clear(self) -> None:
        self.waiting.clear()

    def take(self, where: str, **facts: Any) -> Fault | None:
        """The first fault that strikes here, counted and written to the journal."""
        for fault in list(self.waiting):
            if fault.where == where and all(facts.get(k) == v for k, v in fault.match.items()):
                fault.met += 1
                if fault.met >= fault.nth and self._ids.chance.random() < fault.probability:
                    self._count(fault)
                    self._happens(fault, facts)
                    return fault
        return None

    def _count(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)

    def _happens(self, fault: Fault, facts: Mapping[str, Any]) -> None:
        self._journal.write("fault", f"{fault.where} {fault.do}", met=dict(facts), options=dict(fault.options))


def _read(spec: Mapping[str, Any]) -> Fault:
    if unknown := set(spec) - _KNOWN:
        raise ValueError(f"A fault has no key {sorted(unknown)[0]!r}; known are {sorted(_KNOWN)}.")
    where, do = spec.get("where", ""), spec.get("do", "")
    if where not in VERBS or do not in VERBS[where]:
        raise ValueError(f"No fault does {do!r} to {where!r}; known are {VERBS}.")
    return Fault(
        where,
        do,
        {k: v for k, v in spec.items() if k in MATCHERS},
        {k: v for k, v in spec.items() if k in OPTIONS},
        spec.get("nth", 1),
        spec.get("times", 1),
        spec.get("probability", 1.0),
    )
