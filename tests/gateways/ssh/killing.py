"""`kill -9` of the gateway while several clients work at a host: what has happened there is in the recordings.

`python -m tests.gateways.ssh.killing [TIMES]`, a hundred unless told otherwise. Needs openssh-server.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncssh

from audit.recording.form import Broken, Record
from audit.recording.reader import Recording
from benchmarks.ssh_host import NAME, RECORDED_BY, Gateway, Host, certified
from gateways.ssh.acts import Fed, FileAsked, Started, act_of
from gateways.ssh.runs import UNKNOWN
from gateways.ssh.tape import read_back

EACH = 1_000_000  # numbers of one client
_NUMBER = re.compile(rb"# (\d+)")


@dataclass(frozen=True)
class Found:
    """What the host has seen, what of it no recording has, and how many acts are told as of unknown outcome."""

    arrived: int
    unrecorded: frozenset[int]
    recorded: int
    unknown: int


@dataclass(frozen=True)
class Bench:
    """A host that stays, and what a gateway in front of it has to know."""

    host: Host
    plan: dict[str, Any]
    client: asyncssh.SSHKey

    async def kill_once(self, place: Path) -> Found:
        """At a moment that nobody chose."""
        place.mkdir()  # noqa: ASYNC240 (nothing else waits)
        with Gateway(self.plan) as gateway:
            clients = [
                asyncio.create_task(work(self, gateway.port, place, number * EACH))
                for number, work in enumerate((_commands, _commands, _script, _files))
            ]
            await _until(lambda: len(_arrived(place)) > 8)
            await asyncio.sleep(random.uniform(0, 0.3))
            os.kill(gateway.pid, signal.SIGKILL)
            await asyncio.gather(*clients)
            await _until_quiet(place)
            recordings = [list(_records(file)) for file in (gateway.directory / "recordings").iterdir()]
        arrived, recorded = _arrived(place), set().union(*map(_numbers, recordings))
        unknown = sum(act.outcome == UNKNOWN for records in recordings for act in read_back(records))
        return Found(len(arrived), frozenset(arrived - recorded), len(recorded), unknown)

    def connect(self, port: int) -> Any:
        return asyncssh.connect(
            "127.0.0.1", port, username=NAME, client_keys=[self.client], known_hosts=None, config=None, agent_path=None
        )


# What the clients do until the gateway is gone: each number is one thing that the host has done


async def _commands(bench: Bench, port: int, place: Path, first: int) -> None:
    with suppress(asyncssh.Error, OSError):
        async with bench.connect(port) as client:
            for n in range(first, first + EACH):
                await client.run(f"echo '# {n}' >> {place}/ledger")


async def _script(bench: Bench, port: int, place: Path, first: int) -> None:
    """A shell that is fed its commands, line by line."""
    with suppress(asyncssh.Error, OSError):
        async with bench.connect(port) as client, client.create_process("sh") as shell:
            for n in range(first, first + EACH):
                shell.stdin.write(f"echo '# {n}' >> {place}/ledger; echo\n")
                if not await shell.stdout.readline():
                    return


async def _files(bench: Bench, port: int, place: Path, first: int) -> None:
    with suppress(asyncssh.Error, OSError):
        async with bench.connect(port) as client, client.start_sftp_client() as sftp:
            for n in range(first, first + EACH):
                async with sftp.open(f"{place}/# {n}", "wb") as file:
                    await file.write(b"content")


# What the host has, and what the recordings have


def _arrived(place: Path) -> set[int]:
    ledger = place / "ledger"
    said = ledger.read_bytes() if ledger.exists() else b""
    files = b"\n".join(os.fsencode(path.name) for path in place.iterdir())
    return {int(found[1]) for found in _NUMBER.finditer(said + b"\n" + files)}


def _records(file: Path) -> Iterator[Record]:
    with suppress(Broken):
        for _, record in Recording(file, RECORDED_BY).read():
            yield record


def _numbers(records: list[Record]) -> set[int]:
    acts = [act_of(record.kind, record.data) for record in records]
    fed = b"".join(act.data for act in acts if isinstance(act, Fed))
    said = [act.text if isinstance(act, Started) else act.path for act in acts if isinstance(act, Started | FileAsked)]
    return {int(found[1]) for found in _NUMBER.finditer("\n".join(said).encode() + b"\n" + fed)}


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 (the host tells nobody)
            await asyncio.sleep(0.02)


async def _until_quiet(place: Path) -> None:
    """A program without a terminal is not ended by its connection."""
    before, now = -1, len(_arrived(place))
    while before != now:
        await asyncio.sleep(0.2)
        before, now = now, len(_arrived(place))


@contextmanager
def bench() -> Iterator[Bench]:
    authority, own, shown, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(4))
    public = " ".join(client.export_public_key().decode().split()[:2])
    with Host(authority.export_public_key().decode(), public) as host:
        plan = {
            "port": host.port, "user": host.user, "host_key": host.key, "credential": certified(authority, own),
            "key": public, "own_key": shown.export_private_key().decode(),
        }  # fmt: skip
        yield Bench(host, plan, client)


async def kill(times: int, directory: Path) -> list[Found]:
    with bench() as made:
        return [await made.kill_once(directory / str(number)) for number in range(times)]


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with TemporaryDirectory() as name:
        found = asyncio.run(kill(times, Path(name)))
    arrived, recorded = sum(one.arrived for one in found), sum(one.recorded for one in found)
    missing, unknown = sum(len(one.unrecorded) for one in found), sum(one.unknown for one in found)
    print(f"{times} kills: {arrived:,} commands and files arrived, {recorded:,} are recorded, {missing} are missing;")  # noqa: T201
    print(f"of {unknown:,} it is said that nobody knows how they ended.")  # noqa: T201
    return 1 if missing or not arrived else 0


if __name__ == "__main__":
    sys.exit(main())
