"""Steps that hold or do not, told as they happen and kept as data."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

_WIDEST = 110  # columns: longer lines are hard to read
_CLAIM, _SEEN = " " * 20, " " * 22  # where they begin, under the time and the word
_GREEN, _RED, _DIM, _PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[0m"


class StepFailed(Exception):
    """A step did not hold; the text says what was seen instead."""


@dataclass
class Step:
    """One step: what it claims, whether it held, when it began and how long it took (seconds)."""

    claim: str
    began: float
    seconds: float = 0.0
    held: bool = False
    seen: str = ""


@dataclass
class Narrator:
    """Tells the steps on a terminal, or keeps quiet when the result is wanted as data."""

    quiet: bool = False
    colour: bool = False
    steps: list[Step] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, claim: str) -> Iterator[Step]:
        """A step holds when its body ends without an exception; the exception's text is what was seen."""
        step = Step(claim, round(time.monotonic() - self._start, 3))
        self.steps.append(step)
        try:
            yield step
            step.held = True
        except Exception as error:
            step.seen = f"{type(error).__name__}: {error}"[:600]
            raise
        finally:
            step.seconds = round(time.monotonic() - self._start - step.began, 3)
            self._tell(step)

    def say(self, text: str) -> None:
        """A heading between steps."""
        if not self.quiet:
            print(f"\n{text}", flush=True)

    def as_data(self) -> dict[str, object]:
        """The whole play, for `--json`."""
        return {"held": all(step.held for step in self.steps), "steps": [asdict(step) for step in self.steps]}

    def _tell(self, step: Step) -> None:
        if self.quiet:
            return
        word = self._in(_GREEN, "held  ") if step.held else self._in(_RED, "FAILED")
        claim = _under(f"{step.claim}  ({step.seconds:.2f}\u00a0s)", _CLAIM).lstrip()
        told = step.seen.splitlines()
        hanging = "    " if len(told) > 1 else ""  # a program's own output, line by line
        seen = "".join(f"\n{self._in(_DIM, _under(line, _SEEN, hanging=hanging))}" for line in told)
        print(f"  {step.began:6.1f} s  {word}  {claim}{seen}", flush=True)

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self.colour and sys.stdout.isatty() else text


def expect(holds: object, otherwise: str) -> None:
    """Raises StepFailed with what was seen instead."""
    if not holds:
        raise StepFailed(otherwise)


def _under(line: str, indent: str, *, hanging: str = "") -> str:
    """The line, on as many as the terminal needs; what it is indented by itself, it stays."""
    columns = min(shutil.get_terminal_size((_WIDEST, 0)).columns, _WIDEST)
    text = line.lstrip()
    first = indent + line[: len(line) - len(text)]
    fitted = textwrap.TextWrapper(
        max(columns, 60), first, first + hanging, break_long_words=False, break_on_hyphens=False
    )
    return fitted.fill(text)
