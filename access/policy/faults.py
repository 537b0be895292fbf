"""What is wrong in a policy file, and the readers of single values, which note it instead of stopping."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from access.duration import parse_duration
from access.errors import BadInput
from access.policy import names
from access.policy.model import DAYS

Path = tuple[str | int, ...]
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MIDNIGHT = "24:00"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which path of keys (`("targets", "orders-db", "roles", "read", "max")`)."""

    path: Path
    text: str


class PolicyFaults(ValueError):
    """The file is not a policy; `faults` has everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{'.'.join(map(str, f.path)) or 'file'}: {f.text}" for f in faults))


class Values:
    """Collects faults instead of stopping at the first; what is wrong reads as something harmless."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, path: Path, text: str) -> None:
        self.faults.append(Fault(path, text))

    def must_be_fit(self, path: Path, wrong: str) -> None:
        if wrong:
            self.fault(path, wrong)

    def mapping(self, data: Any, path: Path, allowed: Sequence[str] = ()) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fault(path, "Missing." if data is None else "This is a list of `name: value` lines.")
            return {}
        for key in data:
            if allowed and key not in allowed:
                near = difflib.get_close_matches(str(key), allowed, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(allowed)}."
                self.fault((*path, str(key)), f"`{key}` is not known; {hint}")
        return {str(key): value for key, value in data.items()}

    def items(self, data: Any, path: Path) -> list[tuple[Path, Any]]:
        """The members of a list, each with its path."""
        if not isinstance(data, list):
            self.fault(path, "Missing." if data is None else "This is a list: lines that begin with a dash.")
            return []
        return [((*path, index), item) for index, item in enumerate(data)]

    def names(self, data: Any, path: Path) -> tuple[str, ...]:
        items = [data] if isinstance(data, str) else data
        if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
            self.fault(path, "Missing." if data is None else "This is a name, or a list of names.")
            return ()
        return tuple(items)

    def duration(self, data: Any, path: Path) -> timedelta:
        try:
            return parse_duration(str(data))
        except BadInput:
            self.fault(path, "Missing." if data is None else f"“{data}” is not a duration. Write 30m, 1h or 1h30m.")
            return timedelta()

    def count(self, data: Any, path: Path) -> int:
        if not isinstance(data, int) or isinstance(data, bool) or data < 1:
            self.fault(path, "A whole number, at least 1.")
            return 1
        return data

    def word(self, data: Any, path: Path) -> str:
        if not isinstance(data, str) or not data:
            self.fault(path, "Missing." if data is None else "A text.")
            return ""
        return data

    def flag(self, data: Any, path: Path) -> bool:
        if not isinstance(data, bool) and data not in ("yes", "no"):
            self.fault(path, "yes or no (or true or false).")
        return data is True or data == "yes"

    def one_of(self, words: Sequence[str], data: Any, path: Path) -> str:
        if data not in words:
            self.fault(path, f"{' or '.join(f'`{word}`' for word in words)}.")
            return words[0]
        return str(data)

    def pattern(self, data: Any, path: Path) -> str:
        self.must_be_fit(path, names.of_a_ticket(str(data)))
        return str(data)

    def moment(self, data: Any, path: Path) -> datetime:
        try:
            found = datetime.fromisoformat(self.word(data, path) or "1970-01-01T00:00:00Z")
        except ValueError:
            found = datetime.fromtimestamp(0)  # noqa: DTZ006 (it has no zone, and so is a fault)
        if found.tzinfo is None:
            self.fault(path, f"“{data}” is not a time with its zone. Write 2026-12-23T18:00:00+01:00.")
            return datetime.fromisoformat("1970-01-01T00:00:00Z")
        return found

    def time_of_day(self, data: Any, path: Path, *, latest: str = "") -> int:
        """Minutes since midnight."""
        if data is not None and data == latest:
            return 24 * 60
        found = _TIME.fullmatch(str(data))
        if found is None:
            self.fault(path, "Missing." if data is None else f"“{data}” is not a time of day. Write 08:00.")
            return 0
        return int(found[1]) * 60 + int(found[2])

    def days(self, data: Any, path: Path) -> frozenset[int]:
        found: set[int] = set()
        for word in self.names(data, path):
            first, dash, last = word.lower().partition("-")
            if first not in DAYS or (dash and last not in DAYS):
                self.fault(path, f"“{word}” is not a day. Write mon, or mon-fri.")
                continue
            begin = DAYS.index(first)
            span = (DAYS.index(last) - begin) % 7 if dash else 0
            found |= {(begin + day) % 7 for day in range(span + 1)}
        if not found:
            self.fault(path, "At least one day.")
        return frozenset(found)

    def zone(self, data: Any, path: Path) -> str:
        name = self.word(data, path)
        try:
            ZoneInfo(name or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fault(path, f"“{name}” is not a time zone here. They look like Europe/Berlin.")
            return "UTC"
        return name or "UTC"
