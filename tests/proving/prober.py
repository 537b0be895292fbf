"""Tries every login that was handed out, over and over until it is refused: `python -m tests.proving.prober DIRECTORY`.

A process of its own, so that what it measures is not its own load. `held.log` says what to try. On SIGTERM it writes
down what it found in `probed.json`, of each user: when a login was last accepted and when it was refused; and of every
user that grants have made, handed over or not, when the database would last have let it in.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from access.secret import Secret
from providers.database_probe import Login, try_login
from tests.proving.ground import Address

AT_ONCE = 3  # logins
PATIENCE = 30.0  # seconds, with what is not refused when all should be over
EARLY = 0.3  # seconds before the deadline, from when on it is tried without pause
_LOOK = 0.05
_USABLE = r"""
SELECT rolname, rolcanlogin AND coalesce(rolvaliduntil > clock_timestamp(), true), extract(epoch FROM clock_timestamp())
FROM pg_roles WHERE rolname LIKE 'pa\_%-pa-%'
"""


@dataclass
class Tried:
    """What the target said to one login."""

    user: str
    grant: int
    deadline: float
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    last_accepted: float = 0.0  # when that try began: so long it lived, at least
    refused_at: float = 0.0  # when the first try that was refused ended, of those after it was last accepted
    looked_at: float = 0.0

    def note(self, answer: Login, began: float) -> None:
        now = self.looked_at = time.time()
        if answer is Login.ACCEPTED:
            self.accepted, self.last_accepted, self.refused_at = self.accepted + 1, began, 0.0
        elif answer is Login.REFUSED:
            self.refused, self.refused_at = self.refused + 1, self.refused_at or now
        else:
            self.unknown += 1


@dataclass
class Prober:
    directory: Path
    address: Address
    tried: dict[str, Tried] = field(default_factory=dict)
    usable: dict[str, list[float]] = field(default_factory=dict)  # by user: when first and last
    ready: threading.Event = field(default_factory=threading.Event)
    looking: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    _secrets: dict[str, Secret] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)
    _others: set[str] | None = None  # users that were there before
    _read: int = 0
    _told: float = 0.0

    def run(self) -> None:
        self.looking.set()
        watching = threading.Thread(target=self._watch)
        watching.start()
        self.ready.wait()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while not self._is_over():
                self._take_up()
                for user in list(self._due())[: AT_ONCE - len(self._busy)]:
                    self._busy.add(user)
                    pool.submit(self._try, user)
                time.sleep(0.01)
        self.looking.clear()
        watching.join()
        found = {"tried": [asdict(each) for each in self.tried.values()], "usable": self.usable}
        (self.directory / "probed.json").write_text(json.dumps(found))

    def _is_over(self) -> bool:
        """When told to stop, it still tries what has not been refused; not for ever."""
        if not self.stop.is_set():
            return False
        self._told = self._told or time.monotonic()
        waiting = self._busy or any(True for _ in self._due())
        return not waiting or time.monotonic() > self._told + PATIENCE

    def _take_up(self) -> None:
        file = self.directory / "held.log"
        if not file.exists():
            return
        with file.open("rb") as lines:
            lines.seek(self._read)
            whole = lines.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            held: dict[str, Any] = json.loads(line)
            user = held["username"]
            self._secrets[user] = Secret({"username": user, "password": held["password"]})
            self.tried[user] = Tried(user, held["grant"], held["deadline"])

    def _due(self) -> Iterator[str]:
        """Once at first, which must succeed; then from shortly before the deadline on until it was refused twice.

        Told to stop, everything at once: where the server's clock jumps ahead, all is over before the deadline.
        """
        now = time.time()
        for each in sorted(self.tried.values(), key=lambda tried: tried.looked_at):
            is_over = (self.stop.is_set() or now > each.deadline - EARLY) and each.refused < 2
            if each.user not in self._busy and (is_over or not each.looked_at):
                yield each.user

    def _try(self, user: str) -> None:
        began = time.time()
        try:
            self.tried[user].note(try_login(self.address.uses, self._secrets[user]), began)
        finally:
            self._busy.discard(user)

    def _watch(self) -> None:
        """What the database itself says of every user that was made since, also of those that nobody was handed."""
        while self.looking.is_set():
            with suppress(psycopg.Error), psycopg.connect(self.address.target, connect_timeout=3) as connection:
                while self.looking.is_set():
                    self._note_users(connection)
                    time.sleep(_LOOK)

    def _note_users(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(_USABLE).fetchall()
        if self._others is None:
            self._others = {user for user, *_ in rows}
            self.ready.set()
        for user, is_usable, at in rows:
            if user in self._others:
                continue
            seen = self.usable.setdefault(user, [float(at), 0.0])
            if is_usable:
                seen[1] = float(at)
        connection.commit()


def main() -> None:
    directory = Path(sys.argv[1])
    prober = Prober(directory, Address.load(directory))
    signal.signal(signal.SIGTERM, lambda *_: prober.stop.set())
    prober.run()


if __name__ == "__main__":
    main()
