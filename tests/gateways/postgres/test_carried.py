"""What passes without Python records and tells exactly what the long way does, whatever is said, and stops like it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.recording.frames import COMPILED
from audit.recording.reader import Recording
from audit.recording.writer import RecorderFailed
from gateways.live import LEFT
from gateways.postgres import messages as m
from gateways.postgres import plain
from gateways.postgres.loop import CARRIES
from prodaccess.gateways.tls import server_tls
from prodaccess.settings import Settings
from tests.gateways.postgres.carried import WAIT, Carried, Tls
from tests.gateways.postgres.test_conversation import BOUND, PARSED, complete, execute, query, ready
from tests.gateways.postgres.test_plain import (
    CALL,
    KEY,
    PLAIN,
    PREPARED,
    SAID,
    SELECT,
    STEP,
    Played,
    sessions,
)  # fmt: skip

pytestmark = pytest.mark.skipif(not (CARRIES and COMPILED), reason="not compiled here: everything goes through Python")

ENDS: list[tuple[str, ...]] = [(), ("client",), ("server",), ("client", "server")]  # that have TLS
WARM = [(SELECT, PLAIN)] * 2  # after which a session is carried


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    place = str(tmp_path_factory.mktemp("tls"))
    values = {"PRODACCESS_RECORDINGS": place, "PRODACCESS_GATEWAY_CERT": "", "PRODACCESS_GATEWAY_KEY": ""}
    server, pem = server_tls(Settings(values, {}), "127.0.0.1")
    assert server is not None
    return Tls(server, ssl.create_default_context(cadata=pem))


async def as_by_the_long_way(
    steps: Sequence[tuple[bytes, bytes]], *, raw: bool, tls: Tls | None = None, secured: Sequence[str] = ()
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        long = Played(Path(directory), short=False, raw=raw).say(*steps).end()
        async with Carried(Path(directory) / "carried", raw, tls, secured).open() as one:
            await one.say(*steps)
            told = await one.told()
    if long[2]:  # over: what the client hears last is not counted here
        assert (told[0], told[1], told[2]) == long[:3]
    else:
        assert told == long


@pytest.mark.parametrize("secured", ENDS)
@pytest.mark.parametrize("steps", SAID)
async def test_it_tells_the_same(steps: list[tuple[bytes, bytes]], tls: Tls, secured: Sequence[str]) -> None:
    for raw in (False, True):
        await as_by_the_long_way([*WARM, *steps, *WARM, *steps], raw=raw, tls=tls, secured=secured)


@settings(max_examples=60)
@given(sessions, st.booleans(), st.sampled_from(ENDS))
async def test_it_tells_the_same_of_whatever_is_said(
    tls: Tls, steps: list[tuple[bytes, bytes]], raw: bool, secured: Sequence[str]
) -> None:
    await as_by_the_long_way([*WARM, *steps], raw=raw, tls=tls, secured=secured)


async def test_it_is_carried_by_what_is_plain_and_comes_back_for_what_is_not(tmp_path: Path) -> None:
    async with Carried(tmp_path / "r").open() as one:
        await one.say(*WARM)
        assert one.is_carried
        assert one.carrier.lanes.count == 1
        await one.say((SELECT, PLAIN), (SELECT, PLAIN))
        assert one.is_carried
        await one.say((STEP, PARSED + ready()))
        assert not one.is_carried
        assert one.carrier.lanes.count == 0
        await one.say((CALL, PREPARED), (CALL, PREPARED), (CALL, PREPARED))
        assert one.is_carried
        assert [run.asked.text for run in one.tape.harvest()] == [*["select 1"] * 4, *["select $1"] * 3]


@pytest.mark.parametrize("secured", ENDS)
async def test_a_statement_is_on_the_disk_before_the_server_has_it(
    tmp_path: Path, tls: Tls, secured: Sequence[str]
) -> None:
    async with Carried(tmp_path / "r", tls=tls, secured=secured).open() as one:
        await one.say(*WARM)
        for n in range(20):
            text = f"select {n}"
            await one.client.say(query(text))
            assert await one.hear("server", len(query(text)))
            assert one.asked()[-1] == text
            await one.say((b"", PLAIN))
            assert one.is_carried


async def test_an_answer_is_recorded_although_nothing_follows(tmp_path: Path) -> None:
    async with Carried(tmp_path / "r").open() as one:
        await one.say(*WARM, (SELECT, PLAIN))
        assert one.is_carried
        async with asyncio.timeout(WAIT):
            while [r.kind for _, r in Recording(one.path, KEY).read()].count("answered") < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_cannot_be_recorded_does_not_pass_and_ends_the_session(tmp_path: Path) -> None:
    async with Carried(tmp_path / "r").open() as one:
        await one.say(*WARM)
        await one.say((SELECT, PLAIN))
        one.tape.harvest()
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, one.tape.recorder._frames.file)
        os.close(full)
        await one.client.say(query("delete"))
        assert await one.hear("server", 1) == b""
        assert b"58030" in await one.hear("client", 10_000)
        assert one.why == ["The recording cannot be written: No space left on device."]


@pytest.mark.parametrize("is_running", [False, True])
async def test_it_is_cut_with_a_last_word(tmp_path: Path, *, is_running: bool) -> None:
    async with Carried(tmp_path / "r").open() as one:
        await one.say(*WARM)
        if is_running:
            await one.say((SELECT, b""))
        assert one.is_carried
        assert one.relay.busy is is_running
        one.relay.end("over", m.error("57P01", "over"))
        assert b"57P01" in await one.hear("client", 10_000)
        assert await one.hear("server", 1) == b""
        assert one.why == ["over"]
        assert [run.outcome for run in one.tape.harvest()] == ["ok", "ok", *["unknown"] * is_running]


@pytest.mark.parametrize("secured", ENDS)
async def test_a_word_to_the_client_stands_between_two_answers(
    tmp_path: Path, tls: Tls, secured: Sequence[str]
) -> None:
    async with Carried(tmp_path / "r", tls=tls, secured=secured).open() as one:
        await one.say(*WARM, (SELECT, b""))
        one.relay.tell("five minutes are left")
        notice = m.notice("five minutes are left")
        assert await one.hear("client", len(notice)) == notice
        await one.say((b"", PLAIN), *WARM)
        assert one.is_carried


@pytest.mark.parametrize("secured", ENDS)
async def test_a_client_that_is_to_wait_is_not_read_from(tmp_path: Path, tls: Tls, secured: Sequence[str]) -> None:
    async with Carried(tmp_path / "r", tls=tls, secured=secured).open() as one:
        await one.say(*WARM)
        one.relay.slow(down=True)
        await one.client.say(SELECT)
        await asyncio.sleep(0.1)
        with pytest.raises(BlockingIOError):
            one.server.socket.recv(1)
        one.relay.slow(down=False)
        assert await one.hear("server", len(SELECT)) == SELECT


@pytest.mark.parametrize("is_running", [False, True])
@pytest.mark.parametrize("end", ["client", "server"])
async def test_whoever_leaves_ends_it(tmp_path: Path, end: str, *, is_running: bool) -> None:
    async with Carried(tmp_path / "r").open() as one:
        await one.say(*WARM)
        if is_running:
            await one.say((SELECT, b""))
        assert one.is_carried
        (one.client if end == "client" else one.server).socket.close()
        async with asyncio.timeout(WAIT):
            while not one.why:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert one.why == [LEFT if end == "client" else "the database closed the connection"]
        assert one.carrier.lanes.count == 0


@pytest.mark.parametrize("secured", ENDS)
async def test_the_last_statement_of_a_client_that_leaves_at_once_still_runs(
    tmp_path: Path, tls: Tls, secured: Sequence[str]
) -> None:
    async with Carried(tmp_path / "r", tls=tls, secured=secured).open() as one:
        await one.say(*WARM)
        last = query("delete") + m.message(m.TERMINATE)
        await one.client.say(last)
        one.client.socket.shutdown(socket.SHUT_WR)
        assert await one.hear("server", len(last)) == last
        assert one.asked()[-1] == "delete"


@pytest.mark.parametrize("secured", ENDS)
async def test_what_an_end_does_not_take_at_once_is_not_lost(tmp_path: Path, tls: Tls, secured: Sequence[str]) -> None:
    """Neither a statement that the server does not read nor an answer that the client does not."""
    async with Carried(tmp_path / "r", tls=tls, secured=secured).open() as one:
        for near in (one.relay._client, one.relay._server):
            near.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        await one.say(*WARM)
        text = query(f"select '{'x' * 1500}'")
        for _ in range(8):  # the server answers what it has not read
            await one.client.say(text)
            await asyncio.sleep(0.01)
            await one.server.say(PLAIN)
            assert await one.hear("client", len(PLAIN)) == PLAIN
        assert await one.hear("server", 8 * len(text)) == 8 * text
        rows = m.message(m.COLUMNS) + m.message(m.ROW, b"y" * 6000) + complete("SELECT 1") + ready()
        for _ in range(8):  # and the client does not read what it is answered
            await one.client.say(SELECT)
            assert await one.hear("server", len(SELECT)) == SELECT
            await one.server.say(rows)
            await asyncio.sleep(0.01)
        assert await one.hear("client", 8 * len(rows)) == 8 * rows
        assert [run.outcome for run in one.tape.harvest()] == ["ok"] * 18


async def test_it_asks_for_room_on_the_disk_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_GRANT", 24_000)
    taken: list[int] = []
    async with Carried(tmp_path / "r").open() as one:
        lend = one.tape.recorder.lend

        def counted(size: int) -> object | None:
            taken.append(size)
            return lend(size)

        monkeypatch.setattr(one.tape.recorder, "lend", counted)
        await one.say(*[(SELECT, PLAIN)] * 60)
        assert len(taken) > 2
        assert len(one.tape.harvest()) == len(one.asked()) == 60


@pytest.mark.parametrize("secured", ENDS)
async def test_many_sessions_do_not_mix(tmp_path: Path, tls: Tls, secured: Sequence[str]) -> None:
    async def play(n: int) -> None:
        async with Carried(tmp_path / str(n), tls=tls, secured=secured).open() as one:
            for step in range(30):
                text = f"select {n} {step}" if (step + n) % 11 else f"select 'é {n} {step}'"
                await one.say((query(text), PLAIN))
            assert one.asked() == [run.asked.text for run in one.tape.harvest()]
            assert {text.strip("'").split()[-2] for text in one.asked()} == {str(n)}

    await asyncio.gather(*(play(n) for n in range(20)))


async def test_other_work_goes_on_meanwhile(tmp_path: Path) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += await asyncio.to_thread(lambda: 1)

    async with Carried(tmp_path / "r").open() as one:
        work = asyncio.create_task(tick())
        await one.say(*[(SELECT, PLAIN)] * 200)
        work.cancel()
        assert one.is_carried
        assert ticks


async def test_a_portal_that_was_bound_on_the_way_is_known_afterwards(tmp_path: Path) -> None:
    answer = BOUND + complete("SELECT 0") + ready("T")
    steps = [*WARM, (query("begin"), complete("BEGIN") + ready("T")), (STEP, PARSED + ready("T")),
             *[(m.message(m.BIND, b"\0s\0" + bytes(6)) + execute() + m.message(m.SYNC), answer)] * 5,
             (execute() + m.message(m.SYNC), complete("SELECT 0") + ready("T"))]  # fmt: skip
    await as_by_the_long_way(steps, raw=True)
    async with Carried(tmp_path / "r").open() as one:
        await one.say(*steps)
        assert one.asked()[-1] == "select $1"


@pytest.mark.parametrize("secured", ENDS[1:])
async def test_what_comes_in_several_records_is_one_thing_and_what_is_behind_it_is_not_forgotten(
    tmp_path: Path, tls: Tls, secured: Sequence[str]
) -> None:
    async with Carried(tmp_path / "r", tls=tls, secured=secured).open() as one:
        await one.say(*WARM, (STEP, PARSED + ready()), (CALL, PREPARED), (CALL, PREPARED))
        assert one.is_carried
        for cut in (1, 5, 9, len(CALL) - 5):
            await one.client.say(CALL[:cut], CALL[cut:])
            assert await one.hear("server", len(CALL)) == CALL
            await one.server.say(PREPARED[:cut], PREPARED[cut:])
            assert await one.hear("client", len(PREPARED)) == PREPARED
            assert one.is_carried
        long = query(f"select '{'x' * 5000}'")
        await one.client.say(CALL, long, SELECT)  # nobody waits for the answers
        assert await one.hear("server", len(CALL + long + SELECT)) == CALL + long + SELECT
        await one.server.say(PREPARED, PLAIN, PLAIN)
        assert await one.hear("client", len(PREPARED + PLAIN + PLAIN)) == PREPARED + PLAIN + PLAIN
        assert [run.asked.text[:9] for run in one.tape.harvest()] == [
            *["select 1"] * 2, *["select $1"] * 7, "select 'x", "select 1",
        ]  # fmt: skip


async def test_a_failed_write_stops_a_session_also_when_the_disk_recovers(tmp_path: Path) -> None:
    async with Carried(tmp_path / "r").open() as one:
        await one.say(*WARM, (SELECT, PLAIN))
        assert one.is_carried
        kept, full = os.dup(one.tape.recorder._frames.file), os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, one.tape.recorder._frames.file)
        with pytest.raises(RecorderFailed):
            one.tape.harvest()
        os.dup2(kept, one.tape.recorder._frames.file)
        os.close(full)
        os.close(kept)
        await one.client.say(query("delete"))
        assert await one.hear("server", 1) == b""
        assert one.why == ["The recording cannot be written: No space left on device."]


async def test_where_nobody_knows_what_has_passed_nothing_passes_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    async with Carried(tmp_path / "r").open() as one:
        await one.say(*WARM, (SELECT, PLAIN))
        assert one.is_carried
        said: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: said.append(what["exception"]))
        monkeypatch.setattr(one.tape, "carried_back", fails)
        await one.client.say(STEP)
        assert await one.hear("server", 1) == b""
        assert await one.hear("client", 1) == b""
        assert [type(each) for each in said] == [MemoryError]
        assert one.why


async def test_who_says_goodbye_with_the_last_answer_is_not_carried(tmp_path: Path, tls: Tls) -> None:
    """asyncio closes what has ended; its number may be somebody else's the moment after."""
    async with Carried(tmp_path / "r", tls=tls, secured=("server",)).open() as one:
        await one.say(SAID[0][0], (SELECT, b""))
        assert not one.is_carried
        await one.server.say_last(PLAIN)
        assert await one.hear("client", len(PLAIN)) == PLAIN
        async with asyncio.timeout(WAIT):
            while not one.why:
                assert not one.carrier.lanes.count
                await asyncio.sleep(0.001)


async def test_where_nothing_can_be_carried_everything_passes_all_the_same(
    tmp_path: Path, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no more watches")

    async with Carried(tmp_path / "r", tls=tls, secured=("client", "server")).open() as one:
        monkeypatch.setattr(one.carrier, "ride", refused)
        await one.say(*[(SELECT, PLAIN)] * 6)
        assert not one.is_carried
        assert len(one.tape.harvest()) == 6
