"""An SSH session from its pass to its last entry: the real desk, the real store, a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import asyncssh
import pytest

from access.events import (
    CommandRun,
    CredentialIssued,
    FileTouched,
    GrantEnded,
    SessionClosed,
    SessionOpened,
    SessionRecorded,
)
from access.sessions.model import SSH
from gateways.adopting import CUT_OFF, Adopting, Way
from gateways.ssh.tape import event_of, read_back
from tests.gateways.scene import gateway
from tests.gateways.ssh.hosts import Keys, in_process
from tests.gateways.ssh.house import SshScene, policy
from tests.gateways.test_left_behind import Away
from tests.people import ADA
from tests.world import World


@pytest.fixture
async def scene(tmp_path: Path, keys: Keys) -> AsyncIterator[SshScene]:
    async with in_process(keys) as upstream:
        world = World(tmp_path, policy(upstream))
        async with gateway(SshScene(world, None, tmp_path / "recordings", keys=keys)) as made:  # type: ignore[arg-type]
            yield made
        world.close()


async def test_a_pass_lets_a_key_in_and_all_that_is_done_is_in_the_log(scene: SshScene, tmp_path: Path) -> None:
    ticket = await scene.let_in()
    (tmp_path / "here").write_bytes(b"content")
    async with scene.connect(ticket) as client:
        assert (await client.run("cat; exit 3", input="given")).stdout == "given"
        async with client.start_sftp_client() as files:
            await files.put(str(tmp_path / "here"), str(tmp_path / "there"))
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.open_connection("127.0.0.1", 9)
    (closed,) = await scene.told(SessionClosed)
    (opened,) = await scene.events(SessionOpened)
    assert (opened.session, opened.name, opened.gateway) == ("PA-1-1", ticket.name, SSH)
    assert len(await scene.events(CredentialIssued)) == 1
    ran, refused, sftp = sorted(await scene.events(CommandRun), key=lambda event: event.kind)
    assert (ran.kind, ran.text, ran.program, ran.exit_code, ran.outcome) == (
        "command",
        "cat; exit 3",
        "cat;",
        3,
        "exit 3",
    )
    assert (ran.fed, ran.bytes_in, ran.bytes_out, ran.coverage) == ("given", 5, 5, "opaque")
    assert (refused.text, refused.outcome, refused.touches) == ("forwarding to 127.0.0.1:9", "refused", ())
    assert (sftp.kind, sftp.text, sftp.coverage) == ("subsystem", "sftp", "full")
    written = next(event for event in await scene.events(FileTouched) if event.kind == "write")
    assert written.touches == (f"write path:{tmp_path}/there",)
    assert (written.size, written.sha256, written.outcome) == (7, sha256(b"content").hexdigest(), "ok")
    assert closed.actions == len(await scene.events(CommandRun)) + len(await scene.events(FileTouched))


async def test_the_recording_is_bound_to_the_log_and_says_the_same(scene: SshScene) -> None:
    async with scene.connect(await scene.let_in()) as client:
        await client.run("echo one")
        await scene.told(SessionRecorded)
        await client.run("echo two")
    (closed,) = await scene.told(SessionClosed)
    (session,) = await scene.world.store.sessions.sessions_of(1)
    recording = scene.shelf.read(session)
    hashes = [found.hex() for found in recording.hashes()]
    assert closed.recording == hashes[-1]
    assert all(event.recording in hashes for event in await scene.events(SessionRecorded))
    again = list(read_back(record for _, record in recording.read()))
    assert [run.text for run in again] == [event.text for event in await scene.events(CommandRun)]  # type: ignore[union-attr]
    assert b"echo one" not in scene.shelf.file(session).read_bytes()


async def test_a_name_is_nothing_without_its_key_and_a_key_nothing_without_its_grant(scene: SshScene) -> None:
    mine = await scene.let_in()
    other = asyncssh.generate_private_key("ssh-ed25519")
    for name, key in ((mine.name, other), ("PA-1", other), ("PA-2", mine.key), ("linus", mine.key), ("", mine.key)):
        with pytest.raises(asyncssh.PermissionDenied):
            async with scene.connect(mine, username=name, client_keys=[key]):
                pass
    async with scene.connect(mine, username="PA-1") as client:
        await client.run("true")
    (opened,) = await scene.events(SessionOpened)
    assert opened.name == mine.name


async def test_a_grant_that_ends_cuts_its_sessions_before_its_credential_is_revoked(scene: SshScene) -> None:
    ticket = await scene.let_in()
    async with scene.connect(ticket) as client, client.create_process("echo on; exec sleep 1000") as process:
        await process.stdout.readline()
        ended = asyncio.create_task(scene.world.broker.end(1, ADA))
        assert "prodaccess: PA-1 has ended." in await process.stderr.read()
        await ended
    tags = await scene.world.tags("PA-1")
    assert tags.index("grant.ending") < tags.index("session.closed") < tags.index("grant.ended")
    assert (await scene.told(GrantEnded))[0].credentials == 1
    with pytest.raises(asyncssh.Error):
        async with scene.connect(ticket) as client:
            await client.run("true")


async def test_the_deadline_is_held_by_the_clock_alone_and_told_before(scene: SshScene) -> None:
    async with (
        scene.connect(await scene.let_in()) as client,
        client.create_process("echo on; exec sleep 1000") as process,
    ):
        await process.stdout.readline()
        scene.world.clock.pass_by(minutes=57)
        assert await process.stderr.readline() == (
            "prodaccess: PA-1 ends at 15:00 UTC, in 3 minutes. More time: prodaccess extend PA-1 30m\n"
        )
        scene.world.clock.pass_by(minutes=3)  # nobody sweeps here
        assert "PA-1 has reached its end." in await process.stderr.read()
    assert (await scene.told(SessionClosed))[0].why == "PA-1 has reached its end."


async def test_a_cut_ends_one_session_and_its_pass(scene: SshScene) -> None:
    grant, device = await scene.granted()
    one, other = await scene.ticket(grant, device), await scene.ticket(grant, device)
    async with scene.connect(one) as cut, scene.connect(other) as kept:
        await asyncio.gather(cut.run("true"), kept.run("true"))
        session = next(s for s in await scene.world.store.sessions.sessions_of(1) if s.pass_name == one.name)
        await scene.cutting.cut(session, ADA)
        await cut.wait_closed()
        with pytest.raises(asyncssh.PermissionDenied):
            async with scene.connect(one):
                pass
        assert (await kept.run("echo still")).stdout == "still\n"
    why = {event.session: event.why for event in await scene.told(SessionClosed)}
    assert why[session.id] == "ada has ended this session."


async def test_a_session_that_was_ended_while_its_host_was_reached_passes_nothing(
    scene: SshScene, tmp_path: Path
) -> None:
    ticket = await scene.let_in()
    original = scene.desk.begun

    def begun(live: object, hold: object) -> None:
        scene.desk._cut(next(iter(scene.desk.lives.values())), "PA-1 has ended.")
        original(live, hold)  # type: ignore[arg-type]

    scene.desk.begun = begun  # type: ignore[method-assign,assignment]
    with pytest.raises(asyncssh.Error):
        async with scene.connect(ticket) as client:
            await client.run(f"touch {tmp_path}/reached", check=True)
    assert not (tmp_path / "reached").exists()
    (closed,) = await scene.told(SessionClosed)
    assert (closed.why, closed.actions) == ("PA-1 has ended.", 0)


async def test_a_gateway_that_died_leaves_nothing_unsaid(scene: SshScene, tmp_path: Path) -> None:
    away = Away(scene)
    async with scene.connect(await scene.let_in()) as client:
        await client.run("echo told")
        await scene.told(CommandRun)
        away.is_away = True
        await client.run("echo untold")
        process = await client.create_process("echo runs; exec sleep 1000")
        await process.stdout.readline()
        files = await client.start_sftp_client()
        half = await files.open(str(tmp_path / "half"), "wb")
        await half.write(b"half of it")
        (session,) = await scene.world.store.sessions.sessions_of(1)
        live = scene.desk.lives.pop(session.id)  # dead: its recording has no end, and nobody tells of it
        store = scene.world.store
        await Adopting(store, store.sessions, scene.world.clock, {SSH: Way(read_back, event_of)}).adopt(scene.shelf)
        await half.close()
        live.tape.recorder.abandon()
    told = {event.text: event for event in await scene.events(CommandRun)}
    assert [text for text, event in told.items() if event.late] == ["echo untold", "echo runs; exec sleep 1000", "sftp"]
    assert (told["echo untold"].outcome, told["echo runs; exec sleep 1000"].outcome) == ("ok", "unknown")
    (half,) = await scene.events(FileTouched)
    assert (half.kind, half.outcome, half.touches) == ("write", "unknown", (f"write path:{tmp_path}/half",))
    (closed,) = await scene.events(SessionClosed)
    assert (closed.why, closed.late, closed.actions) == (CUT_OFF, True, 5)


async def test_whoever_is_faster_than_the_log_waits(scene: SshScene) -> None:
    async with scene.connect(await scene.let_in()) as client:
        await client.run("true")
        live = next(iter(scene.desk.lives.values()))
        assert live.hold is not None
        live.hold.slow(down=True)
        waiting = [asyncio.ensure_future(client.run(f"echo {n}")) for n in range(4)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)
        assert live.tape.waiting + len(live.acts) <= 1
        live.hold.slow(down=False)
        assert [(await task).stdout for task in waiting] == [f"{n}\n" for n in range(4)]
