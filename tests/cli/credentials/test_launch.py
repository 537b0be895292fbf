"""Commands that outlive their grant, cannot be started, or are told to stop."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

import pytest

from cli.credentials.launch import wait_until
from tests.cli.shell import Shell, finished
from tests.people import ADA

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
SLEEP = "import time; print('up', flush=True); time.sleep(60)"
TOLD = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('up', flush=True)
signal.pause()
"""


async def _open_for(shell: Shell, seconds: int) -> None:
    world = shell.api.world
    await shell.sign_in()
    asked = await shell.run("request", "orders-db", f"{seconds}s", "OPS-1", "x")
    assert asked.code == 0, asked.err
    request = await world.request(1)
    await world.broker.approve(request.id, ADA, request.digest)


async def test_kill_at_expiry(shell: Shell) -> None:
    await _open_for(shell, 1)
    since = time.monotonic()
    ran = await shell.run("run", "PA-1", "--kill-at-expiry", "--", sys.executable, "-c", SLEEP)
    assert (ran.code, ran.out) == (128 + signal.SIGTERM, "up\n")
    assert ran.err.endswith("prodaccess: the grant has ended; stopping the command.\n")
    assert time.monotonic() - since < 10


async def test_kill_at_expiry_passes_signals_and_exit_codes_on(shell: Shell) -> None:
    await _open_for(shell, 600)
    process = await shell.start("run", "PA-1", "--kill-at-expiry", "--", sys.executable, "-c", TOLD)
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert (await finished(process)).code == 7
    ran = await shell.run("run", "PA-1", "--kill-at-expiry", "--", sys.executable, "-c", "exit(3)")
    assert ran.code == 3


def test_a_command_that_does_not_listen_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert wait_until(child, time.time(), grace=0.2) == -signal.SIGKILL


async def test_a_command_that_is_not_there_costs_no_credential(shell: Shell) -> None:
    await _open_for(shell, 600)
    ran = await shell.run("run", "PA-1", "--", "no-such-command")
    assert (ran.code, "is not a command here" in ran.err) == (2, True)
    ran = await shell.run("run", "PA-1")
    assert (ran.code, "prodaccess run PA-1 -- psql" in ran.err) == (2, True)
    assert shell.api.world.provider.live() == {}
    before = await shell.api.world.store.log.head()
    ran = await shell.run("request", "orders-db", "OPS-1", "x", "--", "no-such-command")
    assert (ran.code, await shell.api.world.store.log.head()) == (2, before), "nobody was asked"


async def test_a_server_that_restarts_during_a_wait_is_waited_for(shell: Shell) -> None:
    await shell.sign_in()
    process, request = await shell.asking("orders-db", "OPS-1", "x", "--wait")
    shell.api.away = True
    await shell.api.world.broker.approve(request.id, ADA, request.digest)
    await asyncio.sleep(0.3)
    assert process.returncode is None
    shell.api.away = False
    ran = await finished(process)
    assert (ran.code, "Use it: prodaccess run PA-1 -- COMMAND" in ran.out) == (0, True)
