"""Figures, and how they are printed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value. `ratio` is value / floor; `aim` is the highest ratio we accept, or the highest value where
    there is no floor; None: shown for information."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        return round(self.value / self.floor, 3) if self.floor else None

    def as_data(self) -> dict[str, object]:
        value = round(self.value, 3)
        return {"value": value, "unit": self.unit, "floor": self.floor, "ratio": self.ratio, "aim": self.aim}

    @property
    def met(self) -> bool:
        measured = self.ratio if self.ratio is not None else self.value
        return self.aim is None or measured <= self.aim


@dataclass(frozen=True)
class Result:
    """What one benchmark found."""

    name: str
    figures: tuple[Figure, ...]

    @property
    def met(self) -> bool:
        return all(figure.met for figure in self.figures)

    def as_json(self) -> str:
        figures = {f.name.strip(): f.as_data() for f in self.figures}
        return json.dumps({"name": self.name, "figures": figures}, indent=2)

    def as_table(self) -> str:
        rows = [("figure", "value", "floor", "ratio", "aim", "")]
        for f in self.figures:
            floor = "" if f.floor is None else f"{f.floor:.1f} {f.unit}"
            aim = "" if f.aim is None else (f"≤ {f.aim:g}" if f.floor is not None else f"≤ {f.aim:g} {f.unit}")
            verdict = "" if f.aim is None else ("met" if f.met else "MISSED")
            ratio = "" if f.ratio is None else f"{f.ratio:.2f}"
            rows.append((f.name, f"{f.value:.1f} {f.unit}", floor, ratio, aim, verdict))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
        return f"{self.name}\n\n" + "\n".join(lines)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that this share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * len(ordered)))]
