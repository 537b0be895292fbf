"""The acts of a conversation as the statements that they tell of: one for each, once it is over. Pure.

Fed with the same acts again, from a recording for instance, the same statements come out in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from gateways.postgres.acts import Act, Answered, Asked, Settled

OK, UNKNOWN, SKIPPED = "ok", "unknown", "skipped"


class Run(msgspec.Struct, gc=False):
    """One statement, `at` microseconds after the session's beginning. `rows` of all its commands together."""

    at: int
    asked: Asked
    lasted: int | None = None
    rows: int | None = None
    outcome: str = UNKNOWN
    message: str = ""
    bytes_out: int = 0
    bytes_in: int = 0


@dataclass
class Runs:
    """Takes act after act; gives statements back as they are over, in the order in which they were sent."""

    _open: dict[int, Run] = field(default_factory=dict)
    state: str = "I"

    @property
    def running(self) -> int:
        return len(self._open)

    def take(self, at: int, act: Act) -> Iterator[Run]:
        match act:
            case Asked(n=n):
                self._open[n] = Run(at, act)
            case Answered(n=n):
                yield from self._over(before=n)
                if (run := self._open.get(n)) is not None:
                    _answer(run, at, act)
            case Settled(state=state):
                self.state = state
                yield from self._over(before=None)

    def rest(self) -> Iterator[Run]:
        """At the end: what was still running has no outcome that anybody knows."""
        yield from self._over(before=None)
        yield from self._open.values()
        self._open.clear()

    def _over(self, before: int | None) -> Iterator[Run]:
        """Those that are answered: of a simple query, several commands may be."""
        for n in [n for n, run in self._open.items() if run.outcome != UNKNOWN and (before is None or n < before)]:
            yield self._open.pop(n)


def _answer(run: Run, at: int, act: Answered) -> None:
    run.lasted = at - run.at
    run.bytes_out += act.bytes_out
    run.bytes_in += act.bytes_in
    if act.rows is not None:
        run.rows = (run.rows or 0) + act.rows
    if act.code or run.outcome == UNKNOWN:
        run.outcome = SKIPPED if act.skipped else act.code or OK
        run.message = act.message
