"""Single keys from the terminal, while something is shown on it."""

from __future__ import annotations

import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self


class Keys:
    """`there`: whether somebody sits at it."""

    def __init__(self) -> None:
        self.there = sys.stdin.isatty()
        self._before: list[object] = []

    def __enter__(self) -> Self:
        if self.there:
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.there:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]

    def typed(self, seconds: float) -> str:
        """One character, or nothing within this time."""
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return sys.stdin.read(1) if ready else ""

    def line(self) -> str:
        """What is typed up to Enter."""
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]
        try:
            sys.stderr.write("\r\n/")
            sys.stderr.flush()
            return sys.stdin.readline().strip()
        finally:
            tty.setcbreak(sys.stdin)
