"""A PostgreSQL gateway in a process of its own, with everything but the house around it: one ticket opens it for any
name, and each session is recorded in a file as in production. For the benchmark, and for tests that kill or flood it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from access.secret import Secret
from audit.recording.form import Header
from audit.recording.writer import Recorder
from gateways.postgres.gateway import Hold, PostgresGateway
from gateways.postgres.holding import Gate
from gateways.postgres.loop import run
from gateways.postgres.reception import CancelAsked, Visitor
from gateways.postgres.scram import Verifier
from gateways.postgres.tape import FORM, SqlTape
from gateways.postgres.upstream import Upstream
from prodaccess.parts.part import HOST, Part, Program, is_free
from prodaccess.parts.supervisor import die_with_supervisor

TICKET = "t" * 40
KEY = bytes(32)
USER = "PA-7"
EACH = 1.0  # seconds


@dataclass
class Session:
    """One connection. What goes into the log each second is gathered and dropped: the log has its own benchmark."""

    upstream: Upstream
    tape: SqlTape
    gate: Gate | None = None
    _timer: asyncio.TimerHandle | None = None

    def running(self, _hold: Hold) -> None:
        self._harvest()

    def over(self, why: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.tape.harvest()
        self.tape.recorder.close(why)

    def _harvest(self) -> None:
        self.tape.harvest(self.tape.waiting)
        self._timer = asyncio.get_running_loop().call_later(EACH, self._harvest)


@dataclass
class Door:
    """Lets in whoever holds the ticket: as the superuser, or, under another name than ours, as the one of that name."""

    config: dict[str, Any]
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _verifier: Verifier = field(default_factory=lambda: Verifier.of(TICKET))

    async def lookup(self, _name: str, _key: str) -> Verifier | None:
        return self._verifier

    async def stop(self, asked: CancelAsked) -> None: ...

    async def admit(self, visitor: Visitor, _address: str) -> Session:
        config = self.config
        user = config["user"] if visitor.name == USER else visitor.name
        secret = Secret({"username": user, "password": config["password"]})
        upstream = Upstream(config["host"], config["port"], visitor.database, secret, None, visitor.parameters)
        name = f"{os.getpid()}-{next(self._numbers)}"
        header = Header(session=name, ref="PA-7", form=FORM, started_at=0)
        return Session(upstream, SqlTape(Recorder(Path(config["recordings"]) / name, header, KEY)))


async def serve(config: dict[str, Any]) -> None:
    """Until it is told to stop."""
    tls = None
    if config.get("certificate"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(config["certificate"])
    server = await PostgresGateway(Door(config), tls).listen(HOST, config["listen"], several=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    server.close()


class GatewayProcess(Part):
    """The process; `recordings` is where its sessions are recorded."""

    name = "gateway"

    def __init__(self, upstream: dict[str, Any], **more: Any) -> None:
        """`upstream`: host, port, user and password of the database; `more` goes into the process's settings."""
        super().__init__()
        self._config = {**upstream, **more}

    @property
    def recordings(self) -> Path:
        return self.directory / "recordings"

    @property
    def pid(self) -> int:
        return int((self.directory / "pid").read_text())

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{TICKET}@{self.host}:{self.port}/{database}"

    def _prepare(self) -> Program:
        self.recordings.mkdir()
        file = self.directory / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({**self._config, "listen": self.port, "recordings": str(self.recordings)}))
        root = str(Path(__file__).parent.parent)
        return Program(
            [sys.executable, "-m", "benchmarks.pg_gateway_process", str(file)], environment={"PYTHONPATH": root}
        )

    def _ready(self) -> bool:
        return not is_free(self.port)


def main() -> None:
    config = json.loads(Path(sys.argv[1]).read_text())
    for _ in range(config.get("processes", 1) - 1):
        if not os.fork():
            die_with_supervisor()  # here: with the process that it was made by
            break
    run(serve(config))


if __name__ == "__main__":
    main()
