"""How long a cut takes, as the host sees it: from the deadline, and from an order, to the last of its processes.

`python -m tests.gateways.ssh.cutting [TIMES]`. Commands, a terminal and its jobs, files, and what ignores signals or is
in the background; the real desk, the real store, a real sshd.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import asyncssh

from prodaccess.parts.supervisor import family, state
from tests.gateways.scene import gateway
from tests.gateways.ssh.hosts import Keys, OpenSshd
from tests.gateways.ssh.house import SshScene, policy
from tests.people import ADA
from tests.world import World

WORK = ("sleep 1001", "trap '' HUP TERM; sleep 1002; true", "sleep 1003 & sleep 1004")


@dataclass(frozen=True)
class Cut:
    """Seconds until nothing of the session was left at the host, after its `deadline` and after an `order`."""

    deadline: float
    order: float


async def measured(times: int, directory: Path, *, orders: bool = True) -> list[Cut]:
    keys = Keys.make()
    with OpenSshd(keys.authority.export_public_key().decode()) as sshd:
        return [await _once(sshd, keys, directory / str(number), orders=orders) for number in range(times)]


async def _once(sshd: OpenSshd, keys: Keys, place: Path, *, orders: bool) -> Cut:
    place.mkdir()  # noqa: ASYNC240 (nothing else waits)
    world = World(place, policy(sshd.upstream(keys)))
    async with gateway(SshScene(world, None, place / "recordings", keys=keys)) as scene:  # type: ignore[arg-type]
        ordered = await _cut(scene, sshd, by_order=True) if orders else 0.0
        over = await _cut(scene, sshd, by_order=False)
    world.close()
    return Cut(over, ordered)


async def _cut(scene: SshScene, sshd: OpenSshd, *, by_order: bool) -> float:
    async with scene.connect(await scene.let_in()) as client:
        processes = await _working(client, sshd)
        since = time.monotonic()
        if by_order:
            (session,) = await scene.world.store.sessions.open_sessions()
            await scene.cutting.cut(session, ADA)
        else:
            scene.world.clock.pass_by(minutes=61)
        await _until(lambda: not any(map(_is_running, processes)) and not children(sshd))
        return time.monotonic() - since


async def _working(client: asyncssh.SSHClientConnection, sshd: OpenSshd) -> list[int]:
    """All that runs for this session."""
    for command in WORK:
        await client.create_process(command)
    shell = await client.create_process(term_type="xterm")
    shell.stdin.write("nohup sleep 1005 > /dev/null 2>&1 &\nsleep 1006\n")
    await client.start_sftp_client()
    await _until(lambda: {"1001", "1002", "1003", "1004", "1005", "1006"} <= set(map(_last_word, children(sshd))))
    return children(sshd)


def children(sshd: OpenSshd) -> list[int]:
    """As the host has them, in whatever session they are; without sshd itself."""
    return family(int((sshd.directory / "pid").read_text()))[1:]


def _last_word(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").rpartition("\0")[2]
    return ""


def _is_running(pid: int) -> bool:
    return state(Path(f"/proc/{pid}/stat")) not in "XZ"


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 (the host tells nobody)
            await asyncio.sleep(0.01)


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with TemporaryDirectory() as name:
        cuts = asyncio.run(measured(times, Path(name)))
    for what, found in (("the deadline", [cut.deadline for cut in cuts]), ("an order", [cut.order for cut in cuts])):
        print(f"after {what}: median {median(found):.2f} s, longest {max(found):.2f} s, until nothing is left")  # noqa: T201
    return 1 if max(max(cut.deadline, cut.order) for cut in cuts) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
