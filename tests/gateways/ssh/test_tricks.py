"""Somebody who is let in, and wants more than that, or wants it unseen, or longer; in front of either kind of host."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh import SSHClientSession
from asyncssh.constants import MSG_CHANNEL_OPEN, MSG_GLOBAL_REQUEST
from asyncssh.packet import Boolean, String, UInt32

from gateways.ssh.acts import Ended, Refused, Started
from gateways.ssh.channels import Far
from gateways.ssh.connections import ASKED, SMALLEST
from gateways.ssh.line import Asked
from tests.gateways.ssh.bench import Bench, until


async def channel(client: Any, longest: int = 32768) -> Far:
    """One whose requests the test writes itself."""
    made = Far(client, lambda *_: False)
    made._recv_pktsize = longest
    await made.begin(SSHClientSession())
    return made


async def answered(made: Far, name: str, payload: bytes) -> bool:
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    made.ask(name, payload, lambda ok: None if answer.done() else answer.set_result(ok))
    async with asyncio.timeout(30):
        return await answer


async def test_a_shell_is_no_sftp_whatever_is_written_behind_it(small: Bench) -> None:
    """SFTP need not wait for anybody where a shell has to."""
    heard: list[Asked] = []

    async def ask(asked: Asked) -> str:
        heard.append(asked)
        return "no"

    small.door.ask = ask
    async with small.connect() as client:
        await answered(await channel(client), "shell", String("sftp"))
    assert [(asked.what, asked.text) for asked in heard] == [("shell", "")]


@pytest.mark.parametrize("gateway", ["sshd"], indirect=True)
async def test_nothing_is_started_behind_a_cut(gateway: Bench, tmp_path: Path) -> None:
    """While what runs is being killed, the client asks for more: on a channel that it had open, and on a new one."""
    async with gateway.connect() as client:
        running, idle = await client.create_process("sleep 1000"), await channel(client)
        assert gateway.session.hold is not None
        cutting = asyncio.ensure_future(gateway.session.hold.cut("over"))
        await asyncio.sleep(0)
        assert not await answered(idle, "exec", String(f"touch {tmp_path}/late"))
        with pytest.raises(asyncssh.ChannelOpenError, match="ended"):
            await channel(client)
        await cutting
        running.close()
    assert not (tmp_path / "late").exists()
    assert [act.text for act in (await gateway.recorded()).of(Started)] == ["sleep 1000"]


@pytest.mark.parametrize("gateway", ["in process", "sshd"], indirect=True)
@pytest.mark.parametrize(("name", "text"), [("subsystem", b"sftp\0"), ("exec", b"true\0"), ("exec", b"true\0; id")])
async def test_a_byte_of_zero_makes_nothing_another_thing(gateway: Bench, name: str, text: bytes) -> None:
    async with gateway.connect() as client:
        assert not await answered(await channel(client), name, String(text))
    tape = await gateway.recorded()
    assert tape.of(Started) == []
    assert len(tape.of(Refused)) == 1


async def test_packets_of_a_byte_each_are_not_made(small: Bench) -> None:
    """They would cost the others a second for each 32 KiB of this one's output."""
    async with small.connect() as client:
        with pytest.raises((asyncssh.Error, OSError)):
            await channel(client, SMALLEST - 1)
    async with small.connect() as client:
        assert await answered(await channel(client, SMALLEST), "exec", String("true"))


@pytest.mark.parametrize("asks", ["channels", "questions"])
async def test_who_asks_without_end_while_his_host_hangs_is_cut_off(small: Bench, asks: str) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    small.upstream(port=silent.getsockname()[1])
    kinds = {"channels": MSG_CHANNEL_OPEN, "questions": MSG_GLOBAL_REQUEST}
    says = {
        "channels": String("session") + UInt32(1) + UInt32(1 << 20) + UInt32(32768),
        "questions": String("tcpip-forward") + Boolean(True) + String("x") + UInt32(1),
    }
    with silent:
        async with small.connect() as client:
            for _ in range(20 * ASKED // 100):
                for _ in range(100):
                    client.send_packet(kinds[asks], says[asks])
                await asyncio.sleep(0)
                if client.is_closed():
                    break
            async with asyncio.timeout(30):
                await client.wait_closed()
        host, _ = silent.accept()
        with host:  # which the gateway has not given up yet
            assert host.recv(65536, socket.MSG_DONTWAIT).startswith(b"SSH-2.0-")
            with pytest.raises(BlockingIOError):
                host.recv(1, socket.MSG_DONTWAIT)


async def test_a_host_that_takes_nothing_more_is_given_up(real: Bench) -> None:
    """Requests have no window, and its own people can stop it."""
    async with real.connect() as client:
        stopped = int((await client.run("echo $PPID")).stdout or 0)
        program = await client.create_process("sleep 1000")
        assert real.session.hold is not None
        host = real.session.hold.relay._host
        host.most = 1 << 20
        host.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        os.kill(stopped, signal.SIGSTOP)
        try:
            async with asyncio.timeout(30):
                while not real.session.why:
                    for _ in range(8):
                        program.channel._send_request(b"signal", String("x" * 30_000))
                    await asyncio.sleep(0)
        finally:
            os.kill(stopped, signal.SIGKILL)
    assert real.session.why == "the host closed the connection"


@pytest.mark.parametrize("gateway", ["in process", "sshd"], indirect=True)
async def test_who_has_nothing_more_to_say_can_wait_for_an_answer_too(gateway: Bench) -> None:
    """As with `ssh -n`, and Ansible."""
    allowed = asyncio.Event()

    async def ask(_: Asked) -> str:
        await allowed.wait()
        return ""

    gateway.door.ask = ask
    async with gateway.connect() as client:
        made = await channel(client)
        running = asyncio.ensure_future(answered(made, "exec", String("cat; echo ran")))
        made.write_eof()
        await asyncio.sleep(0.2)
        allowed.set()
        assert await running
        await made.wait_closed()
    (ended,) = (await gateway.recorded()).of(Ended)
    assert (ended.received, ended.status) == (4, 0)


async def test_what_begins_while_the_log_is_behind_waits_with_the_rest(small: Bench) -> None:
    """Its channel was open before."""
    async with small.connect() as client:
        made = await channel(client)
        assert small.session.hold is not None
        small.session.hold.slow(down=True)
        assert await answered(made, "exec", String("exec cat /dev/zero"))
        program = small.session.hold.relay._programs[1]
        await asyncio.sleep(0.3)  # time enough for what must not come
        assert program.watch._received.size == 0
        small.session.hold.slow(down=False)
        await until(lambda: program.watch._received.size)
