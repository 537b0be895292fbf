"""When the server was demonstrably up, by its own entries: an idle one still writes one every five minutes."""

from __future__ import annotations

_MINUTE = 60_000_000  # times are microseconds
SILENCE = 6 * _MINUTE  # without an entry: it did not run, or could not write
LONG = 15 * _MINUTE  # up for so long, it had time for everything that was due


class Uptime:
    """Stretches without a silence or a start. Only long ones are kept, so that memory stays small."""

    def __init__(self) -> None:
        self._since = self._last = 0
        self._long: list[tuple[int, int]] = []

    def goes_on(self, since: int, last: int) -> None:
        """The stretch that is going on began at `since`; its newest entry is of `last`."""
        self._since, self._last = since, last

    def ends(self, since: int, last: int) -> None:
        """A silence or a start ended that stretch."""
        if last - since > LONG:
            self._long.append((since, last))

    def was_up(self, after: int, until: int) -> bool:
        """Whether one run went on for long within these times."""
        stretches = (*self._long, (self._since, self._last))
        return any(min(until, end) - max(after, begin) > LONG for begin, end in stretches)
