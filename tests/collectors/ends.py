"""The near side in memory (a log, a notebook, who is told), and real far sides: a syslog program, certificates."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from access.errors import Unavailable
from access.events import CATALOGUE, Event
from audit.log import ORIGIN, Entry
from collectors.collector import Collector, Message
from collectors.messages import message
from collectors.push import Pace, Push
from tests.audit.exporting import ASKED, entry, rows, sample
from tests.people import ManualClock

FAST = Pace(first_pause=0.02, settle=0.01, patience=timedelta())
_FAR = Path(__file__).with_name("far_syslog.py")


class MemoryLog:
    """`Feed` over a list."""

    def __init__(self, count: int = 0) -> None:
        self.all: list[Entry] = []
        self._grown = asyncio.Condition()
        self.all += [entry(event, i) for i, event in enumerate(some_events(count))]

    async def add(self, count: int) -> None:
        events = some_events(len(self.all) + count)[len(self.all) :]
        async with self._grown:
            self.all += [entry(event, len(self.all) + i) for i, event in enumerate(events)]
            self._grown.notify_all()

    async def entries(self, after: int, limit: int = 100) -> tuple[Entry, ...]:
        return tuple(self.all[after + 1 : after + 1 + limit])

    async def entries_of(
        self, ref: str, kinds: Collection[str] | None = None, after: int = -1, limit: int | None = None
    ) -> tuple[Entry, ...]:
        own = (e for e in self.all if e.event.ref == ref and e.seq > after)
        return tuple(e for e in own if kinds is None or e.event.TAG in kinds)[:limit]

    async def wait(self, after: int, timeout: float) -> bool:
        async with self._grown:
            await self._grown.wait_for(lambda: len(self.all) > after + 1)
        return True

    async def head(self) -> int:
        return len(self.all) - 1


def some_events(count: int) -> list[Event]:
    kinds = list(CATALOGUE.values())
    return [ASKED, *(sample(kinds[i % len(kinds)]) for i in range(1, count))][:count]


def messages(count: int) -> list[Message]:
    return [message(row, "json", ORIGIN) for row in rows(some_events(count))]


class Notes:
    """`Notebook` over a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.down = False

    async def note(self, key: str) -> dict[str, Any] | None:
        return self.kept.get(key)

    async def put_notes(self, notes: Mapping[str, Mapping[str, Any]]) -> None:
        if self.down:
            raise Unavailable("The database does not answer.")
        self.kept |= {key: dict(value) for key, value in notes.items()}


class Told:
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    async def failed(self, name: str, why: str) -> None:
        self.said.append(("failed", why))

    async def recovered(self, name: str, down_since: datetime) -> None:
        self.said.append(("recovered", down_since.isoformat()))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.said]


class Near:
    """One push and all that it stands on; `again()` is the next process."""

    def __init__(self, collector: Collector, count: int = 0, pace: Pace = FAST) -> None:
        self.log, self.notes, self.told, self.clock = MemoryLog(count), Notes(), Told(), ManualClock()
        self.collector, self.pace = collector, pace
        self.push = self.again()

    def again(self) -> Push:
        self.push = Push(
            self.log, self.notes, self.clock, self.collector, "json", ORIGIN, self.told, self.pace
        )  # fmt: skip
        return self.push


async def until(true: Any, seconds: float = 10.0) -> None:
    """Waits until it is true; fails when it does not become so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (what is waited for is another process)
            await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class FarSyslog:
    """The syslog program. `kill` is -9; `stop` is silence; both can be ended with `start` and `go_on`."""

    def __init__(self, directory: Path, certificate: Sequence[Path] = ()) -> None:
        self.port, self._out = free_port(), directory / "received"
        self._certificate = [str(path) for path in certificate]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-I", str(_FAR), str(self.port), str(self._out), *self._certificate]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: ASYNC220 (it is quick)
        await until(self._listens)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def lines(self) -> list[str]:
        return self._out.read_text().splitlines() if self._out.exists() else []

    @property
    def seqs(self) -> list[int]:
        return [int(found[1]) for line in self.lines if (found := re.search(r' seq="(\d+)"', line))]

    def _listens(self) -> bool:
        with socket.socket() as knock:
            return knock.connect_ex(("127.0.0.1", self.port)) == 0


def certificate_for(directory: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """A self-signed certificate, which is its own authority, and its key; as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1)).add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    files = directory / f"{name}.pem", directory / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return files
