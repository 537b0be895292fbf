"""Commands over SSH that wait until an approver lets them run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access.events import CommandRun, SessionClosed, StatementHeld, StatementRefused
from access.sessions.holding import Deciding
from prodaccess.policies.file import parse_policy
from tests.gateways.scene import gateway
from tests.gateways.ssh.hosts import Keys, in_process
from tests.gateways.ssh.house import POLICY, SshScene, policy
from tests.people import ADA
from tests.world import World


@pytest.fixture
async def scene(tmp_path: Path, keys: Keys) -> AsyncIterator[SshScene]:
    async with in_process(keys) as upstream:
        held = policy(upstream).replace("        max: 4h\n", "        max: 4h\n        hold: [sudo, opaque]\n", 1)
        assert "hold:" in held
        world = World(tmp_path, held)
        async with gateway(SshScene(world, None, tmp_path / "recordings", keys=keys)) as made:  # type: ignore[arg-type]
            yield made
        world.close()


@pytest.fixture
async def loose(tmp_path: Path, keys: Keys) -> AsyncIterator[SshScene]:
    """Under a policy that holds nothing."""
    async with in_process(keys) as upstream:
        world = World(tmp_path, policy(upstream))
        async with gateway(SshScene(world, None, tmp_path / "recordings", keys=keys)) as made:  # type: ignore[arg-type]
            yield made
        world.close()


async def test_a_command_waits_and_runs_or_does_not(scene: SshScene) -> None:
    ticket, deciding = await scene.let_in(), Deciding(scene.world.broker, scene.world.store.sessions)
    async with scene.connect(ticket) as client:
        assert (await client.run("echo free")).stdout == "free\n"
        for n, allow in ((1, True), (2, False)):
            running = asyncio.create_task(client.run(f"echo sudo {n}; exit {n}"))
            while not await scene.world.store.sessions.held([(1, 1, n)]):  # noqa: ASYNC110 (rows)
                await asyncio.sleep(0.02)
            assert not running.done()
            await deciding.decide(f"PA-1-1.{n}", ADA, allow=allow)
            ran = await running
            assert (ran.exit_status, ran.stdout) == ((1, "sudo 1\n") if allow else (126, ""))
    await scene.told(SessionClosed)  # by then, all that was done in it is told
    assert [event.text for event in await scene.told(StatementHeld)] == ["echo sudo 1; exit 1", "echo sudo 2; exit 2"]
    (refused,) = await scene.told(StatementRefused)
    assert refused.why == "ada has refused it."
    told = {event.text: event for event in await scene.told(CommandRun)}
    assert told["echo sudo 1; exit 1"].flags == ("sudo",)


async def load(scene: SshScene, hold: str) -> None:
    """A policy that holds this, seen by the desk."""
    (upstream,) = [live.admitted.grant.uses for live in scene.desk.lives.values()]
    text = POLICY.format(host=upstream["host"], port=upstream["port"], user=upstream["user"],
                         key=upstream["host_key"], marks="no")  # fmt: skip
    held = text.replace("        max: 4h\n", f"        max: 4h\n        hold: {hold}\n")
    scene.world.policies.policy = loaded = parse_policy(held, hold)
    while any(live._policy is not loaded for live in scene.desk.lives.values()):  # noqa: ASYNC110 (an attribute)
        await asyncio.sleep(0.02)


async def test_what_a_new_policy_holds_waits_in_a_connection_that_is_open(loose: SshScene) -> None:
    ticket = await loose.let_in()
    async with loose.connect(ticket) as client:
        assert (await client.run("echo sudo")).stdout == "sudo\n"
        await load(loose, "[sudo, opaque]")
        running = asyncio.create_task(client.run("echo sudo"))
        while not await loose.world.store.sessions.held([(1, 1, 1)]):  # noqa: ASYNC110 (rows)
            await asyncio.sleep(0.02)
        await Deciding(loose.world.broker, loose.world.store.sessions).decide("PA-1-1.1", ADA, allow=True)
        assert (await running).stdout == "sudo\n"


async def test_a_shell_that_runs_cannot_be_held_and_ends(loose: SshScene) -> None:
    async with loose.connect(await loose.let_in()) as client, client.create_process(term_type="xterm") as shell:
        shell.stdin.write("echo in\n")
        await shell.stdout.readuntil("in")
        await load(loose, "[sudo]")  # of what is typed, nothing could be held before either
        assert not client.is_closed()
        await load(loose, "[opaque]")
        await client.wait_closed()
    (closed,) = await loose.told(SessionClosed)
    assert "its text does not tell what it does waits for approval now" in closed.why


async def test_a_client_that_leaves_waits_no_more(scene: SshScene) -> None:
    async with scene.connect(await scene.let_in()) as client:
        running = asyncio.create_task(client.run("sudo true"))
        await scene.told(StatementHeld)
        client.abort()
        await asyncio.gather(running, return_exceptions=True)
    (refused,) = await scene.told(StatementRefused)
    assert refused.why == "Nobody waits for it any more."
