from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.collector import CollectorDown, CollectorRefused, Message
from collectors.spec import make_collector, parse_spec
from collectors.syslog import DatagramSyslog, Framing, StreamSyslog, counted
from tests.collectors.ends import FarSyslog, certificate_for, free_port, messages, until

AT = datetime(2026, 11, 23, 14, 0, 0, 5, tzinfo=UTC)
ONE = Message(7, 'PA-1"]\\', "grant.ended", "ab" * 32, AT, 5, b'{"a":"\n"}')
RFC_5424 = re.compile(
    r'<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) - (\S{1,32}) (\[\S+(?: \S+="(?:[^"\\\]]|\\.)*")*\]) (.*)', re.DOTALL
)


def test_a_line_is_rfc_5424() -> None:
    line = Framing("host name\u00e9").line(ONE).decode()
    found = RFC_5424.fullmatch(line)
    assert found is not None
    priority, at, host, app, tag, data, body = found.groups()
    assert (int(priority), at, host, app, tag) == (
        13 * 8 + 5, "2026-11-23T14:00:00.000005Z", "host-name-", "prodaccess", "grant.ended",
    )  # fmt: skip
    assert data == f'[prodaccess@32473 seq="7" ref="PA-1\\"\\]\\\\" leaf="{"ab" * 32}"]'
    assert json.loads(body, strict=False) == {"a": "\n"}


def test_octets_are_counted_in_bytes() -> None:
    assert counted("é\n".encode()) == "3 é\n".encode()


async def test_messages_arrive_whole_and_in_order(far: tuple[FarSyslog, StreamSyslog]) -> None:
    server, collector = far
    sent = messages(300)
    await collector.send(sent[:200])
    await collector.send(sent[200:])
    assert server.seqs == list(range(300))
    assert json.loads(server.lines[7].partition("] ")[2]) == json.loads(sent[7].body)


async def test_a_dead_collector_is_down(far: tuple[FarSyslog, StreamSyslog]) -> None:
    server, collector = far
    server.kill()
    with pytest.raises(CollectorDown, match="cannot be reached"):
        await collector.send(messages(2))


async def test_a_silent_collector_is_down_within_its_deadline(far: tuple[FarSyslog, StreamSyslog]) -> None:
    server, collector = far
    server.stop()
    with pytest.raises(CollectorDown, match="did not answer within"):
        await replace(collector, timeout=0.3).send(messages(2))


async def test_what_was_sent_to_a_collector_that_dies_before_reading_has_not_arrived(
    far: tuple[FarSyslog, StreamSyslog],
) -> None:
    server, collector = far
    server.stop()  # the kernel accepts the connection and the bytes all the same
    sending = asyncio.ensure_future(collector.send(messages(2)))
    await asyncio.sleep(0.1)
    server.kill()
    with pytest.raises(CollectorDown, match="broke off"):
        await sending
    assert server.seqs == []


async def test_a_megabyte_at_once_arrives(far: tuple[FarSyslog, StreamSyslog]) -> None:
    server, collector = far
    big = replace(messages(1)[0], body=json.dumps("x" * 60_000).encode())
    await collector.send([replace(big, seq=i) for i in range(20)])
    assert server.seqs == list(range(20))


# Bad peers


@asynccontextmanager
async def peer(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    async with await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls) as server:  # type: ignore[arg-type]
        yield server.sockets[0].getsockname()[1]


async def test_a_peer_that_never_closes_is_only_trusted_where_that_was_said(tmp_path: Path) -> None:
    got, over = bytearray(), asyncio.Event()

    async def keep_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.read())
        await over.wait()
        writer.close()

    async with peer(keep_open) as port:
        collector = StreamSyslog("x", "127.0.0.1", port, Framing("h"), timeout=0.5)
        with pytest.raises(CollectorDown, match="did not answer"):
            await collector.send([ONE])
        await replace(collector, confirm=False, timeout=5).send([ONE])
        assert bytes(got) == counted(Framing("h").line(ONE)) * 2
        over.set()
        await asyncio.sleep(0.05)


async def test_over_tls_a_cut_connection_is_no_confirmation(tmp_path: Path) -> None:
    certificate, key = certificate_for(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def cut() -> None:
            plain, _ = listening.accept()
            tls = server.wrap_socket(plain, server_side=True)
            while received := tls.recv(65_536):
                got.append(received)
            raw = tls.detach()  # everything was read; the TCP connection ends in order, TLS does not
            socket.close(raw)

        context = ssl.create_default_context(cafile=str(certificate))
        collector = StreamSyslog("x", "127.0.0.1", port, Framing("h"), context, timeout=5)
        cutting = asyncio.get_running_loop().run_in_executor(None, cut)
        with pytest.raises(CollectorDown, match="the connection was cut"):
            await collector.send([ONE])
        await cutting
        cutting = asyncio.get_running_loop().run_in_executor(None, cut)
        await replace(collector, confirm=False).send([ONE])
        await cutting
    assert b"".join(got) == counted(Framing("h").line(ONE)) * 2


@pytest.mark.parametrize("fault", ["stranger", "other host"])
async def test_a_certificate_that_is_not_trusted_gets_nothing(tmp_path: Path, fault: str) -> None:
    shown = certificate_for(tmp_path, "127.0.0.2" if fault == "other host" else "127.0.0.1")
    (tmp_path / "trusted").mkdir()
    trusted = shown if fault == "other host" else certificate_for(tmp_path / "trusted")
    server = FarSyslog(tmp_path, shown)
    await server.start()
    try:
        collector = make_collector(parse_spec(f"syslog+tls://127.0.0.1:{server.port}#ca={trusted[0]}"))
        with pytest.raises(CollectorRefused, match="not trusted"):
            await collector.send([ONE])
        assert server.lines == []
    finally:
        server.kill()


# UDP


@pytest.fixture
def listening() -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(5)
    return udp


async def test_datagrams_arrive_one_a_message(listening: socket.socket) -> None:
    with listening:
        made = make_collector(parse_spec(f"syslog+udp://127.0.0.1:{listening.getsockname()[1]}"))
        await made.send([ONE, replace(ONE, seq=8)])
        received = [listening.recv(65_536) for _ in range(2)]
        await made.close()
    assert received == [Framing(socket.gethostname()).line(m) for m in (ONE, replace(ONE, seq=8))]


async def test_what_no_datagram_can_hold_is_named_in_its_place(listening: socket.socket) -> None:
    with listening:
        made = DatagramSyslog("x", "127.0.0.1", listening.getsockname()[1], Framing("h"))
        await made.send([replace(ONE, body=b"x" * 70_000)])
        received = listening.recv(65_536)
        await made.close()
    stub = json.loads(received.partition(b"] ")[2])
    assert (stub["seq"], stub["leaf"]) == (7, ONE.leaf)
    assert stub["too_long"] > 70_000


async def test_a_refused_datagram_shows_at_a_later_one() -> None:
    made = DatagramSyslog("x", "127.0.0.1", free_port(), Framing("h"))

    async def keep_sending() -> None:
        while True:
            await made.send([ONE])
            await asyncio.sleep(0.01)

    with pytest.raises(CollectorDown, match="cannot be reached"):
        async with asyncio.timeout(5):
            await keep_sending()


async def test_the_far_side_here_is_a_real_one(tmp_path: Path) -> None:
    """The program under the tests above loses what it has not read when it is killed, as real ones do."""
    server = FarSyslog(tmp_path)
    await server.start()
    server.kill()
    await server.start()
    server.stop()
    with socket.create_connection(("127.0.0.1", server.port)) as lost:
        lost.sendall(counted(Framing("h").line(ONE)))
    server.kill()
    await server.start()
    await StreamSyslog("x", "127.0.0.1", server.port, Framing("h")).send([replace(ONE, seq=9, ref="")])
    await until(lambda: server.seqs == [9])
    server.kill()
