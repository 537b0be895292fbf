"""Peers that do not play by the rules: they are cut off, and cost no more than themselves."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from struct import pack

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_REQUEST, MSG_GLOBAL_REQUEST
from asyncssh.packet import Boolean, String, UInt32

from gateways.ssh.acts import Ended, Opaque, Started
from gateways.ssh.relay import MOST_PROGRAMS
from tests.gateways.ssh.bench import Bench, until


async def dial(gateway: Bench) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    assert (await reader.readline()).startswith(b"SSH-2.0-")
    return reader, writer


async def is_cut_off(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(30):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"SSH-1.5-old\r\n",
        b"x" * 20_000,
        b"SSH-2.0-x\r\n" + pack(">I", 0xFFFFFFFF) + b"\0" * 100,
        b"SSH-2.0-x\r\n" + pack(">I", 0) + b"\0" * 100,
        b"SSH-2.0-x\r\n" + pack(">IBB", 12, 4, 50) + b"\0" * 100,
        b"SSH-2.0-" + b"x" * 300 + b"\r\n",
    ],
)
async def test_another_protocol_is_cut_off(small: Bench, said: bytes) -> None:
    reader, writer = await dial(small)
    writer.write(said)
    assert await is_cut_off(reader)
    writer.close()
    async with small.connect() as client:  # and nobody else has felt it
        assert (await client.run("echo in")).stdout == "in\n"


async def test_random_bytes_at_any_moment_are_cut_off(small: Bench) -> None:
    for size in (1, 7, 40, 400, 4000):
        reader, writer = await dial(small)
        writer.write(b"SSH-2.0-x\r\n" + os.urandom(size))
        writer.write_eof()
        assert await is_cut_off(reader)
        writer.close()
    assert small.door.sessions == []


async def test_who_proves_nothing_is_not_waited_for(small: Bench) -> None:
    small.gateway.greeting = 0.3
    async with small.again() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"SSH-2.0-slow")
        assert await is_cut_off(reader)
        writer.close()


async def test_strangers_are_not_taken_without_end(small: Bench) -> None:
    small.gateway.strangers.most = 5
    several = [await dial(small) for _ in range(5)]
    reader, writer = await asyncio.open_connection("127.0.0.1", small.port)
    assert await is_cut_off(reader)
    for _, each in [*several, (reader, writer)]:
        each.close()
    await until(lambda: len(small.gateway.strangers) == 0)
    async with small.connect() as client:
        assert (await client.run("echo in")).stdout == "in\n"


async def test_one_address_does_not_keep_the_others_out(small: Bench) -> None:
    small.gateway.strangers.most = 4
    several = [await dial(small) for _ in range(4)]
    reader, writer = await asyncio.open_connection("127.0.0.1", small.port, local_addr=("127.0.0.2", 0))
    assert (await reader.readline()).startswith(b"SSH-2.0-")
    assert await is_cut_off(several[-1][0])
    async with small.connect(local_addr=("127.0.0.3", 0)) as client:
        assert (await client.run("echo in")).stdout == "in\n"
    for _, each in [*several, (reader, writer)]:
        each.close()
    await until(lambda: len(small.gateway.strangers) == 0)


async def test_a_client_that_does_not_read_is_held_back(small: Bench) -> None:
    """It opens the widest window there is, asks for everything and takes nothing; nothing of it is kept for him."""
    async with small.connect() as client:
        process = await client.create_process("exec cat /dev/zero", encoding=None, window=0xFFFFFFFF)
        client._transport.pause_reading()
        await until(lambda: small.session.hold is not None and small.tape.of(Started))
        assert small.session.hold is not None
        program = small.session.hold.relay._programs[1]
        await until(lambda: program.flow.full["client"])
        before = program.watch._received.size
        await asyncio.sleep(0.5)
        assert program.watch._received.size - before <= 2 << 20
        assert before <= 32 << 20  # what the kernel's buffers and ours hold together
        client._transport.resume_reading()
        process.close()


async def test_a_client_that_stops_in_a_key_exchange_is_held_back(small: Bench) -> None:
    """Until it is over, asyncssh keeps whatever it is given to send."""
    async with small.connect() as client:
        await client.create_process("exec cat /dev/zero", encoding=None, window=0xFFFFFFFF)
        await until(lambda: small.session.hold is not None and small.tape.of(Started))
        assert small.session.hold is not None
        relay = small.session.hold.relay
        program = relay._programs[1]
        client._process_kexinit = lambda *_: True  # it says that it begins, and nothing more
        client._packet_handlers = {}
        client._send_kexinit()
        await until(lambda: program.flow.full["client"] or relay._over)
        await asyncio.sleep(0.3)
        assert len(relay._client._deferred_packets) < 100


async def test_questions_whose_answers_nobody_reads_have_an_end(small: Bench) -> None:
    async with small.connect() as client:
        await client.run("true")
        assert small.session.hold is not None
        inner = small.session.hold.relay._client
        inner.most = 16 * 1024
        for end, size in ((inner, socket.SO_SNDBUF), (client, socket.SO_RCVBUF)):
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, size, 4096)
        client._transport.pause_reading()
        payload = String("keepalive@openssh.com" + "x" * 200) + Boolean(True)
        async with asyncio.timeout(30):
            while not small.session.why:
                for _ in range(200):
                    client.send_packet(MSG_GLOBAL_REQUEST, payload)
                await asyncio.sleep(0)
        client.abort()


async def test_requests_that_wait_for_an_answer_have_an_end(small: Bench) -> None:
    async with small.connect() as client:
        process = await client.create_process("cat")
        channel = process.channel
        for _ in range(2000):
            channel.send_packet(MSG_CHANNEL_REQUEST, String("break"), Boolean(True), UInt32(1))
        await client.wait_closed()
    assert (await small.session.wait()).why


async def test_programs_have_an_end(small: Bench) -> None:
    async with small.connect() as client:
        running = [await client.create_process("cat") for _ in range(MOST_PROGRAMS)]
        with pytest.raises(asyncssh.ChannelOpenError, match="programs run already"):
            await client.create_process("cat")
        for process in running:
            process.stdin.write_eof()
        await asyncio.gather(*(process.wait() for process in running))


async def test_a_giant_sftp_packet_ends_it_with_a_sentence(small: Bench) -> None:
    async with small.connect() as client:
        writer, reader, errors = await client.open_session(subsystem="sftp", encoding=None)
        writer.write(pack(">IB", 0x7FFFFFFF, 3) + b"x" * 1000)
        assert b"not the SFTP that the gateway can read" in await errors.read()
        assert await reader.read() == b""
    tape = await small.recorded()
    assert tape.of(Opaque)
    assert len(tape.of(Ended)) == 1


async def test_what_a_stranger_calls_himself_does_no_harm(small: Bench) -> None:
    for name in ("PA-7\u202e", "x" * 1000, "../../etc/passwd", "PA-7' OR 1=1 --"):
        with pytest.raises((asyncssh.Error, ConnectionError, ValueError)):
            async with small.connect(username=name):
                pass
    assert small.door.sessions == []


async def test_many_clients_that_vanish_leave_nothing(small: Bench) -> None:
    files = open_files()
    for _ in range(5):
        async with small.connect() as client:
            await client.create_process("cat")
            client.abort()
    for session in small.door.sessions:
        await session.wait()
    await until(lambda: open_files() <= files + 2)
    assert not small.gateway._relays


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
