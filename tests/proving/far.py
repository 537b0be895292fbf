"""The far side of servers that are killed: it outlives them, in files, and the driver counts what it holds.

Each change is a line of `far.log` before it is made; what was left when the last process died is in `far.held`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from providers.memory import Account, MemoryServer


class Journal(dict[str, Any]):
    """A dictionary whose every change is on disk before it is made: one line, one write."""

    def __init__(self, file: int, mark: str, directory: Path) -> None:
        super().__init__()
        self._file, self._mark, self._directory = file, mark, directory

    def note(self, sign: str, key: str, value: object = None) -> None:
        line = {"what": sign + self._mark, "key": key, "at": time.time()}
        if isinstance(value, Account):
            n = int(key.rpartition("_")[2][:-6])  # of the intent; six random characters follow it
            intended = is_intended(self._directory, value.grant, n)
            line |= {"grant": value.grant, "container": value.container, "intended": intended}
        write_line(self._file, line)

    def __setitem__(self, key: str, value: Any) -> None:
        self.note("+", key, value)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.note("-", key)
        super().__delitem__(key)

    def pop(self, key: str, *default: Any) -> Any:
        if key in self:
            self.note("-", key)
        return super().pop(key, *default)


def database_of(directory: Path) -> Path:
    return directory / "disk" / "prodaccess.db"


def is_intended(directory: Path, grant: int, n: int) -> bool:
    """Whether this very intent is durable, as anybody else reads it at this moment, on a connection of their own."""
    with closing(sqlite3.connect(f"file:{database_of(directory)}?mode=ro", uri=True)) as database:
        query = "SELECT body FROM ledger_entry WHERE ref = ? AND type = 'credential.intended'"
        found = database.execute(query, (f"PA-{grant}",)).fetchall()
    return n in [json.loads(body)["data"]["n"] for (body,) in found]


def write_line(file: int, line: Mapping[str, Any]) -> None:
    os.write(file, json.dumps(line).encode() + b"\n")


def open_far_log(directory: Path) -> int:
    return os.open(directory / "far.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)


@dataclass
class FarSide:
    """The far side as the lines tell it, kept by whoever starts the processes."""

    directory: Path
    made: list[dict[str, Any]] = field(default_factory=list)
    gone: dict[str, float] = field(default_factory=dict)
    lives: list[dict[str, Any]] = field(default_factory=list)
    _held: dict[str, dict[str, Any]] = field(default_factory=dict)
    _read: int = 0

    def read(self) -> None:
        """What has been written since the last time."""
        file = self.directory / "far.log"
        if not file.exists():
            return
        with file.open("rb") as lines:
            lines.seek(self._read)
            whole = lines.read().rpartition(b"\n")[0]
        for line in whole.splitlines():
            self._take(json.loads(line))
        self._read += len(whole) + 1 if whole else 0

    def catch_up(self) -> None:
        """Read what the process that has just died wrote, and put down what it leaves for the next one.

        A line that was torn by the kill tells of a change that was never made.
        """
        self.read()
        os.truncate(self.directory / "far.log", self._read)
        (self.directory / "far.held").write_text(json.dumps(list(self._held.values())))

    def _take(self, line: dict[str, Any]) -> None:
        if line["what"] == "life":
            self.lives.append(line)
            return
        sign, mark = line["what"][0], line["what"][1:]
        if sign == "+":
            self._held[line["key"]] = line
        else:
            self._held.pop(line["key"], None)
        if mark == "account" and sign == "+":
            self.made.append(line)
        elif mark == "account":
            self.gone[line["key"]] = line["at"]


def far_side(directory: Path) -> MemoryServer:
    """As the last process left it."""
    held = directory / "far.held"
    file = open_far_log(directory)
    server = MemoryServer(Journal(file, "container", directory), Journal(file, "account", directory))
    for line in json.loads(held.read_text()) if held.exists() else ():
        far = datetime.fromtimestamp(line["at"], UTC) + timedelta(hours=1)
        if "grant" in line:
            dict.__setitem__(server.accounts, line["key"], Account(line["grant"], line["container"], "", far))
        else:
            dict.__setitem__(server.containers, line["key"], far)
    return server
