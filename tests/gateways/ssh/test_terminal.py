"""`ssh` and `connect` by the real command, through the real api and the gateway, with OpenSSH's own programs."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access.events import CommandRun, FileTouched, SessionClosed
from cli.exits import CliError
from cli.through.ssh import host_block, known_hosts
from gateways.ssh.upstream import Upstream
from tests.api.serving import serving
from tests.cli.shell import Shell
from tests.gateways.scene import gateway
from tests.gateways.ssh.hosts import Keys, has_sshd, in_process, public
from tests.gateways.ssh.house import SshScene, policy
from tests.people import ADA
from tests.world import World

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="openssh-client is not installed")


@pytest.fixture
async def shell(
    tmp_path: Path,
    memory: Path,
    keys: Keys,
    sshd: Callable[[bool], Upstream],
) -> AsyncIterator[Shell]:
    """Before a real sshd, where there is one."""
    async with AsyncExitStack() as stack:
        upstream = sshd(False) if has_sshd() else await stack.enter_async_context(in_process(keys))
        world = World(tmp_path, policy(upstream))
        scene = SshScene(world, None, tmp_path / "recordings", keys=keys)  # type: ignore[arg-type]
        async with gateway(scene) as running, serving(world) as api:
            made = Shell(api, tmp_path, memory)
            made.scene = running  # type: ignore[attr-defined]
            await made.sign_in()
            await world.opened(approver=ADA)
            yield made
        world.close()


def scene_of(shell: Shell) -> SshScene:
    return shell.scene  # type: ignore[attr-defined, no-any-return]


async def test_a_command_with_a_key_that_is_nowhere_but_in_memory(shell: Shell) -> None:
    ran = await shell.run("ssh", "PA-1", "echo", "$((6*7));", "exit 3")
    assert (ran.code, ran.out) == (3, "42\n"), ran.err
    assert "starts through the gateway" in ran.err
    (command,) = await scene_of(shell).told(CommandRun)
    assert command.text == "echo $((6*7)); exit 3"
    assert [path.name for path in (shell.runtime / "prodaccess").iterdir()] == ["session.json"]
    assert not (shell.home / ".ssh").exists() or not list((shell.home / ".ssh").iterdir())
    tags = await shell.api.world.tags("PA-1")
    assert tags.index("pass.given") < tags.index("session.opened") < tags.index("pass.ended")


async def test_files_by_scp_sftp_and_rsync_under_the_names_of_grant_and_target(shell: Shell) -> None:
    (shell.home / "here").write_text("content")
    there = shell.home / "there"
    there.mkdir()
    copied = await shell.run("connect", "PA-1", "--", "scp", "-q", "here", f"PA-1:{there}/by-scp")
    assert copied.code == 0, copied.err
    (shell.home / "batch").write_text(f"put here {there}/by-sftp\n")
    copied = await shell.run("connect", "PA-1", "--", "sftp", "-q", "-b", "batch", "orders-db")
    assert copied.code == 0, copied.err
    if shutil.which("rsync"):
        copied = await shell.run("connect", "PA-1", "--", "rsync", "-a", "here", f"orders-db:{there}/by-rsync")
        assert copied.code == 0, copied.err
        assert (there / "by-rsync").read_text() == "content"
    assert [(there / name).read_text() for name in ("by-scp", "by-sftp")] == ["content"] * 2
    written = {touch for event in await scene_of(shell).told(FileTouched) for touch in event.touches}
    assert {f"write path:{there}/by-scp", f"write path:{there}/by-sftp"} <= written


async def test_other_tools_find_their_way_by_the_environment_and_the_agent_goes_with_them(shell: Shell) -> None:
    looks = (
        'ssh -F "$PRODACCESS_SSH_CONFIG" PA-1 echo in; ssh-add -L; echo "$SSH_AUTH_SOCK"; ls -ld "$(dirname '
        '"$SSH_AUTH_SOCK")" | cut -c1-10; echo "$RSYNC_RSH"; echo "$ANSIBLE_SSH_ARGS"'
    )
    ran = await shell.run("connect", "PA-1", "--", "sh", "-c", looks)
    assert ran.code == 0, ran.err
    heard, key, agent, mode, rsync, ansible = ran.out.splitlines()
    assert (heard, mode) == ("in", "drwx------")
    assert key.startswith("ssh-ed25519 AAAA")
    assert not Path(agent).exists()  # noqa: ASYNC240 (it is in memory)
    config = f"{Path(agent).parent}/config"
    assert rsync == f"ssh -F {config}"
    assert ansible.startswith(f"-F {config} ")


async def test_a_gateway_with_another_key_is_not_spoken_to(shell: Shell) -> None:
    gateways = shell.api.world.gateways
    assert gateways is not None
    gateways.places["ssh"] = replace(gateways.places["ssh"], certificate=public(Keys.make().host))
    ran = await shell.run("ssh", "PA-1", "echo", "in")
    assert (ran.code, ran.out) == (255, "")
    assert "IDENTIFICATION HAS CHANGED" in ran.err or "verification failed" in ran.err
    assert "session.opened" not in await shell.api.world.tags("PA-1")


@pytest.fixture
def own_agent() -> Iterator[dict[str, str]]:
    """One of the person's own."""
    started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    told = dict(part.split("=", 1) for line in started.splitlines() for part in line.split("; ")[:1] if "=" in part)
    yield {"SSH_AUTH_SOCK": told["SSH_AUTH_SOCK"]}
    os.kill(int(told["SSH_AGENT_PID"]), signal.SIGTERM)


async def test_the_key_in_a_persons_own_agent_lets_plain_ssh_in(shell: Shell, own_agent: dict[str, str]) -> None:
    mine = shell.with_environment(own_agent)
    told = await mine.run("connect", "PA-1", "--agent")
    assert told.code == 0, told.err
    (shell.home / "config").write_text(told.out)
    assert f"ssh -p {scene_of(shell).port} PA-1@127.0.0.1" in told.err

    async def plain(*words: str) -> tuple[int, bytes]:
        done = await asyncio.create_subprocess_exec(
            *words,
            env=mine.environment,
            cwd=shell.home,
            stdout=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
        )
        out, _ = await asyncio.wait_for(done.communicate(), 60)
        return done.returncode or 0, out

    assert await plain("ssh", "-F", "config", "PA-1", "echo in") == (0, b"in\n")
    held = (await plain("ssh-add", "-l"))[1].decode()
    assert "prodaccess PA-1 (ED25519)" in held
    assert "pass.ended" not in await shell.api.world.tags("PA-1")
    await shell.api.world.broker.end(1, ADA)
    assert (await plain("ssh", "-F", "config", "PA-1", "echo in"))[0] == 255
    assert len(await scene_of(shell).told(SessionClosed)) == 1


async def test_what_is_for_the_other_protocol_is_said(shell: Shell) -> None:
    for words in (("--show",), ("--agent",)):  # no agent runs
        assert (await shell.run("connect", "PA-1", *words)).code == 2
    assert (await shell.api.world.tags("PA-1"))[-1] == "pass.ended", "nobody has the key of what was given"


def given(**changes: Any) -> dict[str, Any]:
    hints = {"host": "gate.example.com", "port": "2222", "behind": "web-1.internal"} | changes.pop("hints", {})
    return {"ref": "PA-7", "target": "web 1", "certificate": "ssh-ed25519 AAAA", "hints": hints} | changes


def test_what_a_server_says_cannot_become_another_setting_of_ssh() -> None:
    here = Path("/run/x")
    block = host_block(given(), "PA-7.k3f9qz", here, here)
    assert block.startswith("Host PA-7 web-1.internal\n  HostName gate.example.com\n")
    assert host_block(given(hints={"behind": "a\n  ProxyCommand evil"}), "PA-7", here, here).startswith("Host PA-7\n")
    for hints in ({"host": "a b"}, {"host": "a\nProxyCommand evil"}, {"host": "-oProxyCommand=x"}, {"port": "22\nx"}):
        with pytest.raises(CliError):
            host_block(given(hints=hints), "PA-7", here, here)
    with pytest.raises(CliError):
        host_block(given(), "PA-7\n  ProxyCommand evil", here, here)
    with pytest.raises(CliError):
        host_block(given(), "PA-7", Path('/run/"x'), here)
    assert known_hosts(given()) == "gate.example.com,[gate.example.com]:2222 ssh-ed25519 AAAA\n"
    signed = given(certificate="@cert-authority ssh-ed25519 AAAA gates\nssh-rsa BBBB")
    assert known_hosts(signed).startswith("@cert-authority gate.example.com,[gate.example.com]:2222 ssh-ed25519 AAAA\n")
    for certificate in ("", "nonsense", "ssh-ed25519 AAAA\n* ssh-rsa BBBB"):
        with pytest.raises(CliError):
            known_hosts(given(certificate=certificate))
