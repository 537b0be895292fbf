"""What is different on a terminal: a line that disappears, and colours."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import sys
import termios
from collections.abc import Iterator

import pytest

from tests.cli.shell import Shell, finished
from tests.people import ADA


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Ours and theirs, 60 columns wide."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def _read(ours: int) -> str:
    os.set_blocking(ours, False)
    try:
        return os.read(ours, 65536).decode()
    except BlockingIOError:
        return ""


async def test_progress_is_one_line_that_disappears(shell: Shell, terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    await shell.sign_in()
    process = await shell.start("request", "orders-db", "OPS-1", "x", "--wait", stderr=theirs)
    assert process.stdout is not None
    await process.stdout.readline()
    shown = ""
    for _ in range(100):
        await asyncio.sleep(0.02)
        shown += _read(ours)
        if shown:
            break
    assert shown == "PA-1: 0 of 1 approved; ada or grace can approve …"
    request = await shell.api.world.request(1)
    await shell.api.world.broker.approve(request.id, ADA, request.digest)
    assert (await finished(process)).code == 0
    rest = _read(ours)
    assert rest.startswith("\r\x1b[2K")
    assert rest.rstrip("\r\n").rpartition("\x1b[2K")[2] == "" or "approved by ada" in rest


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
async def test_colours_only_on_a_terminal_that_wants_them(
    shell: Shell, terminal: tuple[int, int], environment: dict[str, str], coloured: bool
) -> None:
    ours, theirs = terminal
    await shell.sign_in()
    await shell.api.world.opened(reason="long " * 30)
    ran = await shell.with_environment(environment).run("list", stdout=theirs)
    assert ran.code == 0
    shown = _read(ours)
    assert ("\x1b[32m" in shown) == coloured
    line = shown.splitlines()[1].replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert (len(line), line[-1]) == (60, "…")
    assert "\x1b" not in (await shell.run("list")).out


@pytest.mark.parametrize("words", [("help",), ("help", "audit"), ("connect", "--help"), ("request", "--help")])
async def test_help_is_as_wide_as_the_terminal_and_commands_stay_whole(
    shell: Shell, terminal: tuple[int, int], words: tuple[str, ...]
) -> None:
    ours, theirs = terminal
    assert (await shell.run(*words, stdout=theirs)).code == 0
    too_long = [line for line in _read(ours).splitlines() if len(line) > 60]
    assert [line for line in too_long if "prodaccess " not in line and "[--" not in line] == []


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0), ("<&-", 0), (">/dev/full", 1)])
async def test_an_output_that_is_closed_or_full_is_no_accident(shell: Shell, closed: str, code: int) -> None:
    command = f'exec "{sys.executable}" -m cli help {closed}'
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(command, env=shell.environment, stdout=pipe, stderr=pipe)
    ran = await finished(process)
    assert ran.code == code
    assert ran.err == ("prodaccess: No space left on device\n" if code else "")
