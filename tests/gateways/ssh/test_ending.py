"""Programs that have to be allowed first, and how programs and sessions end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import pytest

from gateways.ssh.acts import Ended, Fed, Refused, Started, Told
from gateways.ssh.line import Asked
from tests.gateways.ssh.bench import Bench, until

# What somebody has to allow first


async def test_what_waits_for_somebody_starts_when_they_say_so(small: Bench) -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    heard: list[Asked] = []

    async def ask(asked: Asked) -> str:
        heard.append(asked)
        asked.tell("PA-7-1.1 waits.")
        return await answer

    small.door.ask = ask
    async with small.connect() as client:
        running = asyncio.ensure_future(client.run("cat; echo ran", input="given"))
        await until(lambda: heard)
        assert small.tape.of(Started) == small.tape.of(Fed) == []
        answer.set_result("")
        done = await running
    assert (done.stdout, done.stderr) == ("givenran\n", "prodaccess: PA-7-1.1 waits.\n")
    assert [(asked.what, asked.text) for asked in heard] == [("command", "cat; echo ran")]


async def test_what_is_not_allowed_is_told_recorded_and_not_started(small: Bench, tmp_path: Path) -> None:
    async def ask(asked: Asked) -> str:
        return "ada has refused PA-7-1.1."

    small.door.ask = ask
    done = await small.run(*small.words("ssh", "127.0.0.1", f"touch {tmp_path}/done"), given=b"more")
    assert (done.status, done.err) == (126, b"prodaccess: ada has refused PA-7-1.1.\n")
    assert not (tmp_path / "done").exists()
    tape = await small.recorded()
    assert tape.of(Refused) == [Refused(1, f"touch {tmp_path}/done", "ada has refused PA-7-1.1.")]
    assert tape.of(Started) == tape.of(Ended) == []


async def test_who_waits_no_longer_is_said_to_be_gone(small: Bench) -> None:
    heard: list[Asked] = []

    async def ask(asked: Asked) -> str:
        heard.append(asked)
        await asked.gone
        return ""

    small.door.ask = ask
    async with small.connect() as client:
        running = asyncio.ensure_future(client.run("true"))
        await until(lambda: heard)
        assert small.session.hold is not None
        await small.session.hold.cut("PA-7 was ended by ada.")
        with pytest.raises(asyncssh.ChannelOpenError):
            await running
    assert (await small.recorded()).of(Started) == []


# The end


@pytest.mark.parametrize(
    ("gateway", "terminal"),
    [("in process", None), ("sshd", None), ("sshd", "xterm"), ("engineer", None)],
    indirect=["gateway"],
)
async def test_cut_kills_says_why_and_ends(gateway: Bench, terminal: str | None) -> None:
    """A program without a terminal would run on after its connection; and sshd takes no signals for root."""
    async with gateway.connect() as client:
        program = await client.create_process("echo $$; exec sleep 1000", term_type=terminal)
        pid = int(await program.stdout.readline())
        assert gateway.session.hold is not None
        gateway.session.hold.tell("Five minutes are left.")
        await gateway.session.hold.cut("PA-7 has reached its deadline.")
        said = (await program.stdout.read()) + (await program.stderr.read())
    assert "prodaccess: Five minutes are left." in said
    assert "prodaccess: PA-7 has reached its deadline." in said
    await until(lambda: not is_running(pid))
    tape = await gateway.recorded()
    assert gateway.session.why == "PA-7 has reached its deadline."
    assert [act.text for act in tape.of(Told)] == ["Five minutes are left.", "PA-7 has reached its deadline."]
    assert len(tape.of(Ended)) == 1


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_the_last_word_is_seen_on_a_terminal(real: Bench) -> None:
    async with real.connect() as client, client.create_process(term_type="xterm", stderr=asyncssh.STDOUT) as shell:
        shell.stdin.write("echo here\n")
        await shell.stdout.readuntil("here\r\n")
        assert real.session.hold is not None
        await real.session.hold.cut("PA-7 was ended by cleo.")
        assert "\r\nprodaccess: PA-7 was ended by cleo.\r\n" in await shell.stdout.read()


async def test_bytes_stop_when_the_recorder_does(gateway: Bench) -> None:
    async with gateway.connect() as client:
        process = await client.create_process("cat", encoding=None)
        process.stdin.write(b"first\n")
        assert await process.stdout.readline() == b"first\n"
        gateway.tape.fails = True
        process.stdin.write(b"second\n")
        assert b"second" not in await process.stdout.read()
    await gateway.session.wait()
    assert "no space left" in gateway.session.why


async def test_nothing_is_started_that_was_not_recorded(gateway: Bench, tmp_path: Path) -> None:
    async with gateway.connect() as client:
        await until(lambda: gateway.door.sessions and gateway.session.hold)
        gateway.tape.fails = True
        with pytest.raises((asyncssh.Error, OSError)):
            await client.run(f"touch {tmp_path}/done", check=True)
    assert not (tmp_path / "done").exists()


async def test_the_host_that_goes_away_ends_the_session(small: Bench) -> None:
    async with small.connect() as client:
        await client.run("true")
        assert small.session.hold is not None
        small.session.hold.relay._host.abort()
        await client.wait_closed()
    await small.session.wait()
    assert small.session.why == "the host closed the connection"
